"""From class scores to an answer: probabilities and the best labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.errors import ContractError
from edge.steps.context import Context

Vector = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Ranked:
    """One class of a ranking: its label, its index and its score."""

    label: str
    index: int
    score: float


def softmax(value: Vector, context: Context) -> Vector:
    """Turn logits into probabilities, softened by the contract's temperature.

    Args:
        value: (C,) float32 logits.
        context: Gives `temperature`, above 0.

    Returns:
        (C,) float32, each 0–1, sum 1. Computed in float64, shifted by the maximum, so it never overflows.
    """
    _check_vector("softmax", value)
    scaled = np.asarray(value, dtype=np.float64) / context.temperature
    powers = np.exp(scaled - scaled.max())
    return np.asarray(powers / powers.sum(), dtype=np.float32)


def top_k(value: Vector, context: Context, *, k: int = 5) -> tuple[Ranked, ...]:
    """Rank the classes.

    Args:
        value: (C,) scores, higher is better.
        context: Gives the labels; an unnamed class is called by its index.
        k: How many to give at most, at least 1.

    Returns:
        The best first; among equals the lower index first.

    Raises:
        ContractError: The contract names a number of labels other than C.
    """
    _check_vector("top_k", value)
    if context.labels and len(context.labels) != len(value):
        raise ContractError(f"the model gives {len(value)} scores, but the contract has {len(context.labels)} labels; they must be equal")
    order = np.argsort(-np.asarray(value), kind="stable")[:k]
    return tuple(Ranked(context.labels[i] if context.labels else str(i), int(i), float(value[i])) for i in order)


def check_top_k(k: Any = 5) -> str:
    """Say what is wrong with the parameters of `top_k`; empty where nothing is."""
    return "" if type(k) is int and k >= 1 else f"has k={k!r}, expected a whole number of at least 1"


def _check_vector(step: str, value: Any) -> None:
    if not isinstance(value, np.ndarray) or value.ndim != 1:
        came = f"an array {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
        raise ContractError(f"{step} got {came}, expected scores (C,); mend the order of the contract's postprocess steps")
