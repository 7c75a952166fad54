"""Words of topics: which words tell a topic from the others, by class TF-IDF, without those that every topic has.

Source: Grootendorst, "BERTopic" (2022), class-based TF-IDF.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.steps.text import tokens
from training.recipe import Array
from training.topics.stop_words import CHINESE, ENGLISH

NAMED_BY = 3  # words
MOST_WORDS = 4000
LEAST_TEXTS = 5  # in which a word must stand
STOP_SHARE = 0.02  # of the texts: a word in fewer is no stop word
STOP_EVENNESS = 0.15  # the distance, 0 to 1, from the share that a word would have in each topic if it told nothing
_CHINESE = 0.3  # of the letters


@dataclass(frozen=True)
class Counted:
    """Which words stand in which texts: `there` is (N, W) bool for the W `words`."""

    words: tuple[str, ...]
    there: Array


def unit_of(texts: Sequence[str]) -> str:
    """Return how texts are parted into words: `jieba` where a good part of their letters is Chinese, else `words`."""
    letters = Counter(unicodedata.name(sign, "").startswith("CJK UNIFIED") for text in texts for sign in text if sign.isalpha())
    return "jieba" if letters[True] > _CHINESE * max(1, letters.total()) else "words"


def count(texts: Sequence[str], unit: str | None = None) -> Counted:
    """Find the words of texts: letters only, two at least (one in Chinese), in `LEAST_TEXTS` texts or more, the most frequent.

    Args:
        texts: N texts.
        unit: As `tokenize` knows it; by the texts themselves where it is None.

    Raises:
        RuntimeMissingError: The texts are Chinese, and the library that finds Chinese words is not installed.
    """
    unit = unit or unit_of(texts)
    shortest = 1 if unit == "jieba" else 2
    parted = [{word for word in tokens(text, unit, signs=False) if word.isalpha() and len(word) >= shortest} for text in texts]
    counts = Counter(word for words in parted for word in words)
    least = min(LEAST_TEXTS, max(1, len(texts) // 50))
    known = sorted((word for word, times in counts.items() if times >= least), key=lambda word: (-counts[word], word))[:MOST_WORDS]
    place = {word: number for number, word in enumerate(known)}
    there = np.zeros((len(texts), len(known)), bool)
    for row, words in zip(there, parted, strict=True):
        row[[place[word] for word in words if word in place]] = True
    return Counted(tuple(known), there)


def weights(counted: Counted, labels: Array) -> Array:
    """Return what each word tells of each topic, class TF-IDF: (T, W) float64, 0 for stop words.

    Args:
        counted: The words of N texts.
        labels: (N,) int64, -1 for no topic.
    """
    times = _times(counted, labels)
    totals = times.sum(axis=1)
    shares = times / np.maximum(totals[:, None], 1)
    rare = np.log1p(totals.mean() / np.maximum(times.sum(axis=0), 1))
    return np.where(stop_words(counted, labels), 0.0, shares * rare)


def stop_words(counted: Counted, labels: Array) -> Array:
    """Tell which words name no topic, (W,) bool.

    Those that any text of their language has, and those that are frequent here and spread over the topics nearly as if they were
    drawn at random.
    """
    times = _times(counted, labels)
    known = np.array([word in ENGLISH or word in CHINESE for word in counted.words])
    if len(times) < 2:
        return known
    frequent = counted.there.mean(axis=0) > STOP_SHARE
    expected = times.sum(axis=1) / max(times.sum(), 1)
    came = times / np.maximum(times.sum(axis=0), 1)
    distance = np.abs(came - expected[:, None]).sum(axis=0) / 2
    return np.asarray(known | (frequent & (distance < STOP_EVENNESS)))


def top(counted: Counted, labels: Array, count: int) -> list[list[str]]:
    """Return the words that tell most of each topic, the best first; fewer than `count` where no more stand in it."""
    found = []
    for row in weights(counted, labels):
        order = np.argsort(-row, kind="stable")[:count]
        found.append([counted.words[word] for word in order if row[word] > 0])
    return found


def names(listed: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Name topics by their first words, each name once; with a further word, or a number, where the first are the same."""
    given: list[str] = []
    for number, words in enumerate(listed, 1):
        tried = (", ".join(words[:length]) for length in range(min(NAMED_BY, len(words)), len(words) + 1) if length)
        given.append(next((name for name in tried if name not in given), f"topic {number}"))
    return tuple(given)


def _times(counted: Counted, labels: Array) -> Array:
    """Count in how many texts of each topic a word stands: (T, W) float64."""
    times = np.zeros((int(labels.max()) + 1, len(counted.words)))
    for topic in range(len(times)):
        times[topic] = counted.there[labels == topic].sum(axis=0)
    return times
