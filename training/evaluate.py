"""How good a classifier is: accuracy, confusion matrix, and precision, recall and F1 of each class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from edge import measures
from training.recipe import Array, Split

Predict = Callable[[Mapping[str, Array]], Array]
BATCH = 1000


@runtime_checkable
class Several(Protocol):
    """A `Predict` whose model may give more than the one output that is judged."""

    def every(self, inputs: Mapping[str, Array]) -> tuple[Array, ...]:
        """Answer arrays (B, …) by input name with all outputs (B, …), the judged one first."""


def every(run: Predict, inputs: Mapping[str, Array]) -> tuple[Array, ...]:
    """Answer arrays (B, …) by input name with all outputs (B, …) that a model gives."""
    return run.every(inputs) if isinstance(run, Several) else (run(inputs),)


@dataclass(frozen=True)
class ClassFigures:
    """The figures of one class; a ratio without a denominator is 0."""

    label: str
    precision: float
    recall: float
    f1: float
    count: int


@dataclass(frozen=True)
class Evaluation:
    """The figures of one split; `metric` is the contract's, with its 95 % interval.

    `confusion` is (C, C) int64: row = the true class, column = the answer.
    """

    accuracy: float
    metric: float
    interval: tuple[float, float]
    loss: float
    count: int
    confusion: Array
    classes: tuple[ClassFigures, ...]


def evaluate(logits: Array, targets: Array, labels: tuple[str, ...], metric: str = "accuracy") -> Evaluation:
    """Compare a classifier's answers with the truth.

    Args:
        logits: (N, C) float32, unnormalised scores.
        targets: (N,) int64, true classes.
        labels: The name of each class.
        metric: A name in `edge.measures`.
    """
    matrix = confusion_matrix(targets, logits.argmax(axis=1), len(labels))
    decisive = measures.measure(metric)
    count = len(targets)
    return Evaluation(
        accuracy=float(np.trace(matrix) / count),
        metric=decisive.of(logits, targets),
        interval=decisive.interval(logits, targets),
        loss=cross_entropy(logits, targets),
        count=count,
        confusion=matrix,
        classes=per_class(matrix, labels),
    )


def confusion_matrix(targets: Array, answers: Array, classes: int) -> Array:
    """Count answers by true class.

    Args:
        targets: (N,) int64, true classes.
        answers: (N,) int64, predicted classes.
        classes: How many there are.

    Returns:
        (C, C) int64: row = the true class, column = the answer.
    """
    return np.bincount(targets * classes + answers, minlength=classes * classes).reshape(classes, classes)


def per_class(matrix: Array, labels: tuple[str, ...]) -> tuple[ClassFigures, ...]:
    """Return precision, recall and F1 of each class of a (C, C) confusion matrix."""
    right = np.diag(matrix)
    answered, true = matrix.sum(axis=0), matrix.sum(axis=1)
    figures = []
    for i, label in enumerate(labels):
        precision, recall = _ratio(right[i], answered[i]), _ratio(right[i], true[i])
        f1 = _ratio(2 * right[i], answered[i] + true[i])
        figures.append(ClassFigures(label, precision, recall, f1, int(true[i])))
    return tuple(figures)


def cross_entropy(logits: Array, targets: Array) -> float:
    """Return the mean cross-entropy of (N, C) logits and (N,) classes, in nats."""
    return float(measures.cross_entropies(logits, targets).mean())


def predict(run: Predict, split: Split, batch: int = BATCH) -> Array:
    """Run a model over a split in batches.

    Args:
        run: Takes arrays (B, …) by input name and gives (B, C).
        split: The samples, one or more.
        batch: How many at once.

    Returns:
        (N, C), in the order of the samples.
    """
    parts = [run({name: array[start : start + batch] for name, array in split.inputs.items()}) for start in range(0, len(split), batch)]
    return np.concatenate(parts)


def _ratio(part: int, whole: int) -> float:
    return float(part / whole) if whole else 0.0
