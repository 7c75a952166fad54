"""Operators on pictures, from TFLite to ONNX: convolutions, pooling, resizing, and what moves channels into the plane."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from edge.errors import ConversionError
from export.tflite_graph import REMEDY, Operator
from export.tflite_writer import FIRST, Writer

_SAME = 0  # the code of padding that keeps the size; the other one is without


def pads(size: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int], padding: int) -> list[int]:
    """Return ONNX's padding (top, left, bottom, right); where it is uneven, the larger part goes below and to the right."""
    if padding != _SAME:
        return [0, 0, 0, 0]
    before, after = [], []
    for length, extent, stride, dilation in zip(size, kernel, strides, dilations, strict=True):
        total = max((-(-length // stride) - 1) * stride + (extent - 1) * dilation + 1 - length, 0)
        before.append(total // 2)
        after.append(total - total // 2)
    return [*before, *after]


def _conv(writer: Writer, operator: Operator) -> None:
    options, weights = operator.options, writer.constant(operator.inputs[1], "the kernel of a convolution")  # (O, h, w, I)
    channels = writer.net.shapes[operator.inputs[0]][3]
    _convolve(writer, operator, weights.transpose(0, 3, 1, 2), channels // weights.shape[3], options)


def _depthwise(writer: Writer, operator: Operator) -> None:
    weights = writer.constant(operator.inputs[1], "the kernel of a convolution")  # (1, h, w, O)
    _convolve(writer, operator, weights.transpose(3, 0, 1, 2), writer.net.shapes[operator.inputs[0]][3], operator.options)


def _convolve(writer: Writer, operator: Operator, kernel: Any, groups: int, options: Any) -> None:
    strides, dilations = (options.strideH, options.strideW), (options.dilationHFactor, options.dilationWFactor)
    size = writer.net.shapes[operator.inputs[0]][1:3]
    inputs = [writer.first(operator.inputs[0]), writer.store(kernel.astype(np.float32))]
    if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
        inputs.append(writer.store(writer.constant(operator.inputs[2], "the bias of a convolution").astype(np.float32)))
    found = writer.add(
        "Conv",
        inputs,
        kernel_shape=kernel.shape[2:],
        strides=strides,
        dilations=dilations,
        group=groups,
        pads=pads(size, kernel.shape[2:], strides, dilations, options.padding),
    )
    writer.hold(operator.outputs[0], writer.activated(found, options.fusedActivationFunction), FIRST)


def _transposed(writer: Writer, operator: Operator) -> None:
    options, kernel = operator.options, writer.constant(operator.inputs[1], "the kernel of a convolution")  # (O, h, w, I)
    strides, before, after = (options.strideH, options.strideW), [], []
    small_side, large_side = writer.net.shapes[operator.inputs[2]][1:3], writer.net.shapes[operator.outputs[0]][1:3]
    for small, large, extent, stride in zip(small_side, large_side, kernel.shape[1:3], strides, strict=True):
        total = (small - 1) * stride + extent - large
        if total < 0:
            raise ConversionError(
                f"{writer.net.title}: TRANSPOSE_CONV gives more than its kernel reaches, which is not converted; {REMEDY}"
            )
        before.append(total // 2)
        after.append(total - total // 2)
    inputs = [writer.first(operator.inputs[2]), writer.store(kernel.transpose(3, 0, 1, 2).astype(np.float32))]
    if len(operator.inputs) > 3 and operator.inputs[3] >= 0:
        inputs.append(writer.store(writer.constant(operator.inputs[3], "the bias of a convolution").ravel().astype(np.float32)))
    found = writer.add("ConvTranspose", inputs, kernel_shape=kernel.shape[1:3], strides=strides, pads=[*before, *after])
    writer.hold(operator.outputs[0], writer.activated(found, options.fusedActivationFunction), FIRST)


def _pool(kind: str, **attributes: Any) -> Callable[[Writer, Operator], None]:
    def emit(writer: Writer, operator: Operator) -> None:
        """Write the operator's counterpart."""
        options, size = operator.options, writer.net.shapes[operator.inputs[0]][1:3]
        kernel, strides = (options.filterHeight, options.filterWidth), (options.strideH, options.strideW)
        around = pads(size, kernel, strides, (1, 1), options.padding)
        found = writer.add(kind, [writer.first(operator.inputs[0])], kernel_shape=kernel, strides=strides, pads=around, **attributes)
        writer.hold(operator.outputs[0], writer.activated(found, options.fusedActivationFunction), FIRST)

    return emit


def _resize(mode: str) -> Callable[[Writer, Operator], None]:
    def emit(writer: Writer, operator: Operator) -> None:
        """Write the operator's counterpart."""
        options = operator.options
        centred = "half_pixel" if options.halfPixelCenters else "asymmetric"
        nearest = "round_prefer_ceil" if options.alignCorners else "floor"
        found = writer.add(
            "Resize",
            [writer.first(operator.inputs[0]), "", writer.store(_scales(writer, operator))],
            mode=mode,
            coordinate_transformation_mode="align_corners" if options.alignCorners else centred,
            **({"nearest_mode": nearest} if mode == "nearest" else {}),
        )
        writer.hold(operator.outputs[0], found, FIRST)

    return emit


def _scales(writer: Writer, operator: Operator) -> Any:
    """Return (4,) float32: how much larger each axis becomes, never so little too small that the last row would be lost."""
    shapes = writer.net.shapes
    sides = zip(shapes[operator.inputs[0]][1:3], shapes[operator.outputs[0]][1:3], strict=True)
    found = [(old, new, np.float32(new / old)) for old, new in sides]
    whole = [scale if int(np.float32(old) * scale) >= new else np.nextafter(scale, np.float32(np.inf)) for old, new, scale in found]
    return np.array([1, 1, *whole], np.float32)


def _regrouped(kind: str) -> Callable[[Writer, Operator], None]:
    def emit(writer: Writer, operator: Operator) -> None:
        """Write the operator's counterpart."""
        writer.hold(operator.outputs[0], writer.add(kind, [writer.first(operator.inputs[0])], blocksize=operator.options.blockSize), FIRST)

    return emit


EMITTERS: Mapping[str, Callable[[Writer, Operator], None]] = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "TRANSPOSE_CONV": _transposed,
    "MAX_POOL_2D": _pool("MaxPool"),
    "AVERAGE_POOL_2D": _pool("AveragePool", count_include_pad=0),
    "RESIZE_BILINEAR": _resize("linear"),
    "RESIZE_NEAREST_NEIGHBOR": _resize("nearest"),
    "DEPTH_TO_SPACE": _regrouped("DepthToSpace"),
    "SPACE_TO_DEPTH": _regrouped("SpaceToDepth"),
}
