"""How good topics are, in figures for people, against k-means on the same texts; and their map."""

from __future__ import annotations

import numpy as np

from training.recipe import Array
from training.topics import coherence, words
from training.topics.finding import TopicSettings, places, reduced
from training.topics.splits import TopicSplits
from training.topics.topic_map import Mapped, page, picture
from training.topics.words import Counted

_MAP_FEATURES = 50


def judge(splits: TopicSplits) -> dict[str, float]:
    """Measure the topics.

    Coherence is that of the words that name them, in all texts. k-means gets the same texts and as many clusters, and no way to
    say that a text is of none; so it is measured on the texts in heaps alone, too.
    """
    heaps, told = splits.in_heaps(), splits.of_all()
    train = splits.rows["train"]
    figures = {
        "topics": float(len(splits.names)),
        "share of the texts in no heap": float((splits.found.labels < 0).mean()),
        "share of all texts told to be of no topic": float((told < 0).mean()),
        "threshold, cosine": splits.found.threshold,
        "share that keeps its topic with a quarter more texts": splits.found.kept,
        **_held_out(splits, told),
    }
    for place, documents in _documents(splits).items():
        measured = coherence.coherence(documents, words.top(splits.counted, heaps, coherence.TOP))
        figures[f"coherence {place}"] = measured.mean
        figures[f"coherence {place}, 95 % from"], figures[f"coherence {place}, 95 % to"] = measured.low, measured.high
        figures[f"coherence {place}, of what texts are told"] = coherence.of_labels(splits.counted, told, documents)
        for name, rows in (("k-means", train), ("k-means, texts in heaps", np.flatnonzero(heaps >= 0))):
            parts = [_spread(part, rows, len(heaps)) for part in coherence.k_means(splits.vectors[rows], len(splits.names))]
            values = [coherence.of_labels(splits.counted, part, documents) for part in parts]
            figures[f"coherence {place}, {name}"] = float(np.mean(values))
            figures[f"coherence {place}, {name}, least of ten seeds"] = min(values)
            figures[f"coherence {place}, {name}, most of ten seeds"] = max(values)
            if splits.corpus.reviews:
                figures |= _by_review(name, parts[0], splits)
    return figures | (_by_review("topics", heaps, splits) if splits.corpus.reviews else {})


def _documents(splits: TopicSplits) -> dict[str, Counted]:
    """Return where words are looked for together: in a text, and where texts are parts of reviews in a whole review."""
    found = {"in a text": splits.counted}
    if splits.corpus.reviews:
        numbers = np.unique(np.array(splits.corpus.groups), return_inverse=True)[1].reshape(-1)
        there = np.zeros((int(numbers.max()) + 1, len(splits.counted.words)), bool)
        np.logical_or.at(there, numbers, splits.counted.there)
        found["in a review"] = Counted(splits.counted.words, there)
    return found


def pictures(splits: TopicSplits) -> dict[str, bytes]:
    """Draw the map of all texts: a picture, and a page that can be zoomed."""
    points = reduced(splits.vectors, TopicSettings(features=_MAP_FEATURES))
    shown = Mapped(splits.name, splits.corpus.texts, places(points), splits.of_all(), splits.names)
    return {"topics.png": picture(shown), "topics.html": page(shown)}


def _held_out(splits: TopicSplits, told: Array) -> dict[str, float]:
    """Hold what test texts are told against the topic that they would have had among the texts that topics are found with."""
    right = splits.found.held_out[len(splits.rows["validation"]) :]
    came = told[splits.rows["test"]]
    has = right >= 0
    return {
        "test texts in a heap of topics found anew": float(has.mean()),
        "of those, told the same topic": float((came == right)[has].mean()) if has.any() else 0.0,
        "of the other test texts, told no topic": float((came < 0)[~has].mean()) if not has.all() else 0.0,
    }


def _by_review(name: str, labels: Array, splits: TopicSplits) -> dict[str, float]:
    numbers = np.unique(np.array(splits.corpus.groups), return_inverse=True)[1].reshape(-1)
    within, across = coherence.together(labels, numbers.tolist())
    return {f"two sentences of a review in one topic, {name}": within, f"two of different reviews in one topic, {name}": across}


def _spread(labels: Array, rows: Array, count: int) -> Array:
    whole = np.full(count, -1, np.int64)
    whole[rows] = labels
    return whole
