"""The weights of an ONNX model that lie in files of their own: taken in, and never from outside the model's folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge.errors import ConversionError
from edge.storage import safe_relative

MAX_BYTES = (2 << 30) - (64 << 20)


def inline(model: Any, path: Path) -> list[str]:
    """Put external data into the model.

    Args:
        model: The parsed `ModelProto`; it is changed.
        path: The model's file; data must lie in its folder or below, in plain files.

    Returns:
        What was done, in words; empty where nothing lay outside.

    Raises:
        ConversionError: A place is outside the folder, a link, missing, too short, or all of it is too large.
    """
    import onnx

    found, total = 0, 0
    for tensor in tensors(model):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        content = _content(tensor, path, total)
        total, found = total + len(content), found + 1
        del tensor.external_data[:]
        tensor.data_location = onnx.TensorProto.DEFAULT
        tensor.raw_data = content
    return [f"{found} weights of {total} bytes were put into the file itself"] if found else []


def tensors(model: Any) -> Iterator[Any]:
    """Give every stored tensor: weights and constants of the graph, of graphs within it and of functions."""
    for graph in graphs(model):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    for node in nodes(model):
        for attribute in node.attribute:
            yield from attribute.tensors
            if attribute.HasField("t"):
                yield attribute.t
            for sparse in (*attribute.sparse_tensors, *([attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else [])):
                yield from (sparse.values, sparse.indices)


def nodes(model: Any) -> Iterator[Any]:
    """Give every node: of the graph, of graphs within it and of functions."""
    for graph in graphs(model):
        yield from graph.node
    for function in model.functions:
        yield from function.node


def graphs(model: Any) -> Iterator[Any]:
    """Give the main graph and every graph within it or within functions."""
    waiting = [model.graph, *(a.g for f in model.functions for n in f.node for a in n.attribute if a.HasField("g"))]
    while waiting:
        graph = waiting.pop()
        yield graph
        for node in graph.node:
            for attribute in node.attribute:
                waiting += attribute.graphs
                if attribute.HasField("g"):
                    waiting.append(attribute.g)


def _content(tensor: Any, path: Path, total: int) -> bytes:
    """Read what one tensor holds."""
    told = {entry.key: entry.value for entry in tensor.external_data}
    name = told.get("location", "")
    where = f"{path.name}: the weights {tensor.name!r} are said to be in {name!r}"
    if not safe_relative(name):
        raise ConversionError(f"{where}, expected a file in the model's own folder; nothing outside of it is read")
    place = path.parent
    for part in name.split("/"):
        place = place / part
        if place.is_symlink():
            raise ConversionError(f"{where}, and {part!r} is a link, which is not followed; put the file itself there")
    if not place.is_file():
        raise ConversionError(f"{where}, which is not there; put it beside the model")
    size = place.stat().st_size
    offset, length = _number(told.get("offset", "0")), _number(told.get("length", "")) if "length" in told else None
    if offset is None or (length is None and "length" in told):
        raise ConversionError(f"{where} at {told.get('offset')!r} + {told.get('length')!r}, expected whole numbers; export it anew")
    length = size - offset if length is None else length
    if length < 0 or offset + length > size:
        raise ConversionError(f"{where} at {offset} + {length} bytes, but the file has {size}; copy it again")
    if total + length > MAX_BYTES:
        raise ConversionError(f"{path.name}: its weights are more than {MAX_BYTES} bytes, which one ONNX file cannot hold")
    with place.open("rb") as file:
        file.seek(offset)
        return file.read(length)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
