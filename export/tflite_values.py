"""Operators on values of any shape, from TFLite to ONNX: arithmetic, activations, sums, and what changes a shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from export.tflite_graph import Operator
from export.tflite_writer import FIRST, LAST, Writer

_Emit = Callable[[Writer, Operator], None]
_PICTURE = 4  # axes


def _each(writer: Writer, operator: Operator, kind: str, **attributes: Any) -> None:
    """Add an operator on each value by itself, in the layout in which it is there."""
    _alone(writer, operator, lambda name: writer.add(kind, [name], **attributes))


def _alone(writer: Writer, operator: Operator, act: Callable[[str], str]) -> None:
    number = operator.inputs[0]
    if writer.is_first(number):
        writer.hold(operator.outputs[0], act(writer.first(number)), FIRST)
    else:
        writer.hold(operator.outputs[0], act(writer.plain(number)), LAST)


def _pair(writer: Writer, operator: Operator, kind: str) -> None:
    """Add arithmetic on two tensors; where one is there with its channels first and the other can be, so is the result."""
    shapes = writer.net.shapes
    turned = any(writer.is_first(i) for i in operator.inputs)
    if turned and all(len(shapes[i]) in (0, _PICTURE) or (i in writer.net.constants and len(shapes[i]) == 1) for i in operator.inputs):
        names = [_picture(writer, i) for i in operator.inputs]
        layout = FIRST
    else:
        names, layout = [writer.plain(i) for i in operator.inputs], LAST
    found = writer.add(kind, names)
    code = getattr(operator.options, "fusedActivationFunction", 0)
    writer.hold(operator.outputs[0], writer.activated(found, code), layout)


def _picture(writer: Writer, number: int) -> str:
    """Return a tensor of four axes with its channels first, or a constant of one axis as one of its channels."""
    if len(writer.net.shapes[number]) == 1:
        return writer.store(writer.net.constants[number].reshape(1, -1, 1, 1))
    return writer.first(number) if len(writer.net.shapes[number]) == _PICTURE else writer.plain(number)


def _chosen(writer: Writer, operator: Operator) -> None:
    """Take one of two values by a condition, as the shapes stand in the file."""
    writer.hold(operator.outputs[0], writer.add("Where", [writer.plain(i) for i in operator.inputs]))


def _square_of_difference(writer: Writer, operator: Operator) -> None:
    difference = writer.add("Sub", [writer.plain(i) for i in operator.inputs])
    writer.hold(operator.outputs[0], writer.add("Mul", [difference, difference]))


def _limited(low: float | None, high: float | None) -> _Emit:
    return lambda writer, operator: _alone(writer, operator, lambda name: writer.limited(name, low, high))


def _prelu(writer: Writer, operator: Operator) -> None:
    slopes = writer.constant(operator.inputs[1], "the slope of a PRELU")
    if writer.is_first(operator.inputs[0]):
        wide = slopes.reshape((1,) * (_PICTURE - slopes.ndim) + slopes.shape).transpose(0, 3, 1, 2)
        found = writer.add("PRelu", [writer.first(operator.inputs[0]), writer.store(wide[0])])
        writer.hold(operator.outputs[0], found, FIRST)
    else:
        writer.hold(operator.outputs[0], writer.add("PRelu", [writer.plain(operator.inputs[0]), writer.store(slopes)]))


def _leaky(writer: Writer, operator: Operator) -> None:
    _each(writer, operator, "LeakyRelu", alpha=operator.options.alpha)


def _rsqrt(writer: Writer, operator: Operator) -> None:
    _alone(writer, operator, lambda name: writer.add("Reciprocal", [writer.add("Sqrt", [name])]))


def _squared(writer: Writer, operator: Operator) -> None:
    _alone(writer, operator, lambda name: writer.add("Mul", [name, name]))


def _softmax(writer: Writer, operator: Operator) -> None:
    name, beta = writer.plain(operator.inputs[0]), operator.options.beta
    scaled = name if beta == 1 else writer.add("Mul", [name, writer.store(np.array(beta, np.float32))])
    writer.hold(operator.outputs[0], writer.add("Softmax", [scaled], axis=-1))


def _fully_connected(writer: Writer, operator: Operator) -> None:
    weights = writer.constant(operator.inputs[1], "the weights of FULLY_CONNECTED")  # (O, I)
    count = int(np.prod(writer.net.shapes[operator.inputs[0]]))
    if count != weights.shape[1] and not operator.options.keepNumDims:
        raise writer.refuse_batch("FULLY_CONNECTED")
    name = writer.plain(operator.inputs[0])
    if count == weights.shape[1]:
        name = writer.add("Reshape", [name, writer.whole([-1, count])])
    found = writer.add("MatMul", [name, writer.store(weights.T.astype(np.float32))])
    if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
        found = writer.add("Add", [found, writer.store(writer.constant(operator.inputs[2], "a bias").astype(np.float32))])
    found = writer.activated(found, operator.options.fusedActivationFunction)
    shape = writer.net.shapes[operator.outputs[0]]
    if count == weights.shape[1] and len(shape) > weights.ndim:
        found = writer.add("Reshape", [found, writer.whole([-1, *shape[1:]])])
    writer.hold(operator.outputs[0], found)


def _reshape(writer: Writer, operator: Operator) -> None:
    old, new = writer.net.shapes[operator.inputs[0]], writer.net.shapes[operator.outputs[0]]
    if not old or not new or old[0] != 1 or new[0] != 1:
        raise writer.refuse_batch(operator.name)
    writer.hold(operator.outputs[0], writer.add("Reshape", [writer.plain(operator.inputs[0]), writer.whole([-1, *new[1:]])]))


def _concatenation(writer: Writer, operator: Operator) -> None:
    axis = _axis(writer, operator, operator.options.axis, len(writer.net.shapes[operator.outputs[0]]))
    turned = len(writer.net.shapes[operator.outputs[0]]) == _PICTURE and all(writer.is_first(i) for i in operator.inputs)
    place = (0, 2, 3, 1)[axis] if turned else axis
    names = [writer.first(i) if turned else writer.plain(i) for i in operator.inputs]
    found = writer.activated(writer.add("Concat", names, axis=place), operator.options.fusedActivationFunction)
    writer.hold(operator.outputs[0], found, FIRST if turned else LAST)


def _packed(writer: Writer, operator: Operator) -> None:
    axis = _axis(writer, operator, operator.options.axis, len(writer.net.shapes[operator.outputs[0]]))
    names = [writer.add("Unsqueeze", [writer.plain(i), writer.whole([axis])]) for i in operator.inputs]
    writer.hold(operator.outputs[0], writer.add("Concat", names, axis=axis))


def _axis(writer: Writer, operator: Operator, axis: int, rank: int) -> int:
    """Return an axis counted from the front; refuse the batch axis."""
    found = axis % rank
    if found == 0:
        raise writer.refuse_batch(operator.name)
    return found


def _pad(writer: Writer, operator: Operator) -> None:
    sides = np.array(writer.net.values(operator.inputs[1], "padding")).reshape(-1, 2)
    if sides[0].any():
        raise writer.refuse_batch(operator.name)
    turned = writer.is_first(operator.inputs[0])
    order = sides[[0, 3, 1, 2]] if turned else sides
    fill = writer.constant(operator.inputs[2], "the padding's value") if len(operator.inputs) > 2 else np.zeros(1)
    name = writer.first(operator.inputs[0]) if turned else writer.plain(operator.inputs[0])
    value = writer.store(np.array(fill.ravel()[0], np.float32))
    found = writer.add("Pad", [name, writer.whole(order.T.ravel().tolist()), value])
    writer.hold(operator.outputs[0], found, FIRST if turned else LAST)


def _mirror(writer: Writer, operator: Operator) -> None:
    sides = np.array(writer.net.values(operator.inputs[1], "padding")).reshape(-1, 2)
    if sides[0].any() or operator.options.mode != 0:  # the other mode repeats the edge's own value, which ONNX has not
        raise writer.refuse_batch("MIRROR_PAD (SYMMETRIC, or of samples)")
    name = writer.plain(operator.inputs[0])
    writer.hold(operator.outputs[0], writer.add("Pad", [name, writer.whole(sides.T.ravel().tolist())], mode="reflect"))


def _reduced(writer: Writer, operator: Operator, kind: str) -> None:
    rank = len(writer.net.shapes[operator.inputs[0]])
    axes = [_axis(writer, operator, axis, rank) for axis in writer.net.values(operator.inputs[1], "axes")]
    keep = int(bool(operator.options.keepDims))
    writer.hold(operator.outputs[0], writer.add(kind, [writer.plain(operator.inputs[0]), writer.whole(axes)], keepdims=keep))


def _transpose(writer: Writer, operator: Operator) -> None:
    order = writer.net.values(operator.inputs[1], "an order of axes")
    if order[0] != 0:
        raise writer.refuse_batch("TRANSPOSE")
    writer.hold(operator.outputs[0], writer.add("Transpose", [writer.plain(operator.inputs[0])], perm=order))


def _strided_slice(writer: Writer, operator: Operator) -> None:
    shape, options = writer.net.shapes[operator.inputs[0]], operator.options
    begin, end, steps = (writer.net.values(i, "the bounds of a slice") for i in operator.inputs[1:4])
    if options.ellipsisMask or options.newAxisMask or any(step < 1 for step in steps):
        raise writer.refuse_batch("STRIDED_SLICE with new axes or backwards")
    starts, ends = [], []
    for axis, size in enumerate(shape[: len(begin)]):
        first = 0 if options.beginMask >> axis & 1 else min(max(begin[axis] + (size if begin[axis] < 0 else 0), 0), size)
        last = size if options.endMask >> axis & 1 else min(max(end[axis] + (size if end[axis] < 0 else 0), 0), size)
        starts.append(first)
        ends.append(first + 1 if options.shrinkAxisMask >> axis & 1 else last)
    if (starts[0], ends[0], steps[0]) != (0, 1, 1) or options.shrinkAxisMask & 1:
        raise writer.refuse_batch("STRIDED_SLICE")
    _sliced(writer, operator, starts, ends, steps)


def _slice(writer: Writer, operator: Operator) -> None:
    shape = writer.net.shapes[operator.inputs[0]]
    begin, sizes = (writer.net.values(i, "the bounds of a slice") for i in operator.inputs[1:3])
    ends = [side if size < 0 else first + size for first, size, side in zip(begin, sizes, shape, strict=True)]
    if (begin[0], ends[0]) != (0, 1):
        raise writer.refuse_batch("SLICE")
    _sliced(writer, operator, begin, ends, [1] * len(begin))


def _sliced(writer: Writer, operator: Operator, starts: list[int], ends: list[int], steps: list[int]) -> None:
    axes = range(1, len(starts))
    bounds = [writer.whole(numbers) for numbers in (starts[1:], ends[1:], list(axes), steps[1:])]
    found = writer.add("Slice", [writer.plain(operator.inputs[0]), *bounds])
    shape = writer.net.shapes[operator.outputs[0]]
    if len(shape) != len(writer.net.shapes[operator.inputs[0]]):
        found = writer.add("Reshape", [found, writer.whole([-1, *shape[1:]])])
    writer.hold(operator.outputs[0], found)


_EACH = {
    **{"LOGISTIC": "Sigmoid", "TANH": "Tanh", "HARD_SWISH": "HardSwish", "ELU": "Elu", "EXP": "Exp", "LOG": "Log", "SQRT": "Sqrt"},
    **{"ABS": "Abs", "NEG": "Neg", "SIN": "Sin", "COS": "Cos", "FLOOR": "Floor", "CEIL": "Ceil"},
}
_PAIRS = {"ADD": "Add", "SUB": "Sub", "MUL": "Mul", "DIV": "Div", "MAXIMUM": "Max", "MINIMUM": "Min", "POW": "Pow"}
_COMPARED = {"EQUAL": "Equal", "GREATER": "Greater", "GREATER_EQUAL": "GreaterOrEqual", "LESS": "Less", "LESS_EQUAL": "LessOrEqual"}
_REDUCED = {"MEAN": "ReduceMean", "SUM": "ReduceSum", "REDUCE_MAX": "ReduceMax", "REDUCE_MIN": "ReduceMin"}
EMITTERS: Mapping[str, _Emit] = {
    **{name: partial(_each, kind=kind) for name, kind in _EACH.items()},
    **{name: partial(_pair, kind=kind) for name, kind in {**_PAIRS, **_COMPARED}.items()},
    **{name: partial(_reduced, kind=kind) for name, kind in _REDUCED.items()},
    "RELU": _limited(0.0, None),
    "RELU6": _limited(0.0, 6.0),
    "RELU_N1_TO_1": _limited(-1.0, 1.0),
    "PRELU": _prelu,
    "LEAKY_RELU": _leaky,
    "RSQRT": _rsqrt,
    "SQUARE": _squared,
    "SELECT_V2": _chosen,
    "SQUARED_DIFFERENCE": _square_of_difference,
    "SOFTMAX": _softmax,
    "FULLY_CONNECTED": _fully_connected,
    "RESHAPE": _reshape,
    "SQUEEZE": _reshape,
    "EXPAND_DIMS": _reshape,
    "CONCATENATION": _concatenation,
    "PACK": _packed,
    "PAD": _pad,
    "PADV2": _pad,
    "MIRROR_PAD": _mirror,
    "TRANSPOSE": _transpose,
    "STRIDED_SLICE": _strided_slice,
    "SLICE": _slice,
}
