"""The contract's metric of a file's answers, and how much of it is lost against the trainer's."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge import measures
from edge.contract import Metric
from edge.errors import ContractError, GateError
from edge.measures import Measure

Array = np.ndarray[Any, Any]


def decisive(metric: Metric) -> Measure:
    """Return the measure that the contract's metric names.

    Raises:
        GateError: No metric is called so, or the contract wants it the other way round.
    """
    try:
        found = measures.measure(metric.name)
    except ContractError as error:
        raise GateError(str(error)) from None
    if found.direction != metric.direction:
        raise GateError(f"metric: of {metric.name} {found.direction} is better, the contract says {metric.direction}; correct the contract")
    return found


def confusion(scores: Array, target: Array, classes: int) -> Array:
    """Count (true class, answered class) pairs: (classes, classes) int64."""
    counts = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(counts, (target, scores.argmax(axis=1)), 1)
    return counts
