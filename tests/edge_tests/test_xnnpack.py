"""Whether XNNPACK is on, counted in loaded graphs; and operators by time, where a runtime tells."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from edge.bundle import open_bundle
from edge.errors import SetupError
from edge.runtimes import operators, xnnpack
from edge.runtimes.delegation import Delegation, delegation
from edge.timing import single_rows


def operator(index: int, name: str, inputs: list[int], outputs: list[int]) -> dict[str, Any]:
    return {"index": index, "op_name": name, "inputs": inputs, "outputs": outputs}


CHAIN = [operator(0, "CAST", [0], [1]), operator(1, "CONV_2D", [1, 9, -1], [2]), operator(2, "TANH", [2], [3])]
LOOP = [operator(0, "ADD", [0, 1], [2]), operator(1, "MUL", [2, 2], [3]), operator(2, "SUB", [3, 2], [4])]


@pytest.mark.parametrize(
    ("graph", "delegates", "expected"),
    [
        pytest.param(CHAIN, [], Delegation(3, 0, 0, {"CAST": 1, "CONV_2D": 1, "TANH": 1}), id="none"),
        pytest.param(CHAIN, [([1, 9], [3])], Delegation(3, 2, 1, {"CAST": 1}), id="all but the first"),
        pytest.param(CHAIN, [([0, 9], [3])], Delegation(3, 3, 1, {}), id="all"),
        pytest.param(CHAIN, [([0], [1]), ([2], [3])], Delegation(3, 2, 2, {"CONV_2D": 1}), id="two pieces"),
        pytest.param(LOOP, [([0, 1], [4])], Delegation(3, 3, 1, {}), id="a tensor that is used twice"),
        pytest.param(LOOP, [([2], [4])], Delegation(3, 2, 1, {"ADD": 1}), id="a part of it"),
    ],
)
def test_operators_that_a_delegate_took(
    graph: list[dict[str, Any]], delegates: list[tuple[list[int], list[int]]], expected: Delegation
) -> None:
    nodes = [operator(10 + i, "DELEGATE", inputs, outputs) for i, (inputs, outputs) in enumerate(delegates)]
    assert delegation([*graph, *nodes]) == expected


@pytest.mark.parametrize(
    ("found", "words"),
    [
        pytest.param(Delegation(4, 4, 1, {}), "on: 4 of 4 operators in it", id="all"),
        pytest.param(Delegation(4, 2, 1, {"CAST": 1, "ADD": 2}), "on: 2 of 4 operators in it; outside: 2 ADD, CAST", id="half"),
        pytest.param(Delegation(4, 1, 1, {"CONV_2D": 3}), "mostly off: 1 of 4 operators in it; outside: 3 CONV_2D", id="one"),
        pytest.param(Delegation(4, 0, 0, {"CONV_2D": 4}), "off: none of 4 operators runs in it", id="none"),
    ],
)
def test_sentence(found: Delegation, words: str) -> None:
    assert found.sentence() == words


FULL, ONE, NONE = Delegation(2, 2, 1, {}), Delegation(9, 1, 1, {"CONV_2D": 8}), Delegation(2, 0, 0, {"CONV_2D": 2})


@pytest.mark.parametrize(
    ("files", "logged", "state", "words"),
    [
        pytest.param({"float32": FULL, "int8": FULL}, True, "on", "on for float32 and int8 files", id="on"),
        pytest.param({"float32": FULL, "int8": NONE}, True, "partly", "on for float32 files; off for int8 files", id="as tflite-runtime"),
        pytest.param({"float32": NONE, "int8": NONE}, False, "off", "off for float32 and int8 files", id="off"),
        pytest.param({"m.tflite": ONE}, True, "partly", ONE.sentence(), id="hardly"),
        pytest.param({"m.tflite": FULL}, False, "unknown", "not known: a delegate took operators and does not say", id="another delegate"),
    ],
)
def test_judgement(files: Mapping[str, Delegation], logged: bool, state: str, words: str) -> None:
    found = xnnpack.judged(files, logged)
    assert found.state == state
    assert found.words.startswith(words)
    assert [fact["on"] for fact in found.files.values()] == [logged and one is FULL for one in files.values()]


def test_real_runtime_runs_float_and_int8_by_xnnpack() -> None:
    found = xnnpack.inspect("ai-edge-litert")
    assert (found.state, found.words) == ("on", "on for float32 and int8 files")


def test_real_file(bundle: Path) -> None:
    found = xnnpack.inspect("ai-edge-litert", bundle / "model.static_wi8_ai8.tflite")
    assert found.state == "on"
    (facts,) = found.files.values()
    assert (facts["delegated"], facts["left"]) == (facts["operators"] - 1, {"CAST": 1})


def test_runtime_with_kernels_of_its_own() -> None:
    assert xnnpack.inspect("onnxruntime").state == "unused"


@pytest.mark.parametrize(
    ("outcome", "fragment"),
    [
        pytest.param(subprocess.CompletedProcess([], -4, "", ""), "killed by signal 4: no words", id="an unknown instruction"),
        pytest.param(subprocess.CompletedProcess([], 1, "", "x\nImportError: no"), "exit code 1: ImportError: no", id="import fails"),
        pytest.param(subprocess.CompletedProcess([], 0, "[1]\n", ""), "cannot be tried here", id="nonsense"),
        pytest.param(OSError(8, "Exec format error"), "no process can be started here", id="no child"),
        pytest.param(subprocess.CompletedProcess([], 127, "", ""), "no process can be started here", id="no child, told by posix_spawn"),
        pytest.param(subprocess.CompletedProcess([], 127, "", "no such library"), "exit code 127: no such library", id="127 with words"),
        pytest.param(subprocess.TimeoutExpired("python", 120), "gave no answer within 120 s", id="hangs"),
    ],
)
def test_what_goes_wrong_is_told(monkeypatch: pytest.MonkeyPatch, outcome: Any, fragment: str) -> None:
    def run(*words: Any, **options: Any) -> Any:
        del words, options
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(xnnpack.subprocess, "run", run)
    found = xnnpack.inspect("tflite-runtime")
    assert found.state == ("untried" if "no process can be started" in fragment else "unknown")
    assert fragment in found.words


def test_child_counts_both_tiny_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert xnnpack.main(["ai-edge-litert"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {name: one["operators"] for name, one in found.items()} == {"float32": 1, "int8": 1}
    assert xnnpack.main([]) == 2
    assert xnnpack.main(["onnxruntime"]) == 2


def test_operators_by_time(bundle: Path) -> None:
    released = open_bundle(bundle)
    variant = next(v for v in released.variants if v.format == "onnx")
    found = operators.operator_times(released.file(variant), variant, single_rows(released.golden.inputs), threads=1, runs=8)
    assert [one.ms for one in found] == sorted((one.ms for one in found), reverse=True)
    assert sum(one.share for one in found) == pytest.approx(1)
    assert {one.operator: one.count for one in found}["Conv"] == 3
    assert operators.tells("onnxruntime")
    assert not operators.tells("ai-edge-litert")


def test_profile_that_cannot_be_written(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**options: Any) -> None:
        raise FileNotFoundError("No usable temporary directory found")

    released = open_bundle(bundle)
    variant = next(v for v in released.variants if v.format == "onnx")
    monkeypatch.setattr(operators.tempfile, "TemporaryDirectory", refuse)
    with pytest.raises(SetupError, match="operators cannot be timed: .*No usable temporary"):
        operators.operator_times(released.file(variant), variant, [], 1, 1)


def test_profile_is_summed_by_operator() -> None:
    def event(name: str, op: str, dur: int, cat: str = "Node") -> dict[str, Any]:
        return {"cat": cat, "name": name, "dur": dur, "args": {"op_name": op}}

    events = [
        event("a_kernel_time", "Conv", 3000),
        event("b_kernel_time", "Conv", 3000),
        event("c_kernel_time", "Gemm", 2000),
        event("c_fence_before", "Gemm", 9000),
        event("model_run", "", 90000, cat="Session"),
    ]
    conv, gemm = operators.summed(events, runs=2)
    assert (conv.operator, conv.count, conv.ms, conv.share) == ("Conv", 1.0, 3.0, 0.75)
    assert (gemm.operator, gemm.count, gemm.ms, gemm.share) == ("Gemm", 0.5, 1.0, 0.25)
    assert operators.summed([], 1) == []
