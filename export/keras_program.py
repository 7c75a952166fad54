"""A Keras file opened without trusting it, and called with the contract's tensors in the contract's order.

A `.keras` file is an archive of a description (`config.json`) and weights. The description may name Python code that
loading would run: such files are refused before Keras sees them, and Keras' own safe mode stands behind that.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from edge.contract import Contract, Tensor
from edge.errors import ConversionError, SetupError
from edge.storage import UNREADABLE

Backend = Literal["tensorflow", "torch"]
MAX_CONFIG_BYTES = 64 << 20
MAX_BYTES = 4 << 30
# Layers that run code or files from elsewhere.
FOREIGN = frozenset({"Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"})


class KerasProgram:
    """A loaded model; calling it takes and gives tensors in the order of the contract."""

    def __init__(self, model: Any, promise: Contract) -> None:
        """Match the model's inputs and outputs with the contract's: by name where the names agree, else by position.

        Raises:
            ConversionError: Number or shape of the inputs, or the number of outputs, are not the contract's.
        """
        import keras

        self.model, self._tree = model, keras.tree
        plain = isinstance(model, keras.Sequential)  # which has one input and one output, and `input` only once it was called
        self._structure, answered = (model.inputs[0], model.outputs[0]) if plain else (model.input, model.output)
        graph, inputs, outputs = promise.main, keras.tree.flatten(self._structure), keras.tree.flatten(answered)
        for side, found, tensors in (("inputs", inputs, graph.inputs), ("outputs", outputs, graph.outputs)):
            if len(found) != len(tensors):
                raise ConversionError(f"{promise.name}: the Keras model has {len(found)} {side}, the contract names {len(tensors)}")
        self._inputs = _order([t.name for t in inputs], graph.inputs)
        named = sorted(answered) if isinstance(answered, dict) else [] if plain else model.output_names
        self._outputs = _order(named, graph.outputs)
        for tensor, place in zip(graph.inputs, self._inputs, strict=True):
            _check_shape(promise.name, tensor, inputs[place].shape)

    def __call__(self, *tensors: Any) -> list[Any]:
        """Run the model on (B, …) tensors."""
        flat: list[Any] = [None] * len(tensors)
        for place, tensor in zip(self._inputs, tensors, strict=True):
            flat[place] = tensor
        answers = self._tree.flatten(self.model(self._tree.pack_sequence_as(self._structure, flat), training=False))
        return [answers[place] for place in self._outputs]


def open_keras(program: str, promise: Contract, backend: Backend) -> KerasProgram:
    """Load a `.keras` file in safe mode.

    Args:
        program: The file.
        promise: Its contract.
        backend: The library that Keras shall compute with; it is settled once for a process.

    Raises:
        ConversionError: The file is damaged, holds code or classes of its own, or is not the contract's model.
        SetupError: Keras already computes with another library.
    """
    return KerasProgram(load(program, backend), promise)


def load(program: str, backend: Backend) -> Any:
    """Load a `.keras` file in safe mode, whatever its contract; see `open_keras`."""
    path = Path(program)
    examine(path)
    os.environ["KERAS_BACKEND"] = backend
    import keras

    if keras.backend.backend() != backend:
        raise SetupError(f"Keras computes with {keras.backend.backend()} in this process, expected {backend}; use a process of its own")
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (*UNREADABLE, AttributeError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise ConversionError(f"{path.name}: Keras {keras.__version__} cannot load it ({reason}); save it anew with model.save()") from None
    if not model.built or not getattr(model, "inputs", None):
        raise ConversionError(f"{path.name}: the model has no declared inputs; begin it with keras.Input and save it anew")
    return model


def examine(path: Path) -> None:
    """Look through a `.keras` file's description for what loading would run or would not find.

    Raises:
        ConversionError: It is no such file, is too large, or names code or classes from outside Keras; the message names them.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            size, described = sum(member.file_size for member in archive.infolist()), archive.getinfo("config.json").file_size
            if size > MAX_BYTES or described > MAX_CONFIG_BYTES:
                raise ConversionError(f"{path.name}: unpacks to {size} bytes, expected at most {MAX_BYTES}; store weights alone")
            config = json.loads(archive.read("config.json"))
    except (*UNREADABLE, OSError) as error:
        reason = str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
        raise ConversionError(f"{path.name}: not a whole .keras file ({reason}); save it anew with model.save('{path.name}')") from None
    for node in _nodes(config):
        problem = _foreign(node)
        if problem:
            raise ConversionError(f"{path.name}: {problem}; build the model of Keras' own layers and save it anew")


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Give every object of the description that names a class."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if "class_name" in item:
                yield item
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item


def _foreign(node: dict[str, Any]) -> str:
    """Say what is not Keras' own about an object; empty where all of it is."""
    kind, module, registered = (node.get(key) for key in ("class_name", "module", "registered_name"))
    config = node.get("config")
    name = config.get("name") if isinstance(config, dict) else None
    called = f" {name!r}" if isinstance(name, str) else ""
    if not isinstance(kind, str):
        return f"a class is called {str(kind)[:80]!r}, which is no name"
    if kind in FOREIGN:
        return f"layer{called} is a {kind}, which holds code of its own that is not run here"
    if isinstance(registered, str) and ">" in registered and not registered.startswith("keras"):
        return f"{kind}{called} is a class of its own ({registered}), which is not loaded here"
    builtin = kind == "function" and module == "builtins" and isinstance(config, str) and config.isidentifier()
    if module is not None and not builtin and module != "keras" and not str(module).startswith("keras."):
        return f"{kind}{called} is from {module}, not from Keras, and is not loaded here"
    return ""


def _order(names: Sequence[str], tensors: Sequence[Tensor]) -> list[int]:
    """Give for each of the contract's tensors its place in the model."""
    wanted = [tensor.name for tensor in tensors]
    return [list(names).index(name) for name in wanted] if sorted(names) == sorted(wanted) else list(range(len(wanted)))


def _check_shape(name: str, tensor: Tensor, shape: Sequence[int | None]) -> None:
    row = tuple(shape)[1:]
    fits = len(row) == len(tensor.row_shape) and all(
        own is None or isinstance(axis, str) or own == axis for own, axis in zip(row, tensor.row_shape, strict=True)
    )
    if not fits:
        raise ConversionError(f"{name}: the Keras model takes {row} as input {tensor.name!r}, the contract says {tensor.row_shape}")
