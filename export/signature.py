"""What a model's own file says about its inputs and outputs; a step that runs in a child, since the file is from elsewhere."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import ConversionError
from export import given_kinds
from export.given_order import Own


def run(source: str) -> dict[str, Any]:
    """Read a file's signature.

    Args:
        source: A model file, a SavedModel folder or a Hugging Face folder.

    Returns:
        `inputs`, `outputs`, `targets` and, where the file says them, `labels`, `description`, `licence`, `source`; and from
        folders that say more, `contract` (fields as they stand there) and `asked` (lines).

    Raises:
        ConversionError: The file is damaged, refused, or of a dtype that no contract has.
    """
    file = given_kinds.file_of(source)
    if given_kinds.is_huggingface(source):
        from export import huggingface_signature

        return huggingface_signature.read(source)
    facts: dict[str, Any] = _READERS[file](source)
    return facts


def _onnx(source: str) -> dict[str, Any]:
    from export import given_onnx

    model = given_onnx.read(Path(source))
    told = {entry.key: entry.value for entry in model.metadata_props}
    return {
        **_sides(*given_onnx.signature(model, Path(source).name)),
        "targets": ["server"],
        "description": (model.doc_string or model.graph.doc_string or told.get("description", "")).strip(),
        "licence": told.get("license") or told.get("licence") or "",
        "labels": _labels(told),
    }


def _labels(told: dict[str, str]) -> list[str]:
    """Read class names from a model's properties: a mapping or a list in Python's or JSON's form, or words by commas."""
    for key in ("names", "classes", "labels"):
        if key not in told:
            continue
        try:
            value = ast.literal_eval(told[key])
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            value = told[key].split(",")
        found = list(value.values()) if isinstance(value, dict) else value
        if isinstance(found, (list, tuple)) and all(isinstance(item, (str, int)) for item in found):
            return [str(item).strip() for item in found]
    return []


def _tflite(source: str) -> dict[str, Any]:
    from export import given_tflite, tflite_metadata

    opened = given_tflite.open_file(source)
    told = tflite_metadata.read(source)
    sides = _sides(*given_tflite.signature(opened, Path(source).name))
    for side, details in (("inputs", opened.inputs), ("outputs", opened.outputs)):
        described = told.pop(side, [])
        for i, (tensor, detail) in enumerate(zip(sides[side], details, strict=True)):
            tensor |= _real(tensor, detail)
            if len(described) == len(details):
                tensor |= {"meaning": described[i]["meaning"] or described[i]["name"]}
    return {**sides, "targets": ["device"], **told}


def _real(tensor: dict[str, Any], detail: dict[str, Any]) -> dict[str, Any]:
    """Take integers as the real numbers that they stand for; pixels (uint8, four axes) stay as they are."""
    scale, zero = detail["quantization"]
    if not scale or tensor["dtype"] not in ("int8", "uint8") or (tensor["dtype"] == "uint8" and len(tensor["shape"]) == 4):
        return {}
    limits = np.iinfo(tensor["dtype"])
    return {"dtype": "float32", "range": [float(limits.min - zero) * float(scale), float(limits.max - zero) * float(scale)]}


def _saved_model(source: str) -> dict[str, Any]:
    from export import from_saved_model

    from_saved_model.examine(Path(source))
    return {**_sides(*from_saved_model.signature(Path(source))), "targets": ["device"]}


def _keras(source: str) -> dict[str, Any]:
    from export.keras_program import load

    model = load(source, "tensorflow")
    import keras

    sides = [[Own(t.name, str(t.dtype), tuple(t.shape)) for t in keras.tree.flatten(side)] for side in (model.inputs, model.outputs)]
    names = list(getattr(model, "output_names", ()))
    if len(names) == len(sides[1]):
        sides[1] = [Own(name, own.dtype, own.shape) for name, own in zip(names, sides[1], strict=True)]
    return {**_sides(*sides), "targets": ["server", "device"]}


def _pt2(source: str) -> dict[str, Any]:
    from export.pt2_call import input_names, output_names
    from export.pt2_program import open_pt2

    program = open_pt2(source)
    found: dict[str, Any] = {node.name: node.meta.get("val") for node in program.graph.nodes}
    taken, given = input_names(program), (program.graph_signature.user_outputs, output_names(program))
    sides = []
    for nodes, names, plain in ((taken.keys(), taken.values(), "input"), (*given, "output")):
        tensors: list[tuple[str, Any]] = [(name, found.get(str(node))) for node, name in zip(nodes, names, strict=True)]
        if any(getattr(value, "shape", None) is None for _, value in tensors):
            raise ConversionError(f"{Path(source).name}: an {plain} is no tensor ({', '.join(names)}); take and give tensors alone")
        sides.append([Own(name, str(v.dtype).removeprefix("torch."), tuple(_size(n) for n in v.shape)) for name, v in tensors])
    return {**_sides(*sides), "targets": ["server", "device"]}


def _size(axis: Any) -> int | str:
    return axis if isinstance(axis, int) else str(axis)


def _skops(source: str) -> dict[str, Any]:
    from export.from_estimator import load

    estimator = load(source)
    return _table(int(estimator.n_features_in_), [str(each) for each in estimator.classes_])


def _xgboost(source: str) -> dict[str, Any]:
    from export.from_xgboost import load

    booster, classes = load(source)
    return _table(booster.num_features(), [""] * classes)


def _table(columns: int, labels: Sequence[str]) -> dict[str, Any]:
    """Describe a classifier of rows; numbers are no names of classes."""
    inputs, outputs = [Own("features", "float32", (None, columns))], [Own("logits", "float32", (None, len(labels)))]
    named = [label for label in labels if label and not label.replace(".", "").lstrip("-").isdigit()]
    facts = {**_sides(inputs, outputs), "targets": ["server"], "task": "tabular-classification"}
    return {**facts, "labels": named} if len(named) == len(labels) else facts


def _sides(inputs: Sequence[Own], outputs: Sequence[Own]) -> dict[str, Any]:
    return {"inputs": [asdict(own) for own in inputs], "outputs": [asdict(own) for own in outputs]}


_READERS = {
    "given.onnx": _onnx,
    "given.tflite": _tflite,
    "saved_model.zip": _saved_model,
    "model.keras": _keras,
    "program.pt2": _pt2,
    "model.skops": _skops,
    "xgboost.json": _xgboost,
}
