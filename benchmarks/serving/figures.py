"""Percentiles, medians and spreads: what a list of seconds is summed up by, and when there are too few of them to say."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

MIDDLE = 0.5
BEYOND = 1  # a percentile is stated where so many values lie beyond it


@dataclass(frozen=True)
class Spread:
    """The median over rounds, and the smallest and largest."""

    median: float
    low: float
    high: float

    @property
    def share(self) -> float:
        """Half the way from the smallest to the largest, as a share of the median."""
        return (self.high - self.low) / 2 / self.median if self.median else 0.0


def spread(values: Sequence[float]) -> Spread:
    """Sum up one figure over rounds, at least one."""
    return Spread(statistics.median(values), min(values), max(values))


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """Give a percentile by nearest rank, or None where too few values lie beyond it for it to mean something.

    Args:
        ordered: Ascending.
        share: Between 0 and 1, such as 0.99.
    """
    rank = math.ceil(share * len(ordered))
    beyond = len(ordered) - rank
    if not ordered or (share > MIDDLE and beyond < BEYOND):
        return None
    return ordered[max(rank, 1) - 1]


def slope(times: Sequence[float], values: Sequence[float]) -> float:
    """Give the slope of the least-squares line: change of the values per unit of time."""
    middle, mean = statistics.fmean(times), statistics.fmean(values)
    spread_ = sum((time - middle) ** 2 for time in times)
    return sum((time - middle) * (value - mean) for time, value in zip(times, values, strict=True)) / spread_ if spread_ else 0.0
