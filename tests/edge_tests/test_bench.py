"""`tandem bench`: one measurement, a table of threads, two files in turns, steady load; in words and in JSON."""

import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge import benchmark, sensors
from edge.commands import bench, steadily
from edge.commands.progress import Progress

Tandem = Callable[..., tuple[int, str, str]]


def test_figures(tandem: Tandem, bundle: Path) -> None:
    code, out, _ = tandem("bench", bundle, "--runs", 40, "--warmup", 2, "--json")
    figures = json.loads(out)
    assert code == 0
    assert 0 < figures["latency_p50_ms"] <= figures["latency_p95_ms"] <= figures["latency_p99_ms"]
    assert figures["latency_mean_ms"] > 0
    assert figures["first_inference_ms"] > 0
    assert (figures["runs"], figures["warmup"], figures["threads"], figures["model"]) == (40, 2, 1, "mnist_cnn")
    assert 10e6 < figures["rss_bytes"] <= figures["rss_peak_bytes"] < 64e9
    assert 0 < figures["open_ms"] < figures["start_to_answer_ms"]
    assert figures["operators"] == []
    assert figures["operators_silent"] == "ai-edge-litert's Python package tells no times of operators"
    assert figures["xnnpack"].startswith("on: ")


def test_words(tandem: Tandem, bundle: Path) -> None:
    code, out, _ = tandem("bench", bundle, "--runs", 1, "--warmup", 0)
    assert code == 0
    assert out.startswith("mnist_cnn 1.0.0: model.static_wi8_ai8.tflite on ai-edge-litert ")
    for words in ("one inference, p95", "memory, peak", "1 runs after 0 for warm-up", "XNNPACK", "tells no times of operators"):
        assert words in out
    assert "operators  " not in tandem("bench", bundle, "--runs", 1, "--operators", 0)[1]


def test_operators_where_the_runtime_tells(tandem: Tandem, bundle: Path) -> None:
    code, out, _ = tandem("bench", bundle, "--target", "server", "--runs", 5, "--operators", 2)
    assert code == 0
    lines = out.splitlines()
    start = next(i for i, line in enumerate(lines) if "slowest operators" in line)
    assert len(lines) - start == 3
    assert lines[start + 1].strip().endswith("%")


def test_system_that_tells_nothing(tandem: Tandem, bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert benchmark.seconds_since_start(tmp_path) is None
    monkeypatch.setattr(benchmark, "seconds_since_start", lambda: None)
    monkeypatch.setattr(benchmark.memory, "resident", lambda: None)
    monkeypatch.setattr(benchmark.memory, "peak", lambda: None)
    code, out, _ = tandem("bench", bundle, "--runs", 1)
    assert code == 0
    assert out.count("not told by this system") == 3


def test_table_of_threads(tandem: Tandem, bundle: Path) -> None:
    code, out, _ = tandem("bench", bundle, "--threads", "1,2", "--runs", 20)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[2:]] == ["1", "2"]
    assert float(out.splitlines()[2].split()[5]) == 1.0


@pytest.mark.parametrize(
    ("done", "code", "fragment"),
    [
        pytest.param(subprocess.CompletedProcess([], 4, "", "INFO: x\ntandem: m: refused\n"), 4, "--threads 1: m: refused", id="an error"),
        pytest.param(subprocess.CompletedProcess([], -11, "", ""), 6, "--threads 1: ended with -11 and no words", id="a crash"),
        pytest.param(OSError(8, "Exec format error"), 6, "no process can be started here", id="no child"),
    ],
)
def test_child_that_fails(tandem: Tandem, bundle: Path, monkeypatch: pytest.MonkeyPatch, done: Any, code: int, fragment: str) -> None:
    def run(*words: Any, **options: Any) -> Any:
        del words, options
        if isinstance(done, Exception):
            raise done
        return done

    monkeypatch.setattr(bench.subprocess, "run", run)
    ended, out, err = tandem("bench", bundle, "--threads", "1,2")
    assert (ended, out) == (code, "")
    assert fragment in err


def test_two_files_in_turns(tandem: Tandem, bundle: Path) -> None:
    words = ["bench", bundle, "--compare", "model.onnx", "--runtime", "ai-edge-litert", "--runs", 40, "--rounds", 4]
    code, out, _ = tandem(*words, "--json")
    found = json.loads(out)
    assert code == 0
    assert [(side["file"], side["runtime"]) for side in found["sides"]] == [
        ("model.static_wi8_ai8.tflite", "ai-edge-litert"),
        ("model.onnx", "onnxruntime"),
    ]
    assert (found["runs"], found["ratio"]["rounds"]) == (40, 4)
    assert 0 < found["ratio"]["low"] <= found["ratio"]["median"] <= found["ratio"]["high"]
    code, out, _ = tandem(*words)
    assert code == 0
    assert "times as long as A (middle 80 % of rounds: " in out.splitlines()[3]


