"""An ONNX file of plain operators as a PyTorch module: its graph is walked node by node, its constants become buffers.

Made for networks that were quantized: between `QuantizeLinear` and `DequantizeLinear` values are rounded to 8 bits as the file
says, which proves that the walk is right, or pass unrounded, as float programs, from which other formats are made, want it.

Source: ONNX operator schemas, https://onnx.ai/onnx/operators/.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edge.errors import InputError, SetupError
from training.recipe import Array

Attributes = Mapping[str, Any]
_PER_CHANNEL = "axis"
_FIXED = {"QuantizeLinear": 2, "Clip": 1, "Resize": 2}  # operators whose inputs from this one on are numbers that never change


@dataclass(frozen=True)
class Node:
    """One operator: what it reads and gives, by name; an input that is left out is empty."""

    kind: str
    inputs: tuple[str, ...]
    output: str
    attributes: Attributes


class OnnxModule(nn.Module):
    """A graph of one output whose samples are one by one in the file (batch 1) and (B, …) here."""

    def __init__(self, content: bytes, where: str, *, rounded: bool = False) -> None:
        """Read a file.

        Args:
            content: The ONNX file.
            where: What it is, for messages.
            rounded: Whether values are rounded to 8 bits where the file says so.

        Raises:
            InputError: It is damaged, has several outputs, or an operator that is not known here.
            SetupError: The library `onnx` is not installed.
        """
        super().__init__()
        nodes, constants, self.inputs, self.output = _read(content, where)
        self.rounded = rounded
        self._numbers: dict[str, str] = {}
        self._plain = {name: array for name, array in constants.items() if array.dtype.kind == "i" and array.dtype != np.int8}
        self.nodes = [node for node in nodes if not self._folded(node, constants)]
        read = {name for node in self.nodes for name in node.inputs}
        for number, (name, array) in enumerate(sorted(constants.items())):
            if array.size and array.dtype.kind == "f" and name in read:  # nothing in it: a place that is left out
                self._numbers[name] = f"constant_{number}"
                self.register_buffer(self._numbers[name], torch.from_numpy(np.array(array, np.float32)))
        unknown = sorted({node.kind for node in self.nodes} - set(_OPERATORS) - {"QuantizeLinear", "DequantizeLinear"})
        if unknown:
            raise InputError(f"{where}: has the operators {', '.join(unknown)}, which are not known here; serve the file itself")

    def forward(self, *inputs: Tensor) -> Tensor:
        """Answer (B, …) inputs, in the file's order."""
        values: dict[str, Any] = dict(zip(self.inputs, inputs, strict=True))
        for node in self.nodes:
            given = [self._value(name, values) for name in node.inputs]
            if node.kind in ("QuantizeLinear", "DequantizeLinear"):
                values[node.output] = self._eight_bits(node, given)
            else:
                values[node.output] = _OPERATORS[node.kind](given, node.attributes)
        answer: Tensor = values[self.output]
        return answer

    def _value(self, name: str, values: Mapping[str, Any]) -> Any:
        if name in values:
            return values[name]
        if name in self._numbers:
            return self.get_buffer(self._numbers[name])
        return self._plain.get(name)

    def _eight_bits(self, node: Node, given: Sequence[Any]) -> Tensor:
        """Round to the step of 8 bits and cut off beyond their ends, in float; or leave as it is."""
        x: Tensor = given[0]
        if not self.rounded or node.kind == "DequantizeLinear":
            return x
        scale, zero = given[1], node.attributes["fixed"][0]
        steps = torch.clamp(torch.round(x / scale) + zero, -128, 127)
        rounded: Tensor = (steps - zero) * scale
        return rounded

    def _folded(self, node: Node, constants: dict[str, Array]) -> bool:
        """Turn a dequantized constant into float numbers; tells whether the node has been one."""
        if node.kind != "DequantizeLinear" or node.inputs[0] not in constants:
            return False
        numbers, scale, zero = (constants[name].astype(np.float64) for name in node.inputs)
        shape = [1] * numbers.ndim
        if scale.ndim:
            shape[node.attributes.get(_PER_CHANNEL, 1)] = -1
        constants[node.output] = ((numbers - zero.reshape(shape)) * scale.reshape(shape)).astype(np.float32)
        return True


def constants(content: bytes, where: str) -> dict[str, Array]:
    """Return the constants of an ONNX file by name.

    Raises:
        InputError: It cannot be read.
        SetupError: The library `onnx` is not installed.
    """
    return _opened(content, where)[1]


