"""Steady load with a clock and sensors of the test's own, and the picture of it."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.sensors import Sensors
from edge.steady import Window, run_steadily, summary, throttled_seconds
from edge.steady_picture import picture, ticks
from edge.timing import Latency, Ratio, single_rows, time_in_turns, time_runs

SVG = "{http://www.w3.org/2000/svg}"


class Clock:
    """Stands still unless something takes time."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def board(temperatures: Iterator[float], bits: Iterator[int], root: Path) -> Sensors:
    """A Raspberry Pi whose firmware tells the next value at each question; the first one only looks whether it is there."""

    def ask(question: str) -> str:
        return f"throttled={next(bits):#x}\n" if question == "get_throttled" else f"temp={next(temperatures)}'C\n"

    return Sensors(root, ask)


def steady_run(root: Path, each_s: float = 0.01, seconds: float = 1.0) -> tuple[list[Window], list[Window]]:
    clock, told = Clock(), []

    def run(row: Any) -> None:
        del row
        clock.now += each_s * (1 if clock.now < 100.5 else 2)  # it slows down in the second half

    sensors = board(iter([40.0, 50.0, 60.0, 82.5]), iter([0, 0, 0, 0xC, 0xC000C]), root)
    windows = run_steadily(run, [{}], seconds, sensors, told.append, clock)
    return windows, told


def test_windows_of_a_steady_run(tmp_path: Path) -> None:
    windows, told = steady_run(tmp_path)
    assert windows == told
    assert [window.temperature_c for window in windows] == [40.0, 50.0, 60.0, 82.5]
    assert [window.bits for window in windows] == [0, 0, 0xC, 0xC000C]
    assert sum(window.runs for window in windows) == pytest.approx(75, abs=2)
    assert windows[0].p50_ms == pytest.approx(10)
    assert windows[-1].p95_ms == pytest.approx(20)
    assert windows[-1].at_s == pytest.approx(1.0, abs=0.05)


def test_summary_of_a_steady_run(tmp_path: Path) -> None:
    windows, _ = steady_run(tmp_path)
    found = summary(windows)
    assert found["slowdown"] == pytest.approx(2)
    assert (found["temperature_first_c"], found["temperature_highest_c"], found["clock_lowest_mhz"]) == (40.0, 82.5, None)
    assert found["throttled_s"] == {"throttled": pytest.approx(0.5, abs=0.05), "soft temperature limit": pytest.approx(0.5, abs=0.05)}
    assert found["throttled_before"] == []
    assert len(found["windows"]) == len(windows)


def test_one_inference_may_be_longer_than_the_whole_run(tmp_path: Path) -> None:
    clock = Clock()

    def run(row: Any) -> None:
        del row
        clock.now += 30

    (window,) = run_steadily(run, [{}], 1.0, Sensors(tmp_path, lambda _: ""), clock=clock)
    assert (window.runs, window.at_s, window.temperature_c, window.bits) == (1, 30.0, None, None)
    assert throttled_seconds([window]) is None


def lines(svg: str) -> list[Any]:
    return ElementTree.fromstring(svg).findall(f"{SVG}polyline")


def words(svg: str) -> list[str]:
    return ["".join(text.itertext()) for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_picture_shows_latency_heat_and_what_held_it_back(tmp_path: Path) -> None:
    windows, _ = steady_run(tmp_path)
    svg = picture(windows, "a <model> & more", "on a runtime")
    assert len(lines(svg)) == 3
    assert [len(line.get("points").split()) for line in lines(svg)] == [len(windows)] * 3
    found = words(svg)
    assert {"a <model> & more", "on a runtime", "latency, ms", "p50", "p95", "temperature, °C", "throttled", "under-voltage"} <= set(found)
    coloured = [rect for rect in ElementTree.fromstring(svg).iter(f"{SVG}rect") if rect.get("height") == "14"]
    assert len(coloured) == 2, "two of the four were set, each in one piece"
    width, height = (float(part) for part in ElementTree.fromstring(svg).get("viewBox", "").split()[2:])
    for line in lines(svg):
        for x, y in (point.split(",") for point in line.get("points").split()):
            assert 0 <= float(x) <= width
            assert 0 <= float(y) <= height


def test_picture_says_what_a_machine_does_not_tell(tmp_path: Path) -> None:
    svg = picture([Window(1.0, 5, 2.0, 3.0, None, None, None)], "m", "r")
    assert {"this machine tells no temperature", "this machine tells no throttling"} <= set(words(svg))
    assert len(lines(svg)) == 2
    assert "throttled" not in words(svg)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        pytest.param(0, 600, [0, 100, 200, 300, 400, 500, 600], id="ten minutes"),
        pytest.param(0, 0.05, [0, 0.01, 0.02, 0.03, 0.04, 0.05], id="small"),
        pytest.param(44, 83, [50, 60, 70, 80], id="not from zero"),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high, 8 if high == 600 else 5) == expected


def test_latency_in_milliseconds() -> None:
    found = Latency.of(np.arange(1, 101) / 1000)
    assert (found.runs, found.mean, found.p50) == (100, pytest.approx(50.5), pytest.approx(50.5))
    assert found.p95 == pytest.approx(95.05)
    assert found.p99 == pytest.approx(99.01)


def test_ratio_has_the_middle_of_the_rounds() -> None:
    ours = np.array([2.0] * 9 + [100.0])
    found = Ratio.of(ours, np.ones(10))
    assert (found.median, found.low, found.rounds) == (2.0, 2.0, 10)
    assert 2.0 < found.high < 100.0


def test_two_models_have_their_turns_one_after_the_other() -> None:
    seen: list[str] = []
    rows = single_rows({"x": np.arange(3), "y": np.arange(6).reshape(3, 2)})
    assert [row["y"].shape for row in rows] == [(1, 2)] * 3
    first, second = time_in_turns(((lambda _: seen.append("a"), rows), (lambda _: seen.append("b"), rows)), rounds=3, runs=2, warmup=1)
    assert "".join(seen) == "ab" + "aabb" + "bbaa" + "aabb"
    assert first.shape == second.shape == (3, 2)
    assert (time_runs(lambda _: None, rows, 7) >= 0).all()
