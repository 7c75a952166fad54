"""TFLite to ONNX, operator by operator on files made by hand: both runtimes must answer alike, alone and in a batch of three."""

import numpy as np
import onnxruntime
import pytest
from ai_edge_litert import schema_py_generated as schema

from edge.errors import ConversionError
from export.tflite_graph import read
from export.tflite_layers import pads
from export.tflite_to_onnx import EMITTERS, convert
from export.to_tflite import plain_interpreter
from tests.export_tests.made_tflite import Made

RANDOM = np.random.default_rng(11)
SAME, VALID = schema.Padding.SAME, schema.Padding.VALID
ACTIVATION = schema.ActivationFunctionType
PICTURE = (1, 7, 6, 4)


def weights(*shape):
    return RANDOM.normal(0, 0.5, shape).astype(np.float32)


def answers(path):
    """What the file and its ONNX twin answer to the same three samples, by output."""
    net = read(path)
    names = {number: f"in{i}" for i, number in enumerate(net.inputs)}, {number: f"out{i}" for i, number in enumerate(net.outputs)}
    model = convert(net, *names, {name: "float32" for side in names for name in side.values()})
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    rows = {
        name: np.random.default_rng(3).normal(0, 2, (3, *net.shapes[number][1:])).astype(np.float32) for number, name in names[0].items()
    }
    interpreter = plain_interpreter(path)
    expected = []
    for i in range(3):
        for detail, row in zip(interpreter.get_input_details(), rows.values(), strict=True):
            interpreter.set_tensor(detail["index"], row[i : i + 1])
        interpreter.invoke()
        expected.append([interpreter.get_tensor(detail["index"])[0].copy() for detail in interpreter.get_output_details()])
    return session.run(None, rows), [np.stack(part) for part in zip(*expected, strict=True)]


def assert_answers_alike(path):
    """Hold both against one another; what a file answers must not be the same for all samples, or nothing is proved."""
    for got, expected in zip(*answers(path), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=2e-5)
        assert expected.std() > 0


