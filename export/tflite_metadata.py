"""What a TFLite file says about itself: names, labels and normalisation, as TensorFlow Lite's metadata hold them.

The metadata are a flatbuffer in a buffer of the model, and label files are appended to the model as a zip archive. Both are
from elsewhere: what cannot be read counts as not there.
"""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from typing import Any

from edge.errors import ConversionError
from edge.storage import UNREADABLE

BUFFER = "TFLITE_METADATA"
MAX_LABEL_BYTES = 1 << 20
AXIS_LABELS, NORMALIZATION = 2, 1
# Places of the fields in their tables. Source: TensorFlow Lite, metadata_schema.fbs.
MODEL = {"name": 0, "description": 1, "subgraphs": 3, "author": 4, "license": 5}
GRAPH = {"inputs": 2, "outputs": 3}
TENSOR = {"name": 0, "description": 1, "units": 4, "files": 6}


class Node:
    """A table of a flatbuffer, read by the places of its fields."""

    def __init__(self, content: bytes, position: int) -> None:
        """Stand at a table."""
        from flatbuffers.table import Table

        self.content, self.table = content, Table(content, position)

    def text(self, place: int) -> str:
        """Read a string; empty where there is none."""
        offset = self.table.Offset(4 + 2 * place)
        return self.table.String(offset + self.table.Pos).decode("utf-8", "replace") if offset else ""

    def number(self, place: int) -> int:
        """Read a byte."""
        offset = self.table.Offset(4 + 2 * place)
        return self.content[offset + self.table.Pos] if offset else 0

    def nodes(self, place: int) -> list[Node]:
        """Read a list of tables."""
        offset = self.table.Offset(4 + 2 * place)
        if not offset:
            return []
        start, count = self.table.Vector(offset), min(self.table.VectorLen(offset), 10_000)
        return [Node(self.content, self.table.Indirect(start + 4 * i)) for i in range(count)]

    def node(self, place: int) -> Node | None:
        """Read a table."""
        offset = self.table.Offset(4 + 2 * place)
        return Node(self.content, self.table.Indirect(offset + self.table.Pos)) if offset else None

    def floats(self, place: int) -> list[float]:
        """Read a list of float32."""
        offset = self.table.Offset(4 + 2 * place)
        if not offset:
            return []
        start, count = self.table.Vector(offset), min(self.table.VectorLen(offset), 4096)
        return list(struct.unpack_from(f"<{count}f", self.content, start))


def read(path: str) -> dict[str, Any]:
    """Read a file's metadata.

    Returns:
        `description`, `licence`, `source`, `labels` and, for each tensor in the order of the file, `inputs` and `outputs` with
        `name` and `meaning`; empty where the file says nothing.
    """
    try:
        content = _buffer(Path(path).read_bytes())
        return _told(Node(content, struct.unpack_from("<I", content)[0]), path) if content else {}
    except (*UNREADABLE, AttributeError, ConversionError):
        return {}


def _buffer(content: bytes) -> bytes:
    """Find the metadata's buffer in a model."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    for i in range(model.MetadataLength()):
        entry = model.Metadata(i)
        if entry is not None and (entry.Name() or b"").decode("utf-8", "replace") == BUFFER:
            data = model.Buffers(entry.Buffer()).DataAsNumpy()
            return data.tobytes() if hasattr(data, "tobytes") else b""
    return b""


def _told(model: Node, path: str) -> dict[str, Any]:
    graphs = model.nodes(MODEL["subgraphs"])
    sides = {side: [_tensor(t) for t in graphs[0].nodes(place)] if graphs else [] for side, place in GRAPH.items()}
    files = [f for t in graphs[0].nodes(GRAPH["outputs"]) for f in t.nodes(TENSOR["files"])] if graphs else []
    labels = next((_labels(path, f.text(0)) for f in files if f.number(2) == AXIS_LABELS), [])
    source = ", ".join(text for text in (model.text(MODEL["name"]), model.text(MODEL["author"])) if text)
    return {
        "description": model.text(MODEL["description"]),
        "licence": model.text(MODEL["license"]).strip().split("\n")[0][:200],
        "source": source,
        "labels": labels,
        **sides,
    }


def _tensor(tensor: Node) -> dict[str, Any]:
    meaning = tensor.text(TENSOR["description"])
    for unit in tensor.nodes(TENSOR["units"]):
        options = unit.node(1)
        if unit.number(0) == NORMALIZATION and options is not None:
            mean, deviation = ([round(value, 6) for value in options.floats(i)] for i in (0, 1))
            meaning += f"{' ' if meaning else ''}(normalised before: (value - {mean}) / {deviation})"
    return {"name": tensor.text(TENSOR["name"]), "meaning": meaning}


def _labels(path: str, name: str) -> list[str]:
    """Read a label file out of the archive at the model's end."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(name).file_size > MAX_LABEL_BYTES:
                return []
            lines = archive.read(name).decode("utf-8", "replace").splitlines()
    except (*UNREADABLE, OSError):
        return []
    return [line.strip() for line in lines if line.strip()]
