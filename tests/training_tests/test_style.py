"""Style transfer: published graphs are walked as they are written, strength goes from photograph to drawing, and names are known."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from edge.errors import InputError
from edge.rows import prepare
from edge.runtimes.published import session as loaded
from edge.steps import options_of, preprocessing
from edge.steps.options import Chosen
from training.data import styled_photographs
from training.models import style_transfer
from training.pretrained.onnx_module import OnnxModule
from training.pretrained.style_nets import Blended, MultiStyle, StyleNorm
from training.pretrained.style_transfer_lite import NAMES, SOURCE

RANDOM = np.random.default_rng(11)


def graph(nodes: list[Any], constants: dict[str, np.ndarray], shape: list[int]) -> bytes:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape if name == "x" else None) for name in ("x", "y")]
    held = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "walked", ends[:1], ends[1:], held), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    content: bytes = model.SerializeToString()
    return content


def quantized() -> bytes:
    """A small network in 8 bits: a mirrored edge, an uneven one, a convolution by channel, a doubling, a mean over the picture."""
    weights = RANDOM.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8)
    constants = {
        **{
            "ends": np.array([0, 1, 1, 0, 0, 1, 1, 0], np.int64),
            "twice": np.array([1, 1, 2, 2], np.float32),
            "none": np.empty(0, np.float32),
        },
        **{"w": weights, "ws": RANDOM.uniform(0.001, 0.004, 4).astype(np.float32), "wz": np.zeros(4, np.int8)},
        **{"b": RANDOM.integers(-500, 500, 4).astype(np.int32), "bs": np.full(4, 1e-4, np.float32), "bz": np.zeros(4, np.int32)},
        **{"s": np.array(1 / 255, np.float32), "z": np.array(-128, np.int8), "s2": np.array(0.02, np.float32), "z2": np.array(3, np.int8)},
        **{"low": np.array(0, np.float32), "high": np.array(6, np.float32), "shape": np.array([1, 4, 1, 1], np.int64)},
    }
    nodes = [
        helper.make_node("Pad", ["x", "ends"], ["edge"], mode="reflect"),
        helper.make_node("QuantizeLinear", ["edge", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("Transpose", ["d"], ["t"], perm=[0, 3, 1, 2]),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wf"], axis=0),
        helper.make_node("DequantizeLinear", ["b", "bs", "bz"], ["bf"], axis=0),
        helper.make_node(
            "Conv", ["t", "wf", "bf"], ["c"], kernel_shape=[3, 3], pads=[0, 0, 1, 1], strides=[2, 2], dilations=[1, 1], group=1
        ),
        helper.make_node("Clip", ["c", "low", "high"], ["clipped"]),
        helper.make_node("QuantizeLinear", ["clipped", "s2", "z2"], ["q2"]),
        helper.make_node("DequantizeLinear", ["q2", "s2", "z2"], ["d2"]),
        helper.make_node(
            "Resize", ["d2", "none", "twice"], ["large"], mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"
        ),
        helper.make_node("GlobalAveragePool", ["large"], ["mean"]),
        helper.make_node("Reshape", ["mean", "shape"], ["column"]),
        helper.make_node("Sub", ["large", "column"], ["centred"]),
        helper.make_node("Mul", ["centred", "centred"], ["squared"]),
        helper.make_node("Add", ["squared", "s2"], ["more"]),
        helper.make_node("Sqrt", ["more"], ["root"]),
        helper.make_node("Reciprocal", ["root"], ["turned"]),
        helper.make_node("Relu", ["turned"], ["kept"]),
        helper.make_node("Sigmoid", ["kept"], ["y"]),
    ]
    return graph(nodes, constants, [1, 8, 8, 3])


def published(content: bytes, x: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"x": row[None]})[0] for row in x])


def test_a_quantized_graph_is_walked_as_it_is_written():
    content, x = quantized(), RANDOM.uniform(0, 1, (3, 8, 8, 3)).astype(np.float32)
    expected = published(content, x)
    with torch.no_grad():
        rounded, plain = (OnnxModule(content, "a test", rounded=kind).eval()(torch.from_numpy(x)).numpy() for kind in (True, False))
    assert np.abs(rounded - expected).max() < 1e-5
    assert 1e-5 < np.abs(plain - expected).max() < 0.05  # what rounding to 8 bits makes of it


def test_what_cannot_be_walked_is_refused_in_words():
    unknown = graph([helper.make_node("Erf", ["x"], ["y"])], {}, [1, 2])
    with pytest.raises(InputError, match="a test: has the operators Erf, which are not known here"):
        OnnxModule(unknown, "a test")
    odd = {"s": np.array(0.1, np.float32), "z": np.array(3, np.uint8)}
    with pytest.raises(InputError, match="something else than 8 signed bits"):
        OnnxModule(graph([helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"])], odd, [1, 2]), "a test")
    with pytest.raises(InputError, match="no ONNX file that can be read"):
        OnnxModule(b"\xff\xff no model", "a test")


def test_strength_goes_from_the_photograph_to_the_drawing():
    torch.manual_seed(1)
    module = Blended(MultiStyle(4)).eval()
    image = torch.randint(0, 256, (2, 16, 12, 3), dtype=torch.uint8)
    style = torch.tensor([[1.0, 0, 0, 0], [0, 0.5, 0.5, 0]])
    with torch.no_grad():
        photograph, half, drawn = (module(image, style, torch.full((2, 1), strength)) for strength in (0.0, 0.5, 1.0))
        alone = module(image[1:], style[1:], torch.ones(1, 1))
    assert torch.equal((photograph * 255).round().to(torch.uint8), image)
    assert torch.allclose(half, (photograph + drawn) / 2, atol=1e-6)
    assert (drawn - photograph).abs().max() > 0.1
    assert torch.allclose(alone, drawn[1:], atol=1e-5)  # what else is in the batch does not matter


def test_a_style_decides_mean_and_deviation_of_each_channel():
    norm, x = StyleNorm(2, 3), torch.randn(2, 3, 9, 7) * 5 + 3
    norm.gamma.data, norm.beta.data = torch.tensor([[1.0, 2, 3], [4, 5, 6]]), torch.tensor([[0.0, -1, 1], [2, 2, 2]])
    with torch.no_grad():
        drawn = norm(x, torch.tensor([[1.0, 0], [0.5, 0.5]]))
    assert torch.allclose(drawn.std((2, 3), correction=0), torch.tensor([[1.0, 2, 3], [2.5, 3.5, 4.5]]), atol=1e-3)
    assert torch.allclose(drawn.mean((2, 3)), torch.tensor([[0.0, -1, 1], [1, 0.5, 1.5]]), atol=1e-3)


def test_weights_of_another_network_are_refused():
    tables = {name.replace("convolution.weight", "w"): value.detach().numpy() for name, value in MultiStyle(3).named_parameters()}
    MultiStyle(3).put_in(tables)
    with pytest.raises(InputError, match=r"norm.gamma is \(3, 32\), expected \(4, 32\)"):
        MultiStyle(4).put_in(tables)
    del tables["res.2.1.w"]
    with pytest.raises(InputError, match=r"res\.2\.1\.w is missing"):
        MultiStyle(3).put_in(tables)


def test_each_style_is_chosen_by_its_name():
    assert len(set(NAMES)) == 26
    contract = style_transfer.RECIPE.contract
    style, strength = options_of(contract)
    assert (style.names, strength.low, strength.high) == (NAMES, 0.0, 1.0)
    pipeline, picture = preprocessing(contract), np.zeros((2, 3, 3), np.uint8)
    for place, name in enumerate(NAMES):
        assert prepare(contract, pipeline, Chosen(picture, {"style": name}))["style"].argmax() == place


@pytest.mark.slow
def test_our_network_draws_as_the_published_one_in_every_style():
    content = SOURCE.read("styles")
    session = loaded(content, "the network of 26 styles")
    module = style_transfer.build_styles().eval()
    pixels = styled_photographs.photographs(["chelsea.png"])["chelsea.png"][100:196, 100:228]
    light = pixels.astype(np.float32).transpose(2, 0, 1)[None] / 255
    for weights in np.eye(26, dtype=np.float32):
        expected = session.run(None, {"image": light, "style_weights": weights})[0][0].transpose(1, 2, 0)
        with torch.no_grad():
            got = module(torch.from_numpy(pixels)[None], torch.from_numpy(weights)[None], torch.ones(1, 1))[0].numpy()
        assert np.abs(got - expected).max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("member", ["predict", "transform"])
def test_every_operator_of_the_8_bit_networks_gives_what_the_published_one_gives(member):
    """Each node is given the file's own values, since one rounding that falls the other way moves all that follows it."""
    content = SOURCE.read(member)
    module = OnnxModule(content, member, rounded=True).eval()
    values = _every_value(content, module)
    with torch.no_grad():
        for node in module.nodes:
            given = [
                value if name == "" else torch.from_numpy(values[name]) if name in values else value for name, value in _given(module, node)
            ]
            if node.kind == "DequantizeLinear":
                continue  # its input is whole numbers in the file, and the same value as its output here
            got = module._eight_bits(node, given) if node.kind == "QuantizeLinear" else _operator(node, given)
            got, expected = (np.nan_to_num(of, posinf=1e9) for of in (got.numpy(), values[node.output]))  # 1 / 0 where 8 bits round to 0
            step = 1e-5 * max(10.0, float(np.abs(expected).max()))
            if node.kind == "QuantizeLinear":
                step = float(given[1]) * 1.001
            assert np.abs(got - expected).max() <= step, node.output
            assert np.mean(np.abs(got - expected) > 1e-3) < 1e-3, node.output


