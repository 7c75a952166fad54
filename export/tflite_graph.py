"""A TFLite file's main graph with its operators' options and the values of everything that does not depend on the inputs."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import ConversionError
from export import operators
from export.to_tflite import plain_interpreter

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Operator:
    """One operator: its name, its tensors by number (-1 for one that is left out), and its options as the file has them."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any


@dataclass(frozen=True)
class Net:
    """A graph to convert.

    `operators` are those that depend on the inputs, in the order in which they run; `shapes` and `names` are of all tensors;
    `constants` hold the values of the tensors that depend on no input, whatever the file computes them from.
    """

    title: str
    operators: tuple[Operator, ...]
    shapes: tuple[tuple[int, ...], ...]
    names: tuple[str, ...]
    constants: Mapping[int, Array]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def values(self, number: int, what: str) -> list[int]:
        """Return a tensor of whole numbers, such as a shape or axes, which must be constant.

        Raises:
            ConversionError: It is computed while the graph runs.
        """
        if number not in self.constants:
            raise ConversionError(f"{self.title}: {what} is computed while the graph runs, which has no counterpart here; {REMEDY}")
        return [int(value) for value in np.asarray(self.constants[number]).ravel()]


REMEDY = "release it for devices alone (targets=['device'] in the contract), or give the model in ONNX too, as another contract"


def read(path: str) -> Net:
    """Read a file that `export.given_tflite.open_file` accepts.

    Raises:
        ConversionError: It is damaged, or computes with integers that stand for real numbers.
    """
    title = Path(path).name
    operators.describe(path)
    try:
        return _net(path, title, operators.parse(path), operators.words("BuiltinOperator"))
    except (struct.error, IndexError, TypeError, AttributeError) as error:
        raise ConversionError(f"{title}: the TFLite file is damaged ({type(error).__name__}: {error})") from None


def _net(path: str, title: str, model: Any, names: Mapping[int, str]) -> Net:
    graph = model.subgraphs[0]
    inputs = tuple(int(i) for i in graph.inputs)
    moving, found = set(inputs), []
    for item in graph.operators:
        code = model.operatorCodes[item.opcodeIndex]
        name = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        operator = Operator(name, tuple(map(int, item.inputs)), tuple(map(int, item.outputs)), item.builtinOptions)
        if moving & set(operator.inputs) and name != "SHAPE":  # a size is known: the batch axis is 1 in the file, and open afterwards
            moving |= set(operator.outputs)
            found.append(operator)
    _refuse_integers(title, graph.tensors, moving)
    needed = {i for operator in found for i in operator.inputs if i >= 0} | {int(i) for i in graph.outputs}
    interpreter = _run(path)
    shapes = {int(detail["index"]): tuple(map(int, detail["shape"])) for detail in interpreter.get_tensor_details()}
    return Net(
        title=title,
        operators=tuple(found),
        shapes=tuple(shapes.get(i, ()) for i in range(len(graph.tensors))),
        names=tuple((tensor.name or b"").decode("utf-8", "replace") for tensor in graph.tensors),
        constants={i: np.array(interpreter.get_tensor(i)) for i in sorted(needed - moving)},
        inputs=inputs,
        outputs=tuple(int(i) for i in graph.outputs),
    )


def _refuse_integers(title: str, tensors: Any, moving: set[int]) -> None:
    for i in sorted(moving):
        given = tensors[i].quantization
        if given is not None and given.scale is not None and len(given.scale) and tensors[i].type != operators.FLOAT32:
            raise ConversionError(
                f"{title}: it computes with integers that stand for real numbers ({(tensors[i].name or b'').decode('utf-8', 'replace')!r} "
                f"and others), which are not converted to ONNX: the float model that it was quantized from can be; {REMEDY}"
            )


def _run(path: str) -> Any:
    """Let the runtime compute what depends on no input: widened half-precision weights, sparse weights made dense, shapes."""
    interpreter = plain_interpreter(path, keep=True)
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))
    interpreter.invoke()
    return interpreter
