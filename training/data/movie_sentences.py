"""Sentences of movie reviews and how twenty people rated their sentiment, negative or positive. Source: Hutto and Gilbert, 2014.

A PyPI source package, pinned by SHA-256, holds an archive with 10,605 sentences and the mean of their ratings, from -4 to 4.
Those between -0.5 and 0.5 are left out: people found them neither. Sentences that differ from another in capitals or spaces
only count once, before the splits are made by a hash of the words.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from edge.errors import InputError
from edge.steps.text import tokens
from training.data import packages, texts
from training.data.dataset import DataSet
from training.recipe import DataOptions, Splits

PACKAGE = packages.Package(
    "PyPI sdist", "vaderSentiment", "0.5", "5d97c37f3ef6e24eef331122e055dbedafeb6a56abfce0608b326701116ea49a", 2_448_964
)
LABELS = ("negative", "positive")
LEAST = 0.5  # of a mean rating, either way
_ARCHIVE = "vaderSentiment-0.5/additional_resources/hutto_ICWSM_2014.tar.gz"
_MEMBER = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
_LEXICON = "hutto_ICWSM_2014/vader_sentiment_lexicon.txt"


def load(_options: DataOptions) -> Splits:
    """Load the sentences as `text`: (N,) str.

    Raises:
        SetupError: The package is not cached and cannot be fetched.
        InputError: It holds something else than expected.
    """
    ratings, sentences = parse(archived(_MEMBER), str(PACKAGE))
    told = [row for row, rating in enumerate(ratings) if abs(rating) > LEAST]
    targets = np.array([int(ratings[row] > 0) for row in told], np.int64)
    splits = texts.parted([sentences[row] for row in told], targets, LABELS, "movie_sentences")
    count = sum(len(split) for split in splits.parts().values())
    return replace(splits, sha256=PACKAGE.sha256, note=f"{count:,} different sentences of movie reviews, rated by people, {PACKAGE}")


def lexicon() -> dict[str, float]:
    """Return single words in small letters and how ten people rated each by itself, from -4 to 4; in order of spelling.

    They were rated without the sentences, and tell nothing of those that test.

    Raises:
        SetupError: The package is not cached and cannot be fetched.
        InputError: It holds something else than expected.
    """
    found = {}
    for number, line in enumerate(archived(_LEXICON).decode("latin-1").splitlines(), 1):
        word, _, rest = line.strip().partition("\t")
        rating = rated(rest.partition("\t")[0])
        if not abs(rating) <= 4:
            raise InputError(f"{PACKAGE}: line {number} of its lexicon is {line[:40]!r}, expected a word, a tab and a rating from -4 to 4")
        if tokens(word) == [word.lower()] and word[0].isalpha():
            found[word.lower()] = rating
    return dict(sorted(found.items()))


def archived(member: str) -> bytes:
    """Return a file of the archive in the package.

    Raises:
        SetupError: The package is not cached and cannot be fetched.
        InputError: It holds something else than expected.
    """
    archive = packages.read_members(packages.fetch(PACKAGE), [_ARCHIVE])[_ARCHIVE]
    return packages.read_members(archive, [member], str(PACKAGE))[member]


def parse(content: bytes, where: str) -> tuple[list[float], list[str]]:
    """Read lines of a number, a tab, a mean rating, a tab and a sentence; return the ratings and the sentences.

    Raises:
        InputError: A line is another.
    """
    ratings, sentences = [], []
    for number, line in enumerate(content.decode("latin-1").split("\n"), 1):
        if not line.strip():
            continue
        cells = line.rstrip("\r").split("\t")
        rating = rated(cells[1]) if len(cells) == 3 else math.nan
        if not abs(rating) <= 4:
            raise InputError(f"{where}: line {number} is {line[:40]!r}, expected a number, a rating from -4 to 4 and a sentence, with tabs")
        ratings.append(rating)
        sentences.append(cells[2])
    return ratings, sentences


def rated(cell: str) -> float:
    """Read a mean rating; NaN where the cell holds no number."""
    try:
        return float(cell)
    except ValueError:
        return math.nan


DATASET = DataSet(
    name="movie_sentences",
    title="English sentences of movie reviews, negative or positive as people rated them, two classes",
    licence="MIT, as the package states it; the sentences: Pang and Lee, 2005, for research",
    origin="Hutto and Gilbert, VADER: a parsimonious rule-based model for sentiment analysis of social media text, 2014",
    packages={"full": (PACKAGE,)},
    loader=load,
)
