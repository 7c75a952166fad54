"""Task metrics by name, and how sure they are: one implementation for training, for the release gate and on the device.

A metric is computed from what each sample contributes, so that every one of them has an interval and can be compared
between two models that answered the same samples. numpy only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable, Optional, Union

import numpy as np

from edge import detection
from edge.contract import Contract
from edge.detection import MeanAveragePrecision
from edge.errors import ContractError

Array = Any  # of numpy; its type parameters differ from version to version
_Z = 1.959963984540054  # 95 %, both sides
_RESAMPLED = 1000
_ALIKE = 0.1  # of the standard deviation
_SAME_WAY = 0.95  # cosine
_AT_ONCE = 512  # vectors that are compared with all others
_PEAK = 1.0  # the largest value of a signal whose PSNR is measured


@dataclass(frozen=True)
class Measure:
    """A metric.

    `contributions` turns outputs (N, …) and targets (N, …) into (N, K) float64, one row a sample; `value` turns the
    mean row, (K,), into the metric; `share` tells that it is a share of samples, 0–1, `classes` that outputs are scores
    of classes (N, …, C), `choices` that outputs and targets say what each choice is worth, (N, C), and the best is taken,
    `among` that a sample is judged by the others, so that parts cannot be added up.
    """

    direction: str
    contributions: Callable[[Array, Array], Array]
    value: Callable[[Array], Array]
    share: bool = False
    classes: bool = True
    choices: bool = False
    among: bool = False

    def of(self, outputs: Array, targets: Array) -> float:
        """Compute the metric of outputs (N, …) against targets (N, …)."""
        return float(self.value(self.contributions(outputs, targets).mean(axis=0)))

    def interval(self, outputs: Array, targets: Array) -> tuple[float, float]:
        """Give the 95 % interval: Wilson's for a share, else from resampled samples (Efron, 1979), seed 0."""
        rows = self.contributions(outputs, targets)
        if self.share:
            return wilson(float(rows.mean()), len(rows))
        values = self._resampled(rows)
        return float(np.quantile(values, 0.025)), float(np.quantile(values, 0.975))

    def loss(self, outputs: Array, reference: Array, targets: Array) -> tuple[float, float, float]:
        """Give how much worse outputs are than a reference's on the same samples, with the 95 % interval.

        Returns:
            (loss, low, high); positive is worse, whichever direction is better.
        """
        ours, theirs = self.contributions(outputs, targets), self.contributions(reference, targets)
        sign = 1.0 if self.direction == "higher" else -1.0
        loss = sign * float(self.value(theirs.mean(axis=0)) - self.value(ours.mean(axis=0)))
        if self.share:
            reach = _Z * float((theirs - ours).std()) / math.sqrt(len(ours))
            return loss, loss - reach, loss + reach
        losses = sign * (self._resampled(theirs) - self._resampled(ours))
        return loss, float(np.quantile(losses, 0.025)), float(np.quantile(losses, 0.975))

    def agree(self, outputs: Array, reference: Array) -> Array:
        """Tell which samples are answered alike, (N,) bool.

        Alike is the same best class everywhere, and for values a root mean square difference of no more than a tenth
        of the standard deviation of the reference. Choices are alike where the one that is taken is worth, by the
        reference, no more than that less than the best: where two are equally good, either will do. Vectors that are
        judged among others are alike where they point nearly the same way: a cosine of 0.95.
        """
        if self.classes:
            same = outputs.argmax(axis=-1) == reference.argmax(axis=-1)
            return same.reshape(len(same), -1).all(axis=1)
        expected = reference.astype(np.float64)
        if self.among:
            return (_unit(outputs) * _unit(expected)).sum(axis=1) >= _SAME_WAY
        if self.choices:
            return _regret(outputs, expected)[:, 0] <= _ALIKE * expected.std()
        return np.sqrt(_square(outputs, expected)[:, 0]) <= _ALIKE * expected.std()

    def _resampled(self, rows: Array) -> Array:
        """Compute the metric on samples drawn with replacement, (_RESAMPLED,); equal counts give the same draws."""
        random = np.random.default_rng(0)
        count = len(rows)
        means = np.stack([rows[random.integers(0, count, count)].mean(axis=0) for _ in range(_RESAMPLED)])
        return self.value(means.T) if rows.shape[1] > 1 else self.value(means[:, 0][None])


AnyMeasure = Union[Measure, MeanAveragePrecision]


def measure(name: str, contract: Optional[Contract] = None) -> AnyMeasure:
    """Return a metric.

    Args:
        name: Of `MEASURES`, or of `edge.detection.LEVELS`.
        contract: Whose outputs are measured; metrics of boxes need it to decode them.

    Raises:
        ContractError: None is called so, the message lists them; or boxes are to be measured that the contract does not decode.
    """
    if name in detection.LEVELS:
        if contract is None:
            raise ContractError(f"metric: {name} judges boxes, which only a contract can decode; give the contract")
        return detection.bound(name, contract)
    if name not in MEASURES:
        raise ContractError(f"metric: no metric is called {name!r}; there are {', '.join((*MEASURES, *detection.LEVELS))}")
    return MEASURES[name]


