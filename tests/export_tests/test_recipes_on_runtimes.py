"""Every recipe made for real and run on every runtime that takes it: a small net with what quantizers stumble over."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from torch import nn

from edge import contract, variants
from edge.contract import Contract, Graph, Metric, Tensor
from edge.errors import ConversionError
from edge.storage import save_npz, write_sums
from export.build import Builder
from export.candidate import Candidate, Plan
from export.gate import verdict
from export.handover import open_handover
from export.parity import interpreters, prepare, runtimes_of
from export.progress import Progress
from export.recipes import TABLE
from export.sandbox import Sandbox

N, CLASSES = 48, 4


class Net(nn.Module):
    """Convolution, depthwise and transposed convolution, normalisation and attention on 12 × 12 pixels."""

    def __init__(self):
        super().__init__()
        self.conv, self.depthwise = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.up, self.norm = nn.ConvTranspose2d(8, 6, 2, stride=2), nn.LayerNorm(6)
        self.qkv, self.wide, self.head = nn.Linear(6, 18), nn.Linear(36 * 6, 128), nn.Linear(128, CLASSES)

    def forward(self, pixels):
        x = pixels.permute(0, 3, 1, 2).float() / 255  # (B, 1, 12, 12)
        x = torch.relu(self.depthwise(torch.relu(self.conv(x))))
        x = self.up(nn.functional.max_pool2d(x, 4))  # (B, 6, 6, 6)
        t = self.norm(x.flatten(2).transpose(1, 2))  # (B, 36, 6)
        q, k, v = self.qkv(t).chunk(3, -1)
        t = t + torch.softmax(q @ k.transpose(1, 2) / 6**0.5, -1) @ v
        return 10 * self.head(torch.relu(self.wide(t.flatten(1))))


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    """A hand-over of the untrained net; the right answers are its own."""
    folder = tmp_path_factory.mktemp("net") / "1.0.0"
    folder.mkdir()
    torch.manual_seed(3)
    module = Net().eval()
    images = np.random.default_rng(3).integers(0, 256, (N + 24, 12, 12, 1), dtype=np.uint8)
    with torch.no_grad():
        answers = module(torch.from_numpy(images)).numpy()
    batch = torch.export.Dim("batch", min=1, max=4096)
    torch.export.save(torch.export.export(module, (torch.from_numpy(images[:2]),), dynamic_shapes=({0: batch},)), folder / "program.pt2")
    image = Tensor("image", "uint8", ("batch", 12, 12, 1), "NHWC", (0.0, 255.0))
    promise = Contract(
        schema=contract.SCHEMA,
        name="net",
        version="1.0.0",
        task="image-classification",
        graphs=(Graph("main", (image,), (Tensor("logits", "float32", ("batch", CLASSES), "NC"),)),),
        metric=Metric("accuracy", "higher", None),
        labels=tuple("abcd"),
    )
    (folder / "contract.json").write_text(promise.dumps())
    save_npz(folder / "calibration.npz", {"input/image": images[N : N + 16]})
    save_npz(folder / "eval.npz", {"input/image": images[:N], "target": answers[:N].argmax(axis=1)})
    golden = images[-8:]
    save_npz(folder / "golden.npz", {"input/image": golden, "output/logits": answers[-8:]})
    write_sums(folder, ["program.pt2", "contract.json", "calibration.npz", "eval.npz", "golden.npz"])
    return open_handover(folder)


@pytest.fixture(scope="module")
def builder(net, tmp_path_factory):
    folder = tmp_path_factory.mktemp("work")
    return Builder(net, Sandbox(folder, folder / "logs", 120), interpreters(), Progress("test", 30))


@pytest.fixture(scope="module")
def bench(builder):
    return prepare(builder.handover, builder.sandbox)


@pytest.fixture(scope="module")
def made(builder):
    """Every recipe's file, by key."""
    files = {}
    for format in ("onnx", "tflite"):
        plans = [Plan(r.format, r.name, r.suits) for r in TABLE if r.format == format]
        files |= {f"{format}:{c.plan.recipe}": c for c in builder.make(format, plans)[0]}
    return files


# The largest difference that each recipe may make, as a share of the largest answer; int8 attention costs most.
BOUNDS = {
    "onnx:fp32": 1e-5, "onnx:fp16": 0.01, "onnx:int8": 0.4,
    "tflite:as_given": 1e-5, "tflite:fp32": 1e-5, "tflite:fp16": 0.01, "tflite:dynamic_wi8_afp32": 0.05, "tflite:static_wi8_ai8": 0.4,
    "tflite:dynamic_wi8_afp32_per_tensor": 0.05,
    "tflite:static_wi8_ai16": 0.05, "tflite:weight_only_wi8_afp32": 0.03, "tflite:mixed_wi8_ai8": 0.1,
}  # fmt: skip
REFUSED = {
    ("tflite:dynamic_wi8_afp32", "tflite-runtime"): "TRANSPOSE_CONV",
    ("tflite:dynamic_wi8_afp32_per_tensor", "tflite-runtime"): "TRANSPOSE_CONV",
    ("tflite:static_wi8_ai16", "tflite-runtime"): "INT16 is unsupported by op Rsqrt",
}