def test_ratio_without_a_winner_says_so() -> None:
    assert bench._verdict({"low": 0.9, "high": 1.1}) == "; the rounds do not agree which is faster"
    assert bench._verdict({"low": 1.1, "high": 1.2}) == ""


def test_steady_load(tandem: Tandem, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensors.Sensors.__init__, "__defaults__", (tmp_path, lambda _: ""))
    code, out, err = tandem("bench", bundle, "--steady", 1, "--picture", tmp_path / "heat.svg", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["runs"] == sum(window["runs"] for window in found["windows"]) > 10
    assert (found["temperature_highest_c"], found["throttled_s"]) == (None, None)
    assert found["silent"].startswith("this machine tells no temperature")
    assert (tmp_path / "heat.svg").read_text(encoding="utf-8").startswith("<svg ")
    assert "mnist_cnn, steady 100%" in err


def test_steady_load_of_a_board_in_words(tandem: Tandem, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"get_throttled": "throttled=0x50004\n", "measure_temp": "temp=81.0'C\n"}
    monkeypatch.setattr(sensors.Sensors.__init__, "__defaults__", (tmp_path, answers.__getitem__))
    code, out, _ = tandem("bench", bundle, "--steady", 1)
    assert code == 0
    assert "temperature       81.0 °C at first, 81.0 °C at most" in out
    assert "held back         throttled for 1 s: cool the board" in out
    assert "since it started  under-voltage, throttled" in out
    assert "sensors           this machine tells no clock rate" in out


def test_picture_that_cannot_be_written_is_told_before_the_load(tandem: Tandem, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steadily.os, "access", lambda place, mode: False)
    code, out, err = tandem("bench", bundle, "--steady", 600, "--picture", "new/heat.svg")
    assert (code, out) == (6, "")
    assert err == "tandem: new/heat.svg: cannot be written there; choose another place with --picture\n"


@pytest.mark.parametrize(
    ("options", "fragment"),
    [
        pytest.param(["--steady", "0.5"], "--steady is 0.5, expected 1 to 604800 seconds", id="too short"),
        pytest.param(["--picture", "x.svg"], "--picture is drawn of --steady", id="a picture of nothing"),
        pytest.param(["--steady", "5", "--picture", "x.png"], "expected a name that ends in .svg", id="another format"),
        pytest.param(["--steady", "5", "--compare", "fp32"], "--compare and --steady exclude", id="both at once"),
        pytest.param(["--threads", "1,2", "--steady", "5"], "take one number of threads", id="steady with several"),
        pytest.param(["--threads", "1,2", "--compare", "fp32"], "take one number of threads", id="two files with several"),
        pytest.param(["--compare", "fp32", "--tuned"], "--compare and --tuned exclude", id="compare what is tuned"),
        pytest.param(["--rounds", "1"], "--rounds is 1, expected 2 to 1000000", id="one round has no spread"),
        pytest.param(["--operators", "-1"], "--operators is -1, expected 0 or more", id="less than none"),
        pytest.param(["--threads", "1,0"], "--threads is 1,0, expected 1 to 1024, or several such as 1,2,4", id="no thread"),
    ],
)
def test_usage(tandem: Tandem, bundle: Path, options: list[str], fragment: str) -> None:
    code, out, err = tandem("bench", bundle, *options)
    assert (code, out) == (2, "")
    assert fragment in err


def test_compare_with_a_file_that_is_not_there(tandem: Tandem, bundle: Path) -> None:
    code, _, err = tandem("bench", bundle, "--compare", "int4", "--runs", 2)
    assert code == 7
    assert "no file fits variant 'int4'" in err


class Terminal(io.StringIO):
    """A stream that calls itself a terminal."""

    def isatty(self) -> bool:
        return True


def test_progress_is_a_bar_on_a_terminal_and_ten_lines_elsewhere() -> None:
    terminal, plain = Terminal(), io.StringIO()
    for stream in (terminal, plain):
        progress = Progress("work", 50, stream)
        for done in range(1, 51):
            progress.show(done, f"{done} of 50")
        progress.close()
    assert terminal.getvalue().count("\r[") == 50
    assert terminal.getvalue().endswith("[############################] work 100%  50 of 50\x1b[K\n")
    assert [line.split()[1] for line in plain.getvalue().splitlines()] == [f"{tenth}0%" for tenth in range(1, 11)]
