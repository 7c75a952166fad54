"""`tandem tune`: every way to run a model measured in turns, the best kept within the budget, and remembered for this device."""

import json
import logging
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge import Model, runtimes, tuned, tuning
from edge.bundle import Bundle, open_bundle
from edge.errors import GateError, SetupError, UsageError
from edge.tuned import Choice
from edge.tuning import Candidate, Measured, Outcome

Tandem = Callable[..., tuple[int, str, str]]
LITERT, ONNX = "ai-edge-litert", "onnxruntime"
INT8, FP32 = "model.static_wi8_ai8.tflite", "model.fp32.tflite"


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for choices that is each test's own."""
    monkeypatch.setenv(tuned.VARIABLE, str(tmp_path / "tuned"))
    return tmp_path / "tuned"


@pytest.fixture(scope="module")
def released(bundle: Path) -> Bundle:
    """The released bundle, opened."""
    return open_bundle(bundle)


def way(released: Bundle, file: str = INT8, runtime: str = LITERT, threads: int = 1) -> Candidate:
    return Candidate(next(v for v in released.variants if v.file == file), runtime, threads)


def test_candidates_are_what_passed_on_what_is_here(released: Bundle) -> None:
    found = tuning.candidates(released, [LITERT, ONNX], (1, 2))
    assert {(one.variant.file, one.runtime) for one in found} == {("model.onnx", ONNX), (INT8, LITERT), (FP32, LITERT)}
    assert len(found) == 6
    assert {one.variant.file for one in tuning.candidates(released, [LITERT, ONNX], (1,), "device")} == {INT8, FP32}
    with pytest.raises(SetupError, match="no file can be tried here; its files passed on ai-edge-litert, .* installed are none"):
        tuning.candidates(released, [], (1,))


@pytest.mark.parametrize(("cores", "expected"), [(1, (1,)), (2, (1, 2)), (4, (1, 2, 4)), (6, (1, 2, 4, 6)), (16, (1, 2, 4, 8, 16))])
def test_numbers_of_threads(monkeypatch: pytest.MonkeyPatch, cores: int, expected: tuple[int, ...]) -> None:
    monkeypatch.setattr(tuning.cpu, "usable", lambda: cores)
    assert tuning.thread_counts() == expected


@pytest.mark.parametrize(
    ("direction", "metrics", "expected"),
    [
        pytest.param("higher", {"fp32": 0.9, "int8": 0.88}, 0.02, id="higher is better"),
        pytest.param("lower", {"fp32": 2.0, "int8": 2.5}, 0.5, id="lower is better"),
        pytest.param("higher", {"fp32": 0.9, "int8": 0.91}, -0.01, id="better than the reference"),
        pytest.param("higher", {"fp16": 0.9, "int8": 0.8}, 0.1, id="no fp32: the best"),
        pytest.param("lower", {"fp16": 2.0, "int8": 2.1}, 0.1, id="no fp32: the least"),
        pytest.param("higher", {"fp32": 0.9, "int8": None}, None, id="not measured"),
        pytest.param("higher", {"fp32": None, "int8": None}, None, id="nothing was measured"),
    ],
)
def test_loss_against_the_reference(direction: str, metrics: dict[str, float | None], expected: float | None) -> None:
    variants = [SimpleNamespace(recipe=recipe, metric=metric) for recipe, metric in metrics.items()]
    bundle: Any = SimpleNamespace(variants=variants, contract=SimpleNamespace(metric=SimpleNamespace(direction=direction)))
    found = tuning.loss(bundle, bundle.variants[-1])
    assert found == (None if expected is None else pytest.approx(expected))


def measured(candidate: Candidate, p50: float, peak: int = 50, problem: str = "") -> Measured:
    return Measured(candidate, p50, p50 * 2, peak, 0.0, problem)


def test_best_is_the_fastest_and_among_equals_the_smallest(released: Bundle) -> None:
    slow, fast, alike, broken = (way(released, threads=count) for count in (1, 4, 2, 8))
    rows = [measured(slow, 2.0), measured(fast, 1.0), measured(alike, 1.04), measured(broken, 0.1, problem="crashes")]
    assert tuning.best(rows).candidate is alike
    assert tuning.best([measured(slow, 1.0, peak=60), measured(slow, 1.02, peak=40)]).peak_bytes == 40
    with pytest.raises(GateError, match=r"no candidate can be kept \(model.static_wi8_ai8.tflite on ai-edge-litert: crashes\); allow"):
        tuning.best(rows[-1:])


