"""Confidence that can be believed: a temperature fitted on the validation split, and how far confidence is from accuracy.

Source: Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks" (2017).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.evaluate import cross_entropy
from training.recipe import Array, Splits

COLDEST, HOTTEST = 0.05, 20.0  # where no temperature is best (all answers right, or all wrong), the bound is taken
BINS = 15
_DIGITS = 4
_GOLDEN = (math.sqrt(5) - 1) / 2
_PRECISION = 1e-6  # of log T: less than half a digit of what is kept


@dataclass(frozen=True)
class Reliability:
    """How often a classifier is right when it says that it is sure by so much.

    `counts`, `confidence` and `accuracy` are (BINS,): samples, their mean confidence and the share of right answers in
    each bin of equal width from 0 to 1; both are 0 in an empty bin. `loss` is the mean cross-entropy in nats.
    """

    counts: Array
    confidence: Array
    accuracy: Array
    loss: float

    @property
    def error(self) -> float:
        """The expected calibration error: the mean distance of confidence from accuracy, weighted by samples."""
        return float(np.sum(self.counts * np.abs(self.accuracy - self.confidence)) / self.counts.sum())


@dataclass(frozen=True)
class Calibration:
    """A temperature, and the reliability of each split without it (`before`) and with it (`after`)."""

    temperature: float
    before: Mapping[str, Reliability]
    after: Mapping[str, Reliability]

    def to_json(self) -> dict[str, Any]:
        """Give the figures as JSON data: temperature, and error and loss of each split."""
        splits = {
            part: {
                "ece_before": self.before[part].error,
                "ece_after": self.after[part].error,
                "loss_before": self.before[part].loss,
                "loss_after": self.after[part].loss,
            }
            for part in self.before
        }
        return {"temperature": self.temperature, "bins": BINS, "fitted_on": "validation", **splits}


def calibrate(logits: Mapping[str, Array], splits: Splits) -> Calibration:
    """Fit the temperature on the validation split and measure it on every split that was answered.

    Args:
        logits: (N, C) float32 by split; `validation` among them.
        splits: The data that was answered.
    """
    targets = {part: split.targets for part, split in splits.parts().items() if part in logits}
    temperature = fit_temperature(logits["validation"], targets["validation"])
    return Calibration(
        temperature,
        before={part: reliability(logits[part], truth) for part, truth in targets.items()},
        after={part: reliability(logits[part], truth, temperature) for part, truth in targets.items()},
    )


def fit_temperature(logits: Array, targets: Array) -> float:
    """Return the temperature that makes the right classes most likely; it changes no answer.

    The loss is convex in 1/T, so it has one valley in log T, which a golden-section search closes in on.

    Args:
        logits: (N, C) float32, unnormalised scores.
        targets: (N,) int64, true classes.

    Returns:
        From 0.05 to 20, of 4 digits; 1 where no other is better.
    """

    def loss(temperature: float) -> float:
        return cross_entropy(logits.astype(np.float64) / temperature, targets)

    best = math.exp(_lowest(lambda power: loss(math.exp(power)), math.log(COLDEST), math.log(HOTTEST)))
    return min(1.0, COLDEST, HOTTEST, round(best, _DIGITS), key=loss)


def reliability(logits: Array, targets: Array, temperature: float = 1.0) -> Reliability:
    """Compare confidence with accuracy, bin by bin.

    Args:
        logits: (N, C) float32, unnormalised scores.
        targets: (N,) int64, true classes.
        temperature: Divides the logits, above 0.
    """
    sure = probabilities(logits, temperature).max(axis=1)  # (N,)
    right = logits.argmax(axis=1) == targets
    bins = np.clip(np.ceil(sure * BINS).astype(np.int64) - 1, 0, BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    whole = np.maximum(counts, 1)
    return Reliability(
        counts,
        confidence=np.bincount(bins, sure, BINS) / whole,
        accuracy=np.bincount(bins, right, BINS) / whole,
        loss=cross_entropy(logits.astype(np.float64) / temperature, targets),
    )


def probabilities(logits: Array, temperature: float = 1.0) -> Array:
    """Turn (N, C) logits into (N, C) float64 probabilities, softened by a temperature as the contract's softmax does."""
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    shares: Array = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _lowest(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function with one valley is lowest between two bounds. Source: Kiefer, 1953 (golden section)."""
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > _PRECISION:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = function(right)
    return (low + high) / 2
