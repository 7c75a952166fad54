"""How long one answer takes: single inferences after a warm-up, and two models measured in turns.

Source: the percentiles are those of single runs, as MLPerf's single-stream scenario takes them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable

import numpy as np

Array = np.ndarray[Any, Any]
Rows = Sequence[Mapping[str, Array]]
Run = Callable[[Mapping[str, Array]], Any]


@dataclass(frozen=True)
class Latency:
    """What single inferences took, in milliseconds."""

    runs: int
    mean: float
    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, seconds: Array) -> Latency:
        """Sum up (N,) seconds."""
        p50, p95, p99 = (float(x) for x in np.percentile(seconds * 1000, (50, 95, 99)))
        return cls(len(seconds), float(seconds.mean() * 1000), p50, p95, p99)

    def figures(self) -> dict[str, float]:
        """Give the figures with units in their names."""
        return {
            "latency_mean_ms": self.mean,
            "latency_p50_ms": self.p50,
            "latency_p95_ms": self.p95,
            "latency_p99_ms": self.p99,
        }


@dataclass(frozen=True)
class Ratio:
    """How long one takes in terms of the other, over the rounds: 1.5 is half as long again."""

    median: float
    low: float
    high: float
    rounds: int

    @classmethod
    def of(cls, ours: Array, theirs: Array) -> Ratio:
        """Divide the medians of each round, (R,) by (R,); the spread holds the middle 80 % of the rounds."""
        ratios = ours / theirs
        low, median, high = (float(x) for x in np.percentile(ratios, (10, 50, 90)))
        return cls(median, low, high, len(ratios))


def single_rows(inputs: Mapping[str, Array]) -> list[dict[str, Array]]:
    """Cut (N, …) arrays by tensor name into N inputs of one sample each."""
    count = len(next(iter(inputs.values())))
    return [{name: array[i : i + 1] for name, array in inputs.items()} for i in range(count)]


def time_runs(run: Run, rows: Rows, runs: int, warmup: int = 0) -> Array:
    """Time single inferences, one after the other.

    Args:
        run: Answers one row.
        rows: Taken in turns.
        runs: How many are measured.
        warmup: How many go before, unmeasured.

    Returns:
        (runs,) float64, seconds.
    """
    for i in range(warmup):
        run(rows[i % len(rows)])
    seconds = np.empty(runs)
    for i in range(runs):
        row = rows[i % len(rows)]
        started = time.perf_counter()
        run(row)
        seconds[i] = time.perf_counter() - started
    return seconds


def time_in_turns(sides: tuple[tuple[Run, Rows], tuple[Run, Rows]], rounds: int, runs: int, warmup: int) -> tuple[Array, Array]:
    """Time two models in turns, so that whatever slows the machine slows both; who goes first changes from round to round.

    Returns:
        Two arrays (rounds, runs), seconds.
    """
    seconds = np.empty((2, rounds, runs))
    for run, rows in sides:
        time_runs(run, rows, 0, warmup)
    for number in range(rounds):
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            run, rows = sides[side]
            seconds[side, number] = time_runs(run, rows, runs)
    return seconds[0], seconds[1]