def _given(module: OnnxModule, node: Any) -> list[tuple[str, Any]]:
    return [(name, module._value(name, {})) for name in node.inputs]


def _operator(node: Any, given: list[Any]) -> torch.Tensor:
    from training.pretrained.onnx_module import _OPERATORS

    return _OPERATORS[node.kind](given, node.attributes)


def _every_value(content: bytes, module: OnnxModule) -> dict[str, np.ndarray]:
    """Run a file with all that lies between its operators as outputs; whole numbers as the reals that they stand for."""
    import onnx

    model = onnx.load_from_string(content)
    known = {output.name for output in model.graph.output}
    for node in model.graph.node:
        model.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in node.output if name not in known)
    random, feeds = np.random.default_rng(3), {}
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    for value in session.get_inputs():
        feeds[value.name] = random.uniform(0, 1, value.shape).astype(np.float32)
    names = [value.name for value in session.get_outputs()]
    found = dict(zip(names, session.run(names, feeds), strict=True)) | feeds
    scales = {}
    for node in module.nodes:
        if node.kind == "QuantizeLinear":
            scales[node.output] = (float(module._value(node.inputs[1], {})), node.attributes["fixed"][0])
        elif node.kind in ("Reshape", "Transpose") and node.inputs[0] in scales:
            scales[node.output] = scales[node.inputs[0]]
    return {
        name: array if array.dtype == np.float32 else ((array.astype(np.float64) - scales[name][1]) * scales[name][0]).astype(np.float32)
        for name, array in found.items()
        if array.dtype == np.float32 or name in scales
    }