@pytest.mark.parametrize("recipe", TABLE, ids=lambda recipe: recipe.key)
def test_every_recipe_runs_on_every_runtime_that_takes_it(made, builder, bench, recipe):
    candidate = made[recipe.key]
    largest = np.abs(bench.reference["logits"]).max()
    for runtime in runtimes_of(candidate, builder.at_hand):
        tried = builder.attempt(candidate, runtime, bench)
        if (recipe.key, runtime) in REFUSED:
            assert REFUSED[recipe.key, runtime] in tried.refused[runtime]
            assert tried.trials == ()
        else:
            (trial,) = tried.trials
            assert trial.difference["logits"] <= BOUNDS[recipe.key] * largest, runtime
    assert [p.dtype for p in candidate.io.inputs] == ["uint8"]
    assert [p.dtype for p in candidate.io.outputs] == ["float32"]


def test_smaller_numbers_make_smaller_files(made):
    size = {key: candidate.path.stat().st_size for key, candidate in made.items()}
    for format, small in (("onnx", "fp16"), ("onnx", "int8"), ("tflite", "fp16"), ("tflite", "static_wi8_ai8")):
        assert size[f"{format}:{small}"] < size[f"{format}:fp32"]


def test_the_onnx_files_hold_what_their_names_say(made):
    half = onnx.load(made["onnx:fp16"].path)
    assert {t.data_type for t in half.graph.initializer} & {onnx.TensorProto.FLOAT16}
    assert onnx.TensorProto.FLOAT not in {t.data_type for t in half.graph.initializer}
    whole = onnx.load(made["onnx:int8"].path)
    kernels = [t for t in whole.graph.initializer if t.data_type == onnx.TensorProto.INT8 and len(t.dims) == 4]
    assert len(kernels) == 3
    scales = {t.name: t.dims for t in whole.graph.initializer if t.name.endswith("_scale")}
    assert any(list(dims) == [8] for dims in scales.values()), "a scale per channel"
    operators = [node.op_type for node in whole.graph.node]
    assert operators.index("Cast") < operators.index("QuantizeLinear"), "pixels are cast as in the float file"


def test_float_islands_are_told_of_the_mixed_file_and_of_no_float_file(made):
    assert any(note.startswith("float island") for note in made["tflite:mixed_wi8_ai8"].notes)
    assert made["tflite:fp32"].notes == made["tflite:fp16"].notes == ()
    assert {"TRANSPOSE_CONV", "SOFTMAX"} <= {name for name, _ in made["tflite:static_wi8_ai8"].versions}