def test_rounds_go_in_turns_and_failures_are_not_repeated(released: Bundle) -> None:
    first, second = way(released), way(released, FP32)
    calls: list[str] = []
    times = iter([3.0, 1.0, 2.0])

    def run(bundle: Bundle, candidate: Candidate) -> Outcome:
        del bundle
        calls.append(candidate.variant.file)
        return Outcome(problem="dies") if candidate is second else Outcome(next(times), 5.0, 10 * len(calls))

    done: list[int] = []
    good, bad = tuning.measure(released, [first, second], 3, 0.01, run, done.append)
    assert calls == [INT8, FP32, INT8, INT8]
    assert done == [1, 2, 3, 4, 5, 6]
    assert (good.p50_ms, good.p95_ms, good.peak_bytes, good.problem) == (2.0, 5.0, 40, "")
    assert bad.problem == "dies"


def test_more_loss_than_the_budget_is_out(released: Bundle) -> None:
    worse = replace(way(released).variant, metric=way(released).variant.metric - 0.09)
    bundle = replace(released, variants=(*released.variants, worse))
    (row,) = tuning.measure(bundle, [Candidate(worse, LITERT, 1)], 1, 0.01, lambda *_: Outcome(1.0, 1.0, 1))
    assert re.fullmatch(r"loses 0\.0[89]\d\d accuracy, allowed are 0\.01", row.problem)
    (row,) = tuning.measure(bundle, [Candidate(worse, LITERT, 1)], 1, 0.1, lambda *_: Outcome(1.0, 1.0, 1))
    assert row.problem == ""


def test_trying_out_for_real(released: Bundle) -> None:
    found = tuning.try_out(released, way(released))
    assert found.problem == ""
    assert 0 < found.p50_ms <= found.p95_ms
    assert found.peak_bytes is not None
    assert found.peak_bytes > 10e6


def test_wrong_answers_are_out(released: Bundle) -> None:
    candidate = way(released)
    strict = replace(candidate.variant, tolerance=1e-9)
    assert "differs from the trainer's answer" in tuning.try_out(released, replace(candidate, variant=strict)).problem


@pytest.mark.parametrize(
    ("outcome", "fragment"),
    [
        pytest.param(subprocess.CompletedProcess([], -11, "", ""), "killed by signal 11", id="killed"),
        pytest.param(subprocess.CompletedProcess([], 4, '{"error": "m: refused"}\n', ""), "m: refused", id="refused"),
        pytest.param(subprocess.CompletedProcess([], 1, "what?", ""), "ended with 1 and no report", id="nonsense"),
        pytest.param(subprocess.TimeoutExpired("python", 600), "no answer within 600 s", id="hangs"),
    ],
)
def test_process_that_fails(released: Bundle, monkeypatch: pytest.MonkeyPatch, outcome: Any, fragment: str) -> None:
    def run(*words: Any, **options: Any) -> Any:
        del words, options
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(tuning.subprocess, "run", run)
    assert fragment in tuning.try_out(released, way(released)).problem


def test_nowhere_to_write(released: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**options: Any) -> None:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tuning.tempfile, "TemporaryDirectory", refuse)
    with pytest.raises(SetupError, match="No usable temporary directory found; set TMPDIR"):
        tuning.try_out(released, way(released))


def test_choice_comes_back_until_something_changes(released: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tuned.recall(released) is None
    choice = Choice(FP32, LITERT, 2, 0.5)
    path = tuned.remember(released, choice)
    assert tuned.recall(released) == choice
    assert tuned.recall(replace(released, sums={**released.sums, "model.onnx": "0" * 64})) is None, "another bundle"
    with monkeypatch.context() as patch:
        patch.setattr(runtimes, "installed", lambda: {LITERT: "9.9.9"})
        assert tuned.recall(released) is None, "another runtime"
    with monkeypatch.context() as patch:
        read = tuned.cpu.read
        patch.setattr(tuned.cpu, "read", lambda: replace(read(), features=("asimd",)))
        assert tuned.recall(released) is None, "another processor"
    assert tuned.recall(released) == choice
    assert tuned.forget(released)
    assert not tuned.forget(released)
    assert not path.exists()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("", id="empty"),
        pytest.param("[]", id="a list"),
        pytest.param("[" * 16_000, id="lists in lists"),
        pytest.param('{"file": "x"}', id="half of it"),
        pytest.param(json.dumps({"file": "../x", "runtime": LITERT, "threads": 1, "p50_ms": 1}), id="a file that is not released"),
        pytest.param(json.dumps({"file": INT8, "runtime": ONNX, "threads": 1, "p50_ms": 1}), id="a runtime that it did not pass"),
        pytest.param(json.dumps({"file": INT8, "runtime": LITERT, "threads": "4", "p50_ms": 1}), id="threads in words"),
        pytest.param(json.dumps({"file": INT8, "runtime": LITERT, "threads": 0, "p50_ms": 1}), id="no thread"),
        pytest.param(json.dumps({"file": INT8, "runtime": [LITERT], "threads": 1, "p50_ms": 1}), id="a list of runtimes"),
        pytest.param(" " * 20_000, id="too large"),
    ],
)
def test_damaged_choice_does_not_count(released: Bundle, content: str) -> None:
    path = tuned.remember(released, Choice(INT8, LITERT, 1, 1.0))
    path.write_text(content, encoding="utf-8")
    assert tuned.recall(released) is None


