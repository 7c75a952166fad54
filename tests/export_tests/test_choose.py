"""Which of several files is taken where the contract leaves it open."""

from dataclasses import replace

import numpy as np
import pytest

from edge.contract import Budget, Contract, Graph, Metric, Tensor, Tolerance
from edge.errors import BudgetError, GateError
from edge.variants import Io, Physical
from export.candidate import Candidate, Plan, Trial
from export.choose import alike, select

PROMISE = Contract(
    schema=1,
    name="toy",
    version="1.0.0",
    task="image-classification",
    graphs=(Graph("main", (Tensor("x", "uint8", ("batch", 2), "NC"),), (Tensor("y", "float32", ("batch", 3), "NC"),)),),
    metric=Metric("accuracy", "higher", 0.9),
    requires_runtimes=("ai-edge-litert",),
    tolerance=Tolerance(agreement=0.99, metric_drop=0.01),
)
IO = Io((Physical("x", "uint8", "NC"),), (Physical("y", "float32", "NC"),))
TRIAL = Trial("ai-edge-litert", "2.3", 0.95, (0.0, -0.001, 0.001), 1.0, {"y": 0.1}, 0.1, 1e-5, np.zeros((1000, 3)))
STATIC, MIXED, DYNAMIC, WEIGHTS = "static_wi8_ai8", "mixed_wi8_ai8", "dynamic_wi8_afp32", "weight_only_wi8_afp32"
BAD = {"agreement": 0.5}


@pytest.fixture
def file(tmp_path):
    """Make a candidate of a size that did so on ai-edge-litert."""

    def make(recipe, size, milliseconds=1.0, **change):
        path = tmp_path / recipe
        path.write_bytes(recipe.encode().ljust(size, b"."))
        trial = replace(TRIAL, seconds_per_sample=milliseconds / 1000, **change)
        return Candidate(Plan("tflite", recipe, ("device",)), path, IO, (), (trial,))

    return make


def fates(selection):
    return {choice.recipe: choice.verdict for choice in selection.choices}


CASES = [
    pytest.param([(STATIC, 1000), (DYNAMIC, 800)], DYNAMIC, id="the smallest"),
    pytest.param([(STATIC, 1000), (DYNAMIC, 950)], STATIC, id="equally small: the order decides"),
    pytest.param([(STATIC, 1000, 1.9), (DYNAMIC, 950, 1.0)], STATIC, id="not clearly slower: the order decides"),
    pytest.param([(STATIC, 1000, 2.1), (DYNAMIC, 950, 1.0)], DYNAMIC, id="clearly slower"),
    pytest.param([(STATIC, 1000, 9.0), (DYNAMIC, 1200, 1.0)], STATIC, id="a quick file that is larger does not count"),
]


@pytest.mark.parametrize(("files", "taken"), CASES)
def test_the_smallest_is_taken_and_time_decides_among_the_equally_small(file, files, taken):
    selection = select(replace(PROMISE, recipes="auto"), [file(*facts) for facts in files], {})
    assert [c.plan.recipe for c in selection.candidates] == [taken]
    assert fates(selection) == {recipe: "released" if recipe == taken else "passed" for recipe, *_ in files}
    assert selection.problem is None


def test_a_recipe_that_fails_is_no_error_while_another_passes_and_float_files_stay(file):
    auto = replace(PROMISE, recipes="auto", budget=Budget(size_bytes=1500))
    floats = replace(file("fp32", 4000), plan=Plan("tflite", "fp32", ("device",)))
    server = replace(file("onnx", 4000), plan=Plan("onnx", "fp32", ("server",)))
    made = [server, file(DYNAMIC, 700, **BAD), file(STATIC, 1000), file(WEIGHTS, 2000), floats]
    selection = select(auto, made, {Plan("tflite", MIXED, ("device",)): "the converter failed"})
    assert [c.plan.label for c in selection.candidates] == ["onnx-fp32", f"tflite-{STATIC}", "tflite-fp32"]
    assert fates(selection) == {DYNAMIC: "refused", STATIC: "released", WEIGHTS: "refused", MIXED: "not made"}
    reasons = {choice.recipe: choice.reason for choice in selection.choices}
    assert reasons[DYNAMIC] == "ai-edge-litert 2.3: top-1 agreement is 0.5000, allowed ≥ 0.99"
    assert reasons[WEIGHTS] == "size is 2000 bytes, allowed ≤ 1500 bytes"
    assert reasons[MIXED] == "the converter failed"
    figures = next(choice for choice in selection.choices if choice.recipe == DYNAMIC)
    assert (figures.size_bytes, figures.metric, figures.loss, figures.seconds_per_sample) == (700, 0.95, (0.0, -0.001, 0.001), 0.001)


def test_why_a_file_that_passed_was_not_taken_is_told_with_figures(file):
    selection = select(replace(PROMISE, recipes="auto"), [file(STATIC, 1000), file(MIXED, 1300), file(WEIGHTS, 1000, 3.0)], {})
    reasons = {choice.recipe: choice.reason for choice in selection.choices}
    assert reasons[MIXED] == f"30 % larger than {STATIC}"
    assert reasons[WEIGHTS] == f"about as small as {STATIC}, and 3.0 times as slow"
    assert selection.notes([])[0].startswith(f"{STATIC} was chosen: ")


def test_where_no_recipe_passes_each_is_named_with_its_reason(file):
    auto = replace(PROMISE, recipes="auto")
    left = {Plan("tflite", MIXED, ("device",)): "killed by SIGSEGV"}
    problem = select(auto, [file(STATIC, 1000, **BAD)], left).problem
    assert type(problem) is GateError
    assert f"no recipe for the device keeps every promise: {STATIC}: ai-edge-litert 2.3: top-1 agreement" in str(problem)
    assert f"{MIXED}: killed by SIGSEGV" in str(problem)
    small = replace(auto, budget=Budget(size_bytes=10))
    assert type(select(small, [file(STATIC, 1000), file(MIXED, 1000)], {}).problem) is BudgetError


def test_a_contract_that_names_its_recipes_gets_them_all(file):
    named = replace(PROMISE, recipes=(STATIC, DYNAMIC))
    made = [file(STATIC, 1000, **BAD), file(DYNAMIC, 10)]
    selection = select(named, made, {})
    assert (selection.candidates, selection.choices, selection.problem) == (made, (), None)


def test_a_file_that_equals_an_earlier_one_is_found(file):
    first, other = file(STATIC, 100), file(WEIGHTS, 100)
    twin = file(MIXED, 100)
    twin.path.write_bytes(first.path.read_bytes())
    assert alike([first, other, twin]) == {twin.plan: f"the same file as {STATIC}"}
