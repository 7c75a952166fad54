"""ROUGE: how much of a reference a summary has, by words, pairs of words, and their longest common order.

A word is a run of letters and digits in small letters, or one sign of a script without spaces. Nothing is stemmed and no word is
left out, so figures are those of the package `rouge-score` without its stemmer.

Source: C.-Y. Lin, "ROUGE: A Package for Automatic Evaluation of Summaries" (2004).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from training.recipe import Array

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[a-z0-9]+")


class Rouge(NamedTuple):
    """The shares of a summary's units that the reference has, of the reference's that the summary has, and their harmonic mean."""

    precision: float
    recall: float
    f1: float


def words(text: str) -> list[str]:
    """Take a text apart."""
    return _WORD.findall(text.lower())


def rouge_n(summary: str, reference: str, size: int) -> Rouge:
    """Compare the rows of `size` words; each counts as often as both texts have it."""
    one, other = (_rows(words(text), size) for text in (summary, reference))
    return _rouge(sum((one & other).values()), sum(one.values()), sum(other.values()))


def rouge_l(summary: str, reference: str) -> Rouge:
    """Compare the longest row of words that both texts have in this order, with others between them."""
    one, other = words(summary), words(reference)
    return _rouge(common(one, other), len(one), len(other))


def common(one: Sequence[str], other: Sequence[str]) -> int:
    """Count the words of the longest row that two lists have in common."""
    lengths = [0] * (len(other) + 1)
    for word in one:
        before = 0  # what stood to the left in the row above
        for place, against in enumerate(other, 1):
            above = lengths[place]
            lengths[place] = before + 1 if word == against else max(above, lengths[place - 1])
            before = above
    return lengths[-1]


def bootstrap(values: Array, draws: int = 10_000, seed: int = 0) -> tuple[float, float]:
    """Give the 95 % interval of the mean of (N,) values, of texts drawn anew from the same ones.

    Source: B. Efron, "Bootstrap Methods" (1979); the interval is that of the percentiles.
    """
    rows = np.random.default_rng(seed).integers(0, len(values), (draws, len(values)))
    low, high = np.percentile(values[rows].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def _rows(found: list[str], size: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(found[i:] for i in range(size)), strict=False))


def _rouge(shared: int, one: int, other: int) -> Rouge:
    precision, recall = shared / one if one else 0.0, shared / other if other else 0.0
    return Rouge(precision, recall, 2 * precision * recall / (precision + recall) if shared else 0.0)
