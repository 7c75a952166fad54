"""Every promise of a contract, kept and broken, on trials made by hand."""

from dataclasses import replace

import numpy as np
import pytest

from edge import contract
from edge.contract import Budget, Contract, Graph, Metric, Tensor, Tolerance
from edge.errors import BudgetError, ContractError, GateError
from edge.variants import Io, Physical
from export.candidate import Candidate, Plan, Trial, plans
from export.gate import checks, judge, round_up, size_check, verdict

PROMISE = Contract(
    schema=contract.SCHEMA,
    name="toy",
    version="1.0.0",
    task="image-classification",
    graphs=(Graph("main", (Tensor("x", "uint8", ("batch", 2), "NC"),), (Tensor("y", "float32", ("batch", 3), "NC"),)),),
    metric=Metric("accuracy", "higher", 0.9),
    recipes=("static_wi8_ai8",),
    requires_runtimes=("onnxruntime", "ai-edge-litert", "tflite-runtime"),
    tolerance=Tolerance(onnx=1e-4, tflite=1e-3, agreement=0.99, metric_drop=0.01),
    budget=Budget(size_bytes=100),
)
IO = Io((Physical("x", "uint8", "NC"),), (Physical("y", "float32", "NC"),))
GOOD = Trial("onnxruntime", "1.31", 0.95, (0.0, -0.001, 0.001), 1.0, {"y": 1e-6}, 1e-6, 1e-5, np.zeros((1000, 3)), interval=(0.935, 0.962))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 80)
    return path


def onnx(file, **change):
    return Candidate(Plan("onnx", "fp32", ("server",)), file, IO, (), (replace(GOOD, **change),))


def int8(file, *trials):
    return Candidate(Plan("tflite", "static_wi8_ai8", ("device",)), file, IO, (), trials)


LITERT = replace(GOOD, runtime="ai-edge-litert", version="2.3", difference={"y": 2.0}, golden_drift=0.256)
LEGACY = replace(LITERT, runtime="tflite-runtime", version="2.14", metric=0.93, agreement=0.995, golden_drift=0.264)


def test_a_file_that_keeps_every_promise_is_released_with_what_it_proved(file):
    variant = judge(PROMISE, onnx(file))
    assert (variant.file, variant.passed, variant.metric, variant.tolerance) == ("model.onnx", ("onnxruntime",), 0.95, 1e-4)
    assert variant.metric_interval[0] < 0.95 < variant.metric_interval[1]
    assert variant.size_bytes == 80


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        ({"difference": {"y": 2e-4}}, "largest difference of 'y' is 0.0002, allowed ≤ 0.0001"),
        ({"difference": {"y": float("inf")}}, "largest difference of 'y' is inf"),
        ({"difference": {"y": float("nan")}}, "largest difference of 'y' is nan"),
        ({"agreement": 0.98}, "top-1 agreement is 0.9800, allowed ≥ 0.99"),
        ({"drop": (0.02, 0.01, 0.03)}, "loss of accuracy is +0.0200 [+0.0100, +0.0300], allowed ≤ 0.01"),
        ({"metric": 0.89}, "accuracy is 0.8900, allowed ≥ 0.9"),
    ],
    ids=["drift", "infinite answer", "NaN answer", "agreement", "loss", "floor"],
)
def test_each_broken_promise_refuses_the_file_in_words(file, change, fragment):
    with pytest.raises(GateError) as caught:
        judge(PROMISE, onnx(file, **change))
    assert str(caught.value).startswith("toy 1.0.0, model.onnx: not released: onnxruntime 1.31: ")
    assert fragment in str(caught.value)


@pytest.mark.parametrize(
    ("metric", "name"),
    [("accuracy", "top-1 agreement"), ("map50", "agreement of boxes"), ("rmse", "agreement"), ("parity_only", "agreement")],
)
def test_what_agrees_is_called_what_it_is(file, metric, name):
    promise = replace(PROMISE, metric=replace(PROMISE.metric, name=metric))
    assert name in [check.name for check in checks(promise, onnx(file), GOOD)]


def test_a_quantized_file_may_drift_and_replays_within_its_own_tolerance(file):
    variant = judge(PROMISE, int8(file, LITERT, LEGACY))
    assert variant.tolerance == 0.33  # 1.25 × 0.264, rounded up to two digits
    assert variant.passed == ("ai-edge-litert", "tflite-runtime")
    assert (variant.metric, variant.agreement) == (0.93, 0.995)  # the worst of both
    assert variant.min_runtime == {"ai-edge-litert": "2.3", "tflite-runtime": "2.14"}


def test_a_quantized_file_that_did_not_drift_here_may_differ_elsewhere_as_a_float_file_may(file):
    exact = [replace(trial, golden_drift=1e-7) for trial in (LITERT, LEGACY)]
    assert judge(PROMISE, int8(file, *exact)).tolerance == 1e-3  # another processor rounds otherwise