def weights(path, operator):
    """Give the number of scales of each int8 weight tensor of an operator."""
    interpreter = Interpreter(str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    tensors = {t["index"]: t for t in interpreter.get_tensor_details()}
    nodes = [op for op in interpreter._get_ops_details() if op["op_name"] == operator]
    found = [tensors[i] for op in nodes for i in op["inputs"] if i in tensors and tensors[i]["dtype"] == np.int8]
    return [len(t["quantization_parameters"]["scales"]) for t in found if len(t["shape"]) >= 2 and t["shape"][0] != 1]


class TestOverrides:
    """Repaired files: one recipe, some operators otherwise."""

    @pytest.fixture
    def quantize(self, made, builder, tmp_path):
        def run(recipe, *overrides, format="tflite"):
            request = {
                "model": str(made[f"{format}:fp32"].path),
                "contract_file": str(builder.handover.folder / "contract.json"),
                "recipe": recipe,
                "samples": str(builder.calibration),
                "output": str(tmp_path / "file"),
                "overrides": [dict(zip(("scope", "operator", "treatment"), each, strict=True)) for each in overrides],
            }
            return builder.sandbox.convert("quantize" if format == "tflite" else "quantize_onnx", request)

        return run

    def test_none_gives_the_same_bytes(self, quantize, made, tmp_path):
        quantize("static_wi8_ai8")
        assert (tmp_path / "file").read_bytes() == made["tflite:static_wi8_ai8"].path.read_bytes()

    def test_a_transposed_convolution_has_one_scale_and_a_convolution_many(self, made):
        path = made["tflite:static_wi8_ai8"].path
        assert weights(path, "TRANSPOSE_CONV") == [1]
        assert max(weights(path, "FULLY_CONNECTED")) > 1

    def test_float_leaves_the_operator_and_shows_as_an_island(self, quantize):
        plain = quantize("static_wi8_ai8")
        found = quantize("static_wi8_ai8", (".*", "SOFTMAX", "float"))
        assert found["operators"].count("DEQUANTIZE") > plain["operators"].count("DEQUANTIZE")
        assert any("1 SOFTMAX" in note for note in found["notes"])

    def test_the_last_override_wins_and_the_scope_counts(self, quantize, tmp_path):
        plain = quantize("static_wi8_ai8")["operators"]
        assert quantize("static_wi8_ai8", ("nowhere", "SOFTMAX", "float"))["operators"] == plain
        both = quantize("static_wi8_ai8", (".*", "FULLY_CONNECTED", "float"), (".*", "FULLY_CONNECTED", "per_tensor"))
        assert both["operators"] == plain
        assert set(weights(tmp_path / "file", "FULLY_CONNECTED")) == {1}

    def test_everything_in_float_is_no_quantization(self, quantize):
        with pytest.raises(ConversionError, match="no operator of the model is left to be quantized"):
            quantize("static_wi8_ai8", (".*", "*", "float"))

    def test_int16_gives_an_operator_finer_steps(self, quantize, tmp_path):
        quantize("static_wi8_ai8", (".*", "SOFTMAX", "int16"))
        kinds = {t["dtype"] for t in Interpreter(str(tmp_path / "file")).get_tensor_details()}
        assert np.int16 in kinds

    def test_onnx_leaves_nodes_in_float(self, quantize):
        plain, found = quantize("int8", format="onnx"), quantize("int8", (".*", "MatMul", "float"), format="onnx")
        assert found["operators"].count("QuantizeLinear") < plain["operators"].count("QuantizeLinear")

    @pytest.mark.parametrize(
        ("recipe", "format", "override", "fragment"),
        [
            ("dynamic_wi8_afp32", "tflite", (".*", "DEPTHWISE_CONV_2D", "per_tensor"), "wrong answers with dynamic ranges"),
            ("static_wi8_ai8", "tflite", (".*", "TOPK_V2", "int16"), "TOPK_V2 cannot be quantized"),
            ("fp32", "tflite", (".*", "ADD", "float"), "fp32 is made by the converter"),
            ("int8", "onnx", (".*", "Gemm", "int16"), "int16 is not possible here in ONNX"),
            ("fp16", "onnx", (".*", "Gemm", "per_tensor"), "per_tensor is not possible here in ONNX"),
        ],
        ids=["depthwise", "unknown to the quantizer", "no quantization", "onnx int16", "onnx fp16 per tensor"],
    )
    def test_what_would_be_wrong_is_refused(self, quantize, recipe, format, override, fragment):
        with pytest.raises(ConversionError, match=fragment):
            quantize(recipe, override, format=format)


def test_dynamic_ranges_are_released_only_where_the_old_runtime_is_not_required(bundle, small_handover, tmp_path):
    """The old runtime loads such a file of mnist_cnn, runs it, and answers wrongly: nothing but the comparison finds it."""
    given = open_handover(small_handover)
    builder = Builder(given, Sandbox(tmp_path, tmp_path / "logs", 120), interpreters(), Progress("test", 4))
    builder.save_calibration()
    bench = prepare(given, builder.sandbox)
    source = released_float(bundle)
    made = builder.convert(Plan("tflite", "dynamic_wi8_afp32", ("device",)), source)
    trials = tuple(trial for runtime in runtimes_of(made, builder.at_hand) for trial in builder.attempt(made, runtime, bench).trials)
    assert [trial.runtime for trial in trials] == ["ai-edge-litert", "tflite-runtime"], "both ran it without an error"
    tried, loose = replace(made, trials=trials), replace(given.contract, metric=Metric("accuracy", "higher", 0.9))
    assert verdict(replace(loose, requires_runtimes=("ai-edge-litert",)), tried)[0].passed == ("ai-edge-litert",)
    released, error = verdict(replace(loose, requires_runtimes=("ai-edge-litert", "tflite-runtime")), tried)
    assert released is None
    assert "tflite-runtime 2.14.0: top-1 agreement is 0." in str(error)


def released_float(bundle):
    """Take the released float file as the source, since converting it again takes long."""
    variant = next(v for v in variants.loads((bundle / "variants.json").read_bytes()) if v.file == "model.fp32.tflite")
    return Candidate(Plan("tflite", "fp32", ("device",)), bundle / variant.file, variant.io, ())