def conv(padding=SAME, stride=1, dilation=1, act=ACTIVATION.NONE, inputs=4, kernel=(3, 2)):
    def build(made, x):
        out = [
            -(-(side if padding == SAME else side - (extent - 1) * dilation) // stride) for side, extent in zip((7, 6), kernel, strict=True)
        ]
        tensors = [x, made.constant(weights(5, *kernel, inputs)[: 4 if inputs < 4 else 5]), made.constant(weights(4 if inputs < 4 else 5))]
        channels = 4 if inputs < 4 else 5
        options = {"padding": padding, "strideH": stride, "strideW": stride, "fusedActivationFunction": act}
        factors = {"dilationHFactor": dilation, "dilationWFactor": dilation}
        return made.add("CONV_2D", tensors, (1, *out, channels), "Conv2DOptions", **options, **factors)

    return build


def depthwise(padding, stride, multiplier):
    def build(made, x):
        out = [-(-(side if padding == SAME else side - 2) // stride) for side in (7, 6)]
        tensors = [x, made.constant(weights(1, 3, 3, 4 * multiplier)), made.constant(weights(4 * multiplier))]
        options = {"padding": padding, "strideH": stride, "strideW": stride, "depthMultiplier": multiplier}
        return made.add("DEPTHWISE_CONV_2D", tensors, (1, *out, 4 * multiplier), "DepthwiseConv2DOptions", **options)

    return build


def transposed(padding, stride, size):
    def build(made, x):
        tensors = [made.constant(np.array([1, *size, 3], np.int32)), made.constant(weights(3, 3, 3, 4)), x]
        return made.add("TRANSPOSE_CONV", tensors, (1, *size, 3), "TransposeConvOptions", padding=padding, strideH=stride, strideW=stride)

    return build


def pool(name, padding):
    def build(made, x):
        out = (4, 3) if padding == SAME else (3, 2)
        options = {"padding": padding, "strideH": 2, "strideW": 2, "filterHeight": 3, "filterWidth": 3}
        return made.add(name, [x], (1, *out, 4), "Pool2DOptions", **options)

    return build


def resized(name, kind, size=(10, 9), **options):
    return lambda made, x: made.add(name, [x, made.constant(np.array(size, np.int32))], (1, *size, 4), kind, version=3, **options)


def each(name, kind=None, **options):
    return lambda made, x: made.add(name, [x], PICTURE, kind, **options)


def positive(name):
    return lambda made, x: made.add(name, [made.add("EXP", [x], PICTURE, "ExpOptions")], PICTURE)


def pair(name, kind, other=(1, 1, 1, 4), **options):
    return lambda made, x: made.add(name, [x, made.constant(np.abs(weights(*other)) + 0.5)], PICTURE, kind, **options)


def changed(name, shape, kind=None, *extra, **options):
    return lambda made, x: made.add(name, [x, *(made.constant(np.array(value, np.int32)) for value in extra)], shape, kind, **options)


def joined(made, x):
    other = made.add("NEG", [x], PICTURE, "NegOptions")
    return made.add("CONCATENATION", [x, other], (1, 7, 6, 8), "ConcatenationOptions", axis=-1)


def dense(made, x):
    tensors = [x, made.constant(weights(9, 168)), made.constant(weights(9))]
    return made.add("FULLY_CONNECTED", tensors, (1, 9), "FullyConnectedOptions", fusedActivationFunction=ACTIVATION.RELU)


def dense_kept(made, x):
    return made.add(
        "FULLY_CONNECTED", [x, made.constant(weights(3, 4)), -1], (1, 7, 6, 3), "FullyConnectedOptions", keepNumDims=True, version=6
    )


def widened(made, x):
    """Half-precision weights, as published files have them."""
    half = made.constant(weights(5, 1, 1, 4), "float16")
    kernel = made.add("DEQUANTIZE", [half], (5, 1, 1, 4), version=3)
    return made.add("CONV_2D", [x, kernel, made.constant(weights(5))], (1, 7, 6, 5), "Conv2DOptions", strideH=1, strideW=1)


def chosen(made, x):
    other = made.add("NEG", [x], PICTURE, "NegOptions")
    larger = made.add("GREATER", [x, other], PICTURE, "GreaterOptions", dtype="bool")
    return made.add("SELECT_V2", [larger, x, other], PICTURE, "SelectV2Options")


def reshaped(made, x):
    """The batch is read off the picture and packed into a shape, as exporters write it where the batch was open."""
    shape = made.add("SHAPE", [x], (4,), "ShapeOptions", dtype="int32", outType=schema.TensorType.INT32)
    bounds = [made.constant(np.array([value], np.int32)) for value in (0, 1, 1)]
    batch = made.add("STRIDED_SLICE", [shape, *bounds], (), "StridedSliceOptions", dtype="int32", shrinkAxisMask=1)
    parts = [batch, made.constant(np.array(42, np.int32)), made.constant(np.array(4, np.int32))]
    packed = made.add("PACK", parts, (3,), "PackOptions", dtype="int32", valuesCount=3, axis=0)
    return made.add("RESHAPE", [x, packed], (1, 42, 4), "ReshapeOptions")


SLICE = {"beginMask": 1, "endMask": 1, "ellipsisMask": 0, "newAxisMask": 0, "shrinkAxisMask": 0}
CASES = {
    "conv same": conv(),
    "conv same of stride 2, which is uneven": conv(stride=2),
    "conv valid": conv(VALID),
    "conv dilated": conv(dilation=2),
    "conv with ReLU": conv(act=ACTIVATION.RELU),
    "conv with ReLU6": conv(act=ACTIVATION.RELU6),
    "conv with ReLU between -1 and 1": conv(act=ACTIVATION.RELU_N1_TO_1),
    "half-precision weights": widened,
    "depthwise same": depthwise(SAME, 1, 1),
    "depthwise of stride 2": depthwise(SAME, 2, 1),
    "depthwise valid, twice the channels": depthwise(VALID, 1, 2),
    "transposed conv same": transposed(SAME, 2, (14, 12)),
    "transposed conv valid": transposed(VALID, 2, (15, 13)),
    "largest of a window": pool("MAX_POOL_2D", SAME),
    "mean of a window, without the padding": pool("AVERAGE_POOL_2D", SAME),
    "mean of a window, valid": pool("AVERAGE_POOL_2D", VALID),
    "bilinear": resized("RESIZE_BILINEAR", "ResizeBilinearOptions"),
    "bilinear, centred": resized("RESIZE_BILINEAR", "ResizeBilinearOptions", halfPixelCenters=True),
    "bilinear, corners": resized("RESIZE_BILINEAR", "ResizeBilinearOptions", alignCorners=True),
    "nearest": resized("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions", (14, 12)),
    "depth to space": lambda made, x: made.add("DEPTH_TO_SPACE", [x], (1, 14, 12, 1), "DepthToSpaceOptions", blockSize=2),
    "add a channel's number": pair("ADD", "AddOptions"),
    "add a row of numbers": pair("ADD", "AddOptions", (4,), fusedActivationFunction=ACTIVATION.RELU),
    "subtract": pair("SUB", "SubOptions"),
    "multiply": pair("MUL", "MulOptions", ()),
    "divide": pair("DIV", "DivOptions"),
    "larger of two": pair("MAXIMUM", "MaximumMinimumOptions"),
    "smaller of two": pair("MINIMUM", "MaximumMinimumOptions"),
    "squared difference": pair("SQUARED_DIFFERENCE", "SquaredDifferenceOptions"),
    "the larger of two, by a condition": chosen,
    "reshape by a shape that is computed": reshaped,
    "pack": lambda made, x: made.add("PACK", [x, x], (1, 7, 2, 6, 4), "PackOptions", valuesCount=2, axis=2),
    "prelu": lambda made, x: made.add("PRELU", [x, made.constant(weights(1, 1, 4))], PICTURE),
    "relu": each("RELU"),
    "relu6": each("RELU6"),
    "relu between -1 and 1": each("RELU_N1_TO_1"),
    "leaky relu": each("LEAKY_RELU", "LeakyReluOptions", alpha=0.2),
    "elu": each("ELU"),
    "hard swish": each("HARD_SWISH", "HardSwishOptions"),
    "logistic": each("LOGISTIC"),
    "tanh": each("TANH"),
    "softmax": each("SOFTMAX", "SoftmaxOptions", beta=1.0),
    "softmax, sharper": each("SOFTMAX", "SoftmaxOptions", beta=2.0),
    "absolute": each("ABS"),
    "floor": each("FLOOR"),
    "sine": each("SIN"),
    "cosine": each("COS", "CosOptions"),
    "square": each("SQUARE", "SquareOptions"),
    "root": positive("SQRT"),
    "one over the root": positive("RSQRT"),
    "logarithm": positive("LOG"),
    "reshape": changed("RESHAPE", (1, 84, 2), "ReshapeOptions", [1, 84, 2], newShape=[1, 84, 2]),
    "concatenation": joined,
    "dense": dense,
    "dense on the last axis": dense_kept,
    "mean of the picture": changed("MEAN", (1, 4), "ReducerOptions", [1, 2]),
    "mean, axes kept": changed("MEAN", (1, 1, 1, 4), "ReducerOptions", [1, 2], keepDims=True),
    "sum": changed("SUM", (1, 7, 6), "ReducerOptions", [-1]),
    "largest": changed("REDUCE_MAX", (1, 7, 4), "ReducerOptions", [2]),
    "transpose": changed("TRANSPOSE", (1, 4, 7, 6), "TransposeOptions", [0, 3, 1, 2]),
    "pad": changed("PAD", (1, 10, 6, 7), "PadOptions", [[0, 0], [1, 2], [0, 0], [3, 0]]),
    "mirror": changed("MIRROR_PAD", (1, 10, 7, 4), "MirrorPadOptions", [[0, 0], [1, 2], [1, 0], [0, 0]], mode=0),
    "strided slice": changed("STRIDED_SLICE", (1, 3, 4, 4), "StridedSliceOptions", [0, 1, 0, 0], [1, 6, -2, 4], [1, 2, 1, 1], **SLICE),
    "slice": changed("SLICE", (1, 3, 6, 2), "SliceOptions", [0, 2, 0, 1], [1, 3, -1, 2]),
}


@pytest.mark.parametrize("name", CASES)
def test_an_operator_gives_the_same_in_onnx(name, tmp_path):
    made = Made()
    x = made.tensor(PICTURE)
    assert_answers_alike(made.write(tmp_path / "made.tflite", [x], [CASES[name](made, x)]))


@pytest.mark.parametrize(
    "name", ["add a channel's number", "add a row of numbers", "prelu", "relu6", "pad", "concatenation", "softmax", "dense"]
)
def test_it_does_so_behind_a_convolution_too_where_the_channels_come_first(name, tmp_path):
    made = Made()
    x = made.tensor(PICTURE)
    turned = made.add(
        "CONV_2D", [x, made.constant(weights(4, 1, 1, 4)), made.constant(weights(4))], PICTURE, "Conv2DOptions", strideH=1, strideW=1
    )
    assert_answers_alike(made.write(tmp_path / "made.tflite", [x], [CASES[name](made, turned), turned]))


@pytest.mark.parametrize(
    ("build", "said"),
    [
        pytest.param(conv(act=ACTIVATION.TANH), "the activation TANH cannot be converted", id="an activation that runtimes leave out"),
        pytest.param(changed("CUMSUM", PICTURE, "CumsumOptions", [1]), "CUMSUM cannot be converted to ONNX here; release it", id="unknown"),
        pytest.param(changed("MEAN", (7, 6, 4), "ReducerOptions", [0]), "MEAN works across the batch axis", id="mean of samples"),
        pytest.param(changed("TRANSPOSE", (7, 1, 6, 4), "TransposeOptions", [1, 0, 2, 3]), "TRANSPOSE works across", id="batch moved"),
        pytest.param(changed("RESHAPE", (42, 4), "ReshapeOptions", [42, 4], newShape=[42, 4]), "RESHAPE works across", id="batch folded"),
    ],
)
def test_what_has_no_counterpart_is_refused_in_words(build, said, tmp_path):
    made = Made()
    x = made.tensor(PICTURE)
    net = read(made.write(tmp_path / "made.tflite", [x], [build(made, x)]))
    with pytest.raises(ConversionError, match=said):
        convert(net, {x: "x"}, {net.outputs[0]: "y"}, {"x": "float32", "y": "float32"})


def test_a_file_that_computes_with_integers_is_refused_in_words(tmp_path):
    made = Made()
    x = made.tensor((1, 4), "int8", scale=0.1)
    path = made.write(tmp_path / "made.tflite", [x], [made.add("RELU", [x], (1, 4), dtype="int8", scale=0.1)])
    with pytest.raises(ConversionError, match="integers that stand for real numbers"):
        read(path)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("side", [5, 6, 7, 10])
def test_padding_keeps_the_size(stride, side):
    top, left, bottom, right = pads((side, side), (3, 3), (stride, stride), (1, 1), SAME)
    assert (side + top + bottom - 3) // stride + 1 == -(-side // stride)
    assert 0 <= bottom - top <= 1
    assert (top, bottom) == (left, right)


def test_every_emitter_is_an_operator_of_the_format():
    assert set(EMITTERS) <= set(vars(schema.BuiltinOperator))
