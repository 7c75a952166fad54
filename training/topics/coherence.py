"""How well topics hold together: whether their words stand in the same texts (NPMI), and whether they come out again.

Coherence by normalised pointwise mutual information over the corpus' own texts. Source: Bouma, "Normalized (pointwise) mutual
information in collocation extraction" (2009); Lau, Newman and Baldwin, "Machine reading tea leaves" (2014).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.recipe import Array
from training.topics import words
from training.topics.words import Counted

TOP = 10  # words of a topic that are held against each other
_RESAMPLED = 200


@dataclass(frozen=True)
class Coherence:
    """The mean NPMI over topics, from -1 to 1, its 95 % interval, and that of each topic."""

    mean: float
    low: float
    high: float
    each: tuple[float, ...]


def npmi(counted: Counted, listed: Sequence[Sequence[str]], rows: Array | None = None) -> Array:
    """Measure each topic: the mean NPMI over all pairs of its words, (T,) float64; 0 for a topic of fewer than two words.

    Args:
        counted: Which words stand in which texts.
        listed: The words of each topic.
        rows: The texts that count, (M,) int64; each as often as it is given.
    """
    place = {word: number for number, word in enumerate(counted.words)}
    found = np.zeros(len(listed))
    for topic, own in enumerate(listed):
        columns = counted.there[:, [place[word] for word in own]]
        columns = (columns if rows is None else columns[rows]).astype(np.float64)
        if columns.shape[1] > 1:
            pairs = np.triu_indices(columns.shape[1], 1)
            alone = columns.mean(axis=0)
            both = (columns.T @ columns / len(columns))[pairs]
            found[topic] = _normalised(both, alone[pairs[0]] * alone[pairs[1]]).mean()
    return found


def coherence(counted: Counted, listed: Sequence[Sequence[str]]) -> Coherence:
    """Measure topics by their words; the interval is of texts drawn with replacement (Efron, 1979), seed 0.

    Draws lose pairs of words that come together in few texts, and so lie lower all together: their spread is what counts, and it
    is put around the value.
    """
    each = npmi(counted, listed)
    random = np.random.default_rng(0)
    size = len(counted.there)
    drawn = np.array([npmi(counted, listed, random.integers(0, size, size)).mean() for _ in range(_RESAMPLED)])
    low, high = (float(each.mean() + edge) for edge in np.quantile(drawn - drawn.mean(), (0.025, 0.975)))
    return Coherence(float(each.mean()), low, high, tuple(float(one) for one in each))


def of_labels(counted: Counted, labels: Array, documents: Counted | None = None) -> float:
    """Return the mean coherence of the topics that labels, (N,) int64 with -1 for none, make of the texts.

    Args:
        counted: The words of the N texts, which name the topics.
        labels: The topic of each.
        documents: Where words are looked for together, if not in the texts.
    """
    return float(npmi(documents or counted, words.top(counted, labels, TOP)).mean())


def k_means(vectors: Array, count: int, seeds: int = 10) -> list[Array]:
    """Part vectors, (N, D), into `count` clusters, once for each seed: (N,) int64 each."""
    from sklearn.cluster import KMeans

    return [np.asarray(KMeans(count, n_init=1, random_state=seed).fit(vectors).labels_, np.int64) for seed in range(seeds)]


def together(labels: Array, groups: Sequence[int]) -> tuple[float, float]:
    """Return how often two texts of one group, and two of different groups, have the same topic, where both have one.

    Args:
        labels: (N,) int64, -1 for no topic.
        groups: (N,), such as the number of the review that a sentence is of; what finds topics is not told of them.
    """
    kept = labels >= 0
    topics, group = labels[kept], np.unique(np.asarray(groups)[kept], return_inverse=True)[1].reshape(-1)
    if not kept.any():
        return 0.0, 0.0
    table = np.zeros((int(group.max()) + 1, int(topics.max()) + 1))
    np.add.at(table, (group, topics), 1)
    count = len(topics)
    same_group = float((table.sum(axis=1) ** 2).sum()) - count
    same_both = float((table**2).sum()) - count
    same_topic = float((table.sum(axis=0) ** 2).sum()) - count
    across = count * (count - 1) - same_group
    return same_both / max(same_group, 1.0), (same_topic - same_both) / max(across, 1.0)


def _normalised(both: Array, by_chance: Array) -> Array:
    """Turn the probability of each pair, and that by chance, into NPMI; -1 for a pair that never comes."""
    there = both > 0
    sure = np.where(there, both, 0.5)
    value = np.log(sure / np.maximum(by_chance, 1e-300)) / -np.log(np.minimum(sure, 1 - 1e-12))
    return np.where(there, np.clip(value, -1, 1), -1.0)
