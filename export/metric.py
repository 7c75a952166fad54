"""Task metrics, and how sure they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from edge.contract import Metric
from edge.errors import GateError

Array = np.ndarray[Any, Any]


def accuracy(scores: Array, target: Array) -> float:
    """Share of samples whose highest score is the right class. Args: scores (N, C), target (N,) int64. Returns 0–1."""
    return float(np.mean(scores.argmax(axis=1) == target))


METRICS: Mapping[str, Callable[[Array, Array], float]] = {"accuracy": accuracy}


def measure(metric: Metric, scores: Array, target: Array) -> float:
    """Compute the contract's metric.

    Raises:
        GateError: No metric is called so.
    """
    function = METRICS.get(metric.name)
    if function is None:
        raise GateError(f"no metric is called {metric.name!r}; there are {', '.join(METRICS)}")
    return function(scores, target)


def wilson(share: float, count: int) -> tuple[float, float]:
    """Give the 95 % interval of a share of `count` samples.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference" (1927).
    """
    z = 1.959963984540054
    centre = share + z * z / (2 * count)
    reach = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    return max(0.0, (centre - reach) / scale), min(1.0, (centre + reach) / scale)


def paired_drop(scores: Array, reference: Array, target: Array) -> tuple[float, float, float]:
    """Give how much accuracy is lost against the reference on the same samples, with its 95 % interval.

    Only samples on which one is right and the other wrong count, so the interval is far narrower than that of two
    independent accuracies.

    Args:
        scores: (N, C) of the file under test.
        reference: (N, C) of the trainer.
        target: (N,) int64.

    Returns:
        (drop, low, high); positive is a loss.
    """
    lost = (reference.argmax(axis=1) == target).astype(float) - (scores.argmax(axis=1) == target).astype(float)
    reach = 1.959963984540054 * float(lost.std()) / math.sqrt(len(lost))
    drop = float(lost.mean())
    return drop, drop - reach, drop + reach


def confusion(scores: Array, target: Array, classes: int) -> Array:
    """Count (true class, answered class) pairs: (classes, classes) int64."""
    counts = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(counts, (target, scores.argmax(axis=1)), 1)
    return counts
