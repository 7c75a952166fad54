"""Two models to serve, as ONNX: a small convolutional network of about 50 µs, and MobileNetV2 at 224×224 of about 10 ms.

Weights are drawn from a seed: speed does not depend on what they say, and nothing has to be fetched or trained. Batch
normalisation is folded into the convolutions, as an exporter leaves it.

Source: Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks", table 2.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = np.ndarray[Any, Any]
OPSET, IR = 17, 8
# Expansion, channels, repeats and first stride of each stage.
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


class Builder:
    """Nodes and weights in the order in which they are added; every method takes and gives the name of a value."""

    def __init__(self, seed: int) -> None:
        self.nodes: list[Any] = []
        self.weights: dict[str, Array] = {}
        self._draw = np.random.default_rng(seed)

    def node(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add one operator."""
        output = output or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, values: Array) -> str:
        """Add weights."""
        name = f"w{len(self.weights)}"
        self.weights[name] = values
        return name

    def drawn(self, *shape: int, gain: float = 2.0) -> str:
        """Add random weights of a scale that keeps the values' size from layer to layer (He et al. 2015)."""
        scale = (gain / np.prod(shape[1:])) ** 0.5
        return self.constant((self._draw.normal(size=shape) * scale).astype(np.float32))

    def convolution(self, value: str, inputs: int, outputs: int, kernel: int, stride: int, *, groups: int = 1, gain: float = 2.0) -> str:
        """Add a convolution with bias and `same` padding."""
        weights = self.drawn(outputs, inputs // groups, kernel, kernel, gain=gain)
        bias = self.constant((self._draw.normal(size=outputs) * 0.1).astype(np.float32))
        edge = kernel // 2
        return self.node("Conv", value, weights, bias, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[edge] * 4, group=groups)

    def relu6(self, value: str) -> str:
        """Clip to 0–6."""
        if "zero" not in self.weights:
            self.weights |= {"zero": np.array(0, np.float32), "six": np.array(6, np.float32)}
        return self.node("Clip", value, "zero", "six")

    def linear(self, value: str, inputs: int, outputs: int, output: str) -> str:
        """Add a dense layer."""
        return self.node("Gemm", value, self.drawn(inputs, outputs), self.constant(np.zeros(outputs, np.float32)), output=output)

    def model(self, name: str, shape: tuple[int, ...], outputs: int) -> onnx.ModelProto:
        """Close the graph: from `image`, uint8, to `logits`."""
        image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", *shape])
        logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", outputs])
        weights = [numpy_helper.from_array(np.asarray(array), key) for key, array in self.weights.items()]
        graph = helper.make_graph(self.nodes, name, [image], [logits], weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
        onnx.checker.check_model(model)
        return model


def small() -> onnx.ModelProto:
    """Build a classifier of 28×28 grey pictures: two convolutions and a dense layer."""
    build = Builder(1)
    value = build.node("Cast", "image", to=TensorProto.FLOAT)
    value = build.node("Mul", value, build.constant(np.array(1 / 255, np.float32)))
    value = build.node("Reshape", value, build.constant(np.array([-1, 1, 28, 28])))  # one channel: NHWC and NCHW are the same bytes
    value = build.node("Relu", build.convolution(value, 1, 36, 3, 2))
    value = build.node("Relu", build.convolution(value, 36, 64, 3, 2))
    value = build.node("Flatten", value)
    build.linear(value, 64 * 7 * 7, 10, "logits")
    return build.model("small", (28, 28, 1), 10)


def mobilenet() -> onnx.ModelProto:
    """Build MobileNetV2, width 1.0, 1000 classes; pixels come as uint8 NHWC and are normalised inside."""
    build = Builder(2)
    value = build.node("Cast", "image", to=TensorProto.FLOAT)
    value = build.node("Transpose", value, perm=[0, 3, 1, 2])
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    scale, shift = 1 / (255 * deviation), -mean / deviation
    value = build.node("Mul", value, build.constant(scale.astype(np.float32).reshape(3, 1, 1)))
    value = build.node("Add", value, build.constant(shift.astype(np.float32).reshape(3, 1, 1)))
    value, channels = build.relu6(build.convolution(value, 3, 32, 3, 2)), 32
    for expansion, outputs, repeats, stride in STAGES:
        for i in range(repeats):
            value, channels = _block(build, value, channels, outputs, expansion, stride if i == 0 else 1), outputs
    value = build.relu6(build.convolution(value, channels, 1280, 1, 1))
    value = build.node("Flatten", build.node("GlobalAveragePool", value))
    build.linear(value, 1280, 1000, "logits")
    return build.model("mobilenet", (224, 224, 3), 1000)


def _block(build: Builder, value: str, inputs: int, outputs: int, expansion: int, stride: int) -> str:
    """Add an inverted residual: widen, filter each channel, narrow, and add what came in where the shapes allow it."""
    inner = value
    hidden = inputs * expansion
    if expansion > 1:
        inner = build.relu6(build.convolution(inner, inputs, hidden, 1, 1))
    inner = build.relu6(build.convolution(inner, hidden, hidden, 3, stride, groups=hidden))
    inner = build.convolution(inner, hidden, outputs, 1, 1, gain=1.0)
    return build.node("Add", value, inner) if stride == 1 and inputs == outputs else inner