@pytest.mark.parametrize(
    ("samples", "drop", "said"),
    [
        (1000, (0.0, 0.0, 0.0), False),
        (200, (0.0, 0.0, 0.0), True),
        (1000, (0.0, -0.011, 0.011), True),
        (1000, (0.5, 0.48, 0.52), False),
    ],
    ids=["enough samples", "no sample changed, but there are few", "the interval is wider than the bound", "far beyond the bound"],
)
def test_a_loss_that_the_test_split_cannot_show_is_called_so_and_still_decides_by_its_value(file, samples, drop, said):
    trial = replace(GOOD, drop=drop, scores=np.zeros((samples, 3)))
    (loss,) = [check for check in checks(PROMISE, onnx(file), trial) if check.name == "loss of accuracy"]
    assert (f"not decidable on {samples} samples" in loss.measured) == said
    assert loss.passed == (drop[0] <= 0.01)


def test_a_quantized_file_whose_answers_are_not_finite_is_refused_for_that(file):
    with pytest.raises(GateError, match="answers is not finite"):
        judge(PROMISE, int8(file, replace(LITERT, difference={"y": float("inf")}), LEGACY))


def test_what_a_runtime_said_when_it_refused_a_file_is_in_the_message(file):
    refused = replace(int8(file, LITERT), refused={"tflite-runtime": "tflite-runtime 2.14.0 cannot load it (DIV)"})
    with pytest.raises(GateError, match=r"not released: tflite-runtime 2.14.0 cannot load it \(DIV\)"):
        judge(PROMISE, refused)
    relaxed = replace(PROMISE, requires_runtimes=())
    assert judge(relaxed, refused).passed == ("ai-edge-litert",)
    with pytest.raises(GateError, match=r"it passed on no runtime; tflite-runtime 2.14.0 cannot load it"):
        judge(relaxed, replace(refused, trials=()))


def test_a_required_runtime_that_did_not_run_the_file_refuses_it(file):
    with pytest.raises(GateError, match="tflite-runtime did not run it"):
        judge(PROMISE, int8(file, LITERT))


def test_a_runtime_that_is_not_required_may_fail_and_is_then_not_listed(file):
    relaxed = replace(PROMISE, requires_runtimes=("ai-edge-litert",))
    variant = judge(relaxed, int8(file, LITERT, replace(LEGACY, agreement=0.1)))
    assert variant.passed == ("ai-edge-litert",)
    nothing = replace(PROMISE, requires_runtimes=())
    with pytest.raises(GateError, match="it passed on no runtime"):
        judge(nothing, int8(file, replace(LITERT, agreement=0.1)))


def test_the_budget_holds_for_the_quantized_device_file(file):
    file.write_bytes(b"x" * 101)
    with pytest.raises(BudgetError, match="size is 101 bytes, allowed ≤ 100 bytes"):
        judge(PROMISE, int8(file, LITERT, LEGACY))
    assert size_check(PROMISE, onnx(file)) is None
    assert verdict(PROMISE, int8(file, LITERT, LEGACY))[0] is None


def test_the_budget_holds_for_the_float_file_where_a_device_gets_no_other(file):
    file.write_bytes(b"x" * 101)
    alone = Candidate(Plan("tflite", "fp32", ("device",)), file, IO, (), (replace(LITERT, difference={"y": 1e-6}),))
    promise = replace(PROMISE, requires_runtimes=("ai-edge-litert",))
    assert judge(promise, alone).file == "model.fp32.tflite", "beside a quantized file, which the budget is for"
    with pytest.raises(BudgetError, match="size is 101 bytes, allowed ≤ 100 bytes"):
        judge(replace(promise, recipes=("fp32",)), alone)


def test_a_metric_for_which_lower_is_better_has_its_floor_above(file):
    lower = replace(PROMISE, metric=Metric("accuracy", "lower", 0.96))
    assert judge(lower, onnx(file)).metric == 0.95
    with pytest.raises(GateError, match="accuracy is 0.9700, allowed ≤ 0.96"):
        judge(lower, onnx(file, metric=0.97))


@pytest.mark.parametrize(
    ("value", "rounded"), [(0.0, 0.0), (-1.0, 0.0), (0.33, 0.33), (0.331, 0.34), (1.0, 1.0), (101.0, 110.0), (1.2e-7, 1.2e-7), (9.91, 10.0)]
)
def test_round_up_keeps_two_digits_and_never_rounds_down(value, rounded):
    assert round_up(value) == pytest.approx(rounded, rel=1e-12)
    assert round_up(value) >= value - 1e-12


def test_plans_follow_targets_and_recipes():
    files = [plan.file for plan in plans(PROMISE)]
    assert files == ["model.onnx", "model.static_wi8_ai8.tflite", "model.fp32.tflite"]
    assert [plan.file for plan in plans(replace(PROMISE, targets=("server",)))] == ["model.onnx"]
    auto = [plan.recipe for plan in plans(replace(PROMISE, recipes="auto"))]
    assert auto[:2] == ["fp32", "static_wi8_ai8"], "the server's float file, then integers before all others"
    assert auto[-1] == "fp32"
    with pytest.raises(ContractError, match="targets is empty"):
        plans(replace(PROMISE, targets=()))
    with pytest.raises(ContractError, match="recipes names 'int3'"):
        plans(replace(PROMISE, recipes=("int3",)))
