"""Which topic a new text is of: that of the nearest centre, if it is near enough; and how near is enough, measured.

What is right for a text that topics were not found with is the topic that it would have had with them: they are found once more,
with all texts, and each topic found then stands for the one that most of its old texts are of.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.recipe import Array
from training.topics.finding import NOTHING, TopicSettings, centres, find


@dataclass(frozen=True)
class Found:
    """Topics that were found.

    Attributes:
        labels: The topic of each text that they were found with, (N,) int64, -1 for none.
        held_out: The topic that each further text would have had with them, (M,) int64.
        centres: (T, D) float64, each of length 1.
        threshold: The least cosine with the nearest centre for a new text to be of its topic.
        kept: The share of the N texts that keep their topic where topics are found anew with all N + M.
    """

    labels: Array
    held_out: Array
    centres: Array
    threshold: float
    kept: float


def look(vectors: Array, further: Array, measured: Array, settings: TopicSettings, where: str = "the texts") -> Found:
    """Find topics and how near a new text must be.

    Args:
        vectors: (N, D) of the texts that topics are found with.
        further: (M, D) of texts that they are not found with.
        measured: Which of those measure the threshold, (K,) int64 rows.
        settings: How topics are found.
        where: What the texts are, for messages.

    Raises:
        InputError: There are too few texts, or no topics in them.
        SetupError: A library is missing.
    """
    labels = find(vectors, settings, where)
    anew = with_them(vectors, labels, further, settings)
    right, middle = anew[len(vectors) :], centres(vectors, labels)
    kept = float((anew[: len(vectors)] == labels).mean())
    return Found(labels, right, middle, near_enough(further[measured] @ middle.T, right[measured]), kept)


def with_them(vectors: Array, labels: Array, further: Array, settings: TopicSettings) -> Array:
    """Find topics of vectors, (N, D), with labels (N,), once more, together with further ones, (M, D).

    Returns:
        The topics of all, (N + M,) int64, named by the old ones.
    """
    anew = find(np.concatenate([vectors, further]), settings)
    old = anew[: len(vectors)]
    stands_for = np.full(int(anew.max()) + 2, NOTHING, np.int64)  # the last is for none
    for topic in range(int(anew.max()) + 1):
        own = labels[old == topic]
        if len(own):
            values, counts = np.unique(own, return_counts=True)
            stands_for[topic] = values[counts.argmax()]
    return np.asarray(stands_for[anew])


def near_enough(cosines: Array, right: Array) -> float:
    """Return the threshold that serves texts with a topic and texts with none equally well; the middle one of those that do.

    That is the greatest sum of the share of right answers among texts that have a topic and among those that have none: mere
    numbers would always say none, where most texts have none.

    Args:
        cosines: (M, T), of each text with each centre.
        right: (M,) int64, -1 for no topic.
    """
    has = right >= 0
    tried = np.linspace(0, 1, 201)
    hits = np.array([assigned(cosines, float(one)) == right for one in tried])  # (tried, M)
    served = sum(hits[:, kind].mean(axis=1) for kind in (has, ~has) if kind.any())
    best = np.flatnonzero(np.isclose(served, np.max(served)))
    return float(tried[best[len(best) // 2]])


def assigned(cosines: Array, threshold: float) -> Array:
    """Return the nearest topic of each text, (M, T) to (M,) int64; -1 where the nearest is not near enough."""
    return np.where(cosines.max(axis=1) >= threshold, cosines.argmax(axis=1), NOTHING).astype(np.int64)
