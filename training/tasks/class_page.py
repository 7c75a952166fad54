"""A classifier's part of the run's page: its confusion matrix, and the samples that it gets wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training import panels
from training.calibration import probabilities
from training.recipe import Array, Split

MOST_SHOWN = 24  # samples
MOST_PAIRS = 10
MOST_CLASSES = 30  # of a confusion matrix; beyond that its largest entries are listed only


@dataclass(frozen=True)
class Mistake:
    """A test sample answered wrongly: its row in eval.npz, a picture where it is one, and how sure the answer was."""

    row: int
    true: str
    answered: str
    probability: float
    probability_of_true: float
    picture: str | None


@dataclass(frozen=True)
class Pair:
    """How many samples of a class were answered as another, and their share of the class."""

    true: str
    answered: str
    count: int
    share: float


def mistakes(split: Split, logits: Array, classes: tuple[str, ...], temperature: float = 1.0) -> list[Mistake]:
    """Return the samples that were answered wrongly with the greatest confidence, the surest first, 24 at most.

    Args:
        split: The samples.
        logits: (N, C) float32, the answers.
        classes: The name of each class.
        temperature: Of the contract.
    """
    shares = probabilities(logits, temperature)  # (N, C)
    answers, sure = shares.argmax(axis=1), shares.max(axis=1)
    wrong = np.flatnonzero(logits.argmax(axis=1) != split.targets)
    first = next(iter(split.inputs.values()))
    return [
        Mistake(
            row=int(row),
            true=classes[split.targets[row]],
            answered=classes[answers[row]],
            probability=float(sure[row]),
            probability_of_true=float(shares[row, split.targets[row]]),
            picture=panels.sample(first[row]),
        )
        for row in wrong[np.argsort(-sure[wrong], kind="stable")][:MOST_SHOWN]
    ]


def confused(matrix: Array, classes: tuple[str, ...]) -> list[Pair]:
    """Return the pairs of classes that are taken for one another most often, 10 at most.

    Args:
        matrix: (C, C) int64: row = the true class, column = the answer.
        classes: The name of each class.
    """
    errors = np.where(np.eye(len(matrix), dtype=bool), 0, matrix)
    order = np.argsort(-errors, axis=None, kind="stable")[:MOST_PAIRS]
    places = [divmod(int(place), len(matrix)) for place in order]
    return [
        Pair(classes[true], classes[answer], int(errors[true, answer]), float(errors[true, answer] / matrix[true].sum()))
        for true, answer in places
        if errors[true, answer]
    ]


def shaded(matrix: Array) -> list[list[tuple[int, float]]]:
    """Return each count of a (C, C) confusion matrix with its shade, 0–1: of mistakes only, the most frequent at 1."""
    errors = np.where(np.eye(len(matrix), dtype=bool), 0, matrix)
    shades = np.sqrt(errors / max(1, int(errors.max())))
    return [
        [(int(count), float(shade)) for count, shade in zip(counts, row, strict=True)] for counts, row in zip(matrix, shades, strict=True)
    ]