def wilson(share: float, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of `count` samples. Source: Wilson, 1927."""
    centre = share + _Z * _Z / (2 * count)
    reach = _Z * math.sqrt(share * (1 - share) / count + _Z * _Z / (4 * count * count))
    scale = 1 + _Z * _Z / count
    return max(0.0, (centre - reach) / scale), min(1.0, (centre + reach) / scale)


def cross_entropies(logits: Array, targets: Array) -> Array:
    """Return the cross-entropy of each answer in nats: logits (…, C), classes (…) → (…) float64."""
    scores = logits.astype(np.float64)
    scores = scores - scores.max(axis=-1, keepdims=True)
    normaliser = np.log(np.exp(scores).sum(axis=-1))
    right = np.take_along_axis(scores, targets.astype(np.int64)[..., None], axis=-1)[..., 0]
    return normaliser - right


def _right(outputs: Array, targets: Array) -> Array:
    right = (outputs.argmax(axis=-1) == targets).astype(np.float64)
    return right.reshape(len(right), -1).mean(axis=1, keepdims=True)


def _found(outputs: Array, targets: Array) -> Array:
    """Count true and false alarms and misses of class 1: (N, 3)."""
    said, true = outputs.argmax(axis=1) == 1, targets == 1
    return np.stack([said & true, said & ~true, ~said & true], axis=1).astype(np.float64)


def _f1(means: Array) -> Array:
    hit, alarm, miss = means
    whole = 2 * hit + alarm + miss
    return np.where(whole > 0, 2 * hit / np.where(whole > 0, whole, 1.0), 0.0)


def _nats(outputs: Array, targets: Array) -> Array:
    return cross_entropies(outputs, targets).reshape(len(targets), -1).mean(axis=1, keepdims=True)


def _square(outputs: Array, targets: Array) -> Array:
    return np.square(outputs.astype(np.float64) - targets).reshape(len(outputs), -1).mean(axis=1, keepdims=True)


def _distance(outputs: Array, targets: Array) -> Array:
    return np.abs(outputs.astype(np.float64) - targets).reshape(len(outputs), -1).mean(axis=1, keepdims=True)


def _psnr(outputs: Array, targets: Array) -> Array:
    return 10 * np.log10(_PEAK * _PEAK / np.maximum(_square(outputs, targets), 1e-12))


def _share_off(outputs: Array, targets: Array) -> Array:
    expected = targets.astype(np.float64)
    shares = np.abs(outputs - expected) / np.maximum(np.abs(expected), 1e-12)
    return shares.reshape(len(outputs), -1).mean(axis=1, keepdims=True)


def _regret(outputs: Array, targets: Array) -> Array:
    worth = targets.astype(np.float64)
    return worth.max(axis=1, keepdims=True) - np.take_along_axis(worth, outputs.argmax(axis=1)[:, None], axis=1)


def _rated(outputs: Array, targets: Array) -> Array:
    """Sum up squared errors where something was rated, and count it: (N, 2)."""
    known = targets != 0
    squares = np.where(known, np.square(outputs.astype(np.float64) - targets), 0.0)
    return np.stack([squares.reshape(len(targets), -1).sum(axis=1), known.reshape(len(targets), -1).sum(axis=1)], axis=1)


def _root_of_rated(means: Array) -> Array:
    return np.sqrt(means[0] / np.maximum(means[1], 1e-12))


def _unit(vectors: Array) -> Array:
    flat = vectors.reshape(len(vectors), -1).astype(np.float64)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)


def _neighbour_alike(outputs: Array, targets: Array) -> Array:
    """Tell of each vector, (N, D), whether the nearest of the others by cosine is of the same group, (N, 1): (N, 1)."""
    vectors = _unit(outputs)
    nearest = np.zeros(len(vectors), np.int64)
    for start in range(0, len(vectors), _AT_ONCE):
        alike = vectors[start : start + _AT_ONCE] @ vectors.T
        alike[np.arange(len(alike)), start + np.arange(len(alike))] = -np.inf  # nobody is a neighbour of its own
        nearest[start : start + _AT_ONCE] = alike.argmax(axis=1)
    groups = targets.reshape(len(targets), -1)
    return (groups[nearest] == groups).all(axis=1, keepdims=True).astype(np.float64)


def _first(means: Array) -> Array:
    return means[0]


MEASURES: Mapping[str, Measure] = dict(
    accuracy=Measure("higher", _right, _first, share=True),
    f1=Measure("higher", _found, _f1),
    perplexity=Measure("lower", _nats, lambda means: np.exp(means[0])),
    rmse=Measure("lower", _square, lambda means: np.sqrt(means[0]), classes=False),
    mae=Measure("lower", _distance, _first, classes=False),
    mape=Measure("lower", _share_off, _first, classes=False),  # a share of the right value, for values of any size
    regret=Measure("lower", _regret, _first, classes=False, choices=True),  # what the choices that are taken lose against the best
    rated_rmse=Measure("lower", _rated, _root_of_rated, classes=False),  # targets of 0 say that nobody rated that
    psnr=Measure("higher", _psnr, _first, classes=False),
    precision_at_1=Measure("higher", _neighbour_alike, _first, share=True, classes=False, among=True),  # of vectors, to search by
)