def test_place_of_choices(monkeypatch: pytest.MonkeyPatch, released: Bundle) -> None:
    monkeypatch.delenv(tuned.VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert tuned.place() == Path("/cache/tandem/tuned")

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    assert tuned.place() is None
    assert tuned.recall(released) is None
    with pytest.raises(SetupError, match="this user has no home; set TANDEM_TUNED"):
        tuned.remember(released, Choice(INT8, LITERT, 1, 1.0))


def test_model_opens_as_it_was_tuned(released: Bundle, bundle: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert Model.open(bundle, tuned=True).variant.file == INT8
    assert "has not been tuned on this device as it is now; run 'tandem tune " in caplog.text
    tuned.remember(released, Choice(FP32, LITERT, 2, 1.0))
    assert Model.open(bundle, tuned=True).variant.file == FP32
    assert Model.open(bundle).variant.file == INT8, "only where it is asked for"
    with pytest.raises(UsageError, match="a tuned model brings its own file and runtime"):
        Model.open(bundle, tuned=True, runtime=ONNX)


def test_command(tandem: Tandem, bundle: Path, released: Bundle) -> None:
    code, out, err = tandem("tune", bundle, "--rounds", 1, "--threads", 1, "--target", "device")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("mnist_cnn 1.0.0 on ")
    assert "loss of accuracy against 0.99" in lines[1]
    choice = tuned.recall(released)
    assert choice is not None
    assert lines[3].split()[:3] == [choice.file, choice.runtime, "1"]
    assert lines[5] == f"best: {choice.file} on {choice.runtime}, 1 thread(s)"
    assert "tune mnist_cnn 100%  2 of 2" in err
    report = json.loads(tandem("bench", bundle, "--tuned", "--runs", 1, "--json")[1])
    assert (report["file"], report["threads"]) == (choice.file, choice.threads)
    assert tandem("tune", bundle, "--forget")[1] == "mnist_cnn 1.0.0: forgotten\n"
    assert json.loads(tandem("tune", bundle, "--forget", "--json")[1]) == {"forgotten": False}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measurements that take no time: fp32 is faster."""
    monkeypatch.setattr(tuning.measure, "__defaults__", (lambda _, one: Outcome(1.0 + ("wi8" in one.variant.file), 3.0, 7), id))


@pytest.mark.usefixtures("quick")
def test_command_in_json(tandem: Tandem, bundle: Path) -> None:
    code, out, _ = tandem("tune", bundle, "--rounds", 1, "--threads", "1,2", "--json")
    report = json.loads(out)
    assert code == 0
    assert len(report["candidates"]) == 6
    assert report["kept"]["threads"] == 1
    assert (report["metric"], report["kept"]["loss"], report["kept"]["problem"]) == ("accuracy", 0.0, None)
    assert Path(report["remembered_in"]).is_file()


@pytest.mark.usefixtures("quick")
def test_read_only_device_tells_all_the_same(tandem: Tandem, bundle: Path, kept: Path) -> None:
    kept.write_text("in the way", encoding="utf-8")
    code, out, err = tandem("tune", bundle, "--rounds", 1, "--threads", 1)
    assert code == 6
    assert "best: model." in out
    assert "could not be written" in err


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("words", "code", "fragment"),
    [
        pytest.param(["--rounds", "0"], 2, "--rounds is 0, expected 1 to 1000", id="no round"),
        pytest.param(["--budget", "-1"], 2, "--budget is -1.0, expected 0 or more", id="less than no loss"),
        pytest.param(["--budget", "nan"], 2, "--budget is nan, expected 0 or more", id="no number"),
        pytest.param(["--threads", "x"], 2, "--threads is x, expected 1 to 1024", id="threads in words"),
    ],
)
def test_tune_usage(tandem: Tandem, bundle: Path, words: list[str], code: int, fragment: str) -> None:
    ended, out, err = tandem("tune", bundle, *words)
    assert (ended, out) == (code, "")
    assert fragment in err