def _opened(content: bytes, where: str) -> tuple[Any, dict[str, Array]]:
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError:
        raise SetupError("onnx is not installed; install Tandem with the extra [export]") from None
    try:
        graph = onnx.load_from_string(content).graph
        return graph, {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    except Exception as error:  # protobuf's errors have no common base that onnx names
        raise InputError(f"{where}: no ONNX file that can be read ({str(error)[:100]})") from None


def _read(content: bytes, where: str) -> tuple[list[Node], dict[str, Array], tuple[str, ...], str]:
    """Read nodes, constants, and the names of inputs and output; numbers that operators need to know beforehand must be constants."""
    graph, constants = _opened(content, where)
    from onnx import helper

    if len(graph.output) != 1:
        raise InputError(f"{where}: has {len(graph.output)} outputs, expected one")
    nodes = []
    for node in graph.node:
        attributes: dict[str, Any] = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        if node.op_type == "QuantizeLinear" and constants.get(node.input[2], np.empty(0)).dtype != np.int8:
            raise InputError(f"{where}: {node.name} rounds to something else than 8 signed bits; serve the file itself")
        if node.op_type in _FIXED:
            attributes["fixed"] = [_last(constants, name, f"{where}: {node.name}") for name in node.input[_FIXED[node.op_type] :]]
        nodes.append(Node(node.op_type, tuple(node.input), node.output[0], attributes))
    inputs = tuple(value.name for value in graph.input if value.name not in constants)
    return nodes, constants, inputs, graph.output[0].name


def _convolution(given: Sequence[Any], attributes: Attributes) -> Tensor:
    x, weight, bias = (*given, None)[:3]
    top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
    if (top, left) == (bottom, right):
        return F.conv2d(x, weight, bias, attributes["strides"], (top, left), 1, attributes["group"])
    return F.conv2d(F.pad(x, (left, right, top, bottom)), weight, bias, attributes["strides"], 0, 1, attributes["group"])


def _padded(given: Sequence[Any], attributes: Attributes) -> Tensor:
    """Mirror the edges of two axes, wherever they are."""
    x, ends = given[0], np.asarray(given[1]).reshape(2, -1)
    axes = [int(axis) for axis in np.flatnonzero(ends.any(axis=0))]
    if attributes.get("mode") != b"reflect" or len(axes) != 2:
        raise InputError(f"pads {ends.tolist()} by {attributes.get('mode')}, expected a mirror of two axes; serve the file itself")
    order = [axis for axis in range(x.ndim) if axis not in axes] + axes
    (top, left), (bottom, right) = ends[:, axes].tolist()
    mirrored = F.pad(x.permute(order), (left, right, top, bottom), mode="reflect")
    return mirrored.permute([order.index(axis) for axis in range(x.ndim)])


def _last(constants: Mapping[str, Array], name: str, where: str) -> float:
    """Return the last number of a constant: of a scalar the only one, of the factors of an enlargement that of the columns."""
    if name not in constants or not constants[name].size:
        raise InputError(f"{where}: {name!r} is no constant; serve the file itself")
    return float(constants[name].reshape(-1)[-1])


def _enlarged(given: Sequence[Any], attributes: Attributes) -> Tensor:
    factor = attributes["fixed"][0]
    return given[0] if factor == 1 else F.interpolate(given[0], scale_factor=factor, mode="nearest")


def _shaped(given: Sequence[Any], attributes: Attributes) -> Tensor:
    """Reshape each sample; the file's own first axis is its batch of 1."""
    del attributes
    x: Tensor = given[0]
    return x.reshape(x.shape[0], *(int(size) for size in given[1][1:]))


_OPERATORS: dict[str, Callable[[Sequence[Any], Attributes], Tensor]] = {
    "Add": lambda given, _: given[0] + given[1],
    "Clip": lambda given, attributes: torch.clamp(given[0], *attributes["fixed"]),
    "Conv": _convolution,
    "GlobalAveragePool": lambda given, _: given[0].mean((2, 3), keepdim=True),
    "Mul": lambda given, _: given[0] * given[1],
    "Pad": _padded,
    "Reciprocal": lambda given, _: 1 / given[0],
    "Relu": lambda given, _: F.relu(given[0]),
    "Reshape": _shaped,
    "Resize": _enlarged,
    "Sigmoid": lambda given, _: torch.sigmoid(given[0]),
    "Sqrt": lambda given, _: torch.sqrt(given[0]),
    "Sub": lambda given, _: given[0] - given[1],
    "Transpose": lambda given, attributes: given[0].permute(*attributes["perm"]),
}
