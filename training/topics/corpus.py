"""The texts that topics are found in: Amazon's sentences, Chinese reviews, or a user's own; parted so that none comes twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.errors import InputError, UsageError
from edge.steps.text import tokens
from training.data import amazon_sentences, keyed, movie_sentences, own_reviews, product_reviews_zh
from training.recipe import Array, DataOptions
from training.topics import words

REVIEWS = ("amazon", "chinese")
_HELD_BACK = 0.1  # the share of the groups that test, and as many that validate


@dataclass(frozen=True)
class Corpus:
    """Different texts.

    Attributes:
        name: Of the data set.
        texts: N texts.
        groups: The key of what each is a part of; texts of one group stay together.
        sha256: Of the content.
        note: Where they come from, for people.
        pinned: Whether the content is always the same.
        reviews: Whether groups are reviews of several sentences, and tell something by themselves.
    """

    name: str
    texts: tuple[str, ...]
    groups: tuple[str, ...]
    sha256: str
    note: str
    pinned: bool
    reviews: bool = False


def read(options: DataOptions, reviews: str = "amazon", column: str = "", english_only: bool = True) -> Corpus:
    """Read the texts.

    Args:
        options: Of its folder, which may be a file, come a user's own reviews.
        reviews: Without them, which of `REVIEWS`.
        column: Of a user's table.
        english_only: Whether whoever reads the texts knows English alone.

    Raises:
        UsageError: There are no such reviews, or they are Chinese and nobody here reads Chinese.
        InputError: A user's file cannot be used.
        SetupError: A package is not cached and cannot be fetched.
    """
    if reviews not in REVIEWS:
        raise UsageError(f"reviews is {reviews!r}, expected one of {', '.join(REVIEWS)}; your own go with --data-dir")
    if options.folder is not None:
        found = _own(options, column)
    elif reviews == "amazon":
        found = _amazon()
    else:
        found = _chinese(options)
    if english_only and words.unit_of(found.texts[:1000]) == "jieba":
        raise UsageError(f"{found.name}: the texts are Chinese, MiniLM reads English; name a multilingual model: --set backbone=FOLDER")
    return found


def _amazon() -> Corpus:
    found = amazon_sentences.sentences()
    groups = tuple(keyed.key(str(one.review).encode()) for one in found)
    note = f"{len(found):,} different sentences of {len(set(groups))} reviews of products, {movie_sentences.PACKAGE}"
    texts = tuple(one.text for one in found)
    return Corpus("amazon_sentences", texts, groups, movie_sentences.PACKAGE.sha256, note, pinned=True, reviews=True)


def _chinese(options: DataOptions) -> Corpus:
    loaded = product_reviews_zh.load(options)
    texts = [str(text) for split in loaded.parts().values() for text in split.inputs["text"]]
    return _different("product_reviews_zh", texts, loaded.note, "characters")


def _own(options: DataOptions, column: str) -> Corpus:
    path = options.folder
    if path is None:  # never: whoever calls has looked
        raise UsageError("no folder or file is named with --data-dir")
    texts = own_reviews.read(path, str(column))
    return _different(path.stem, texts, f"of {path.name}", "characters" if words.unit_of(texts) == "jieba" else "words")


def _different(name: str, texts: Sequence[str], note: str, unit: str) -> Corpus:
    """Leave out texts that differ from another in capitals, spaces or signs only, and those without a word."""
    first: dict[str, str] = {}
    for text in texts:
        found = tokens(text, unit, signs=False)
        if found:
            first.setdefault(keyed.key(*(word.encode() for word in found)), text)
    if not first:
        raise InputError(f"{name}: none of {len(texts):,} texts has a word in it, expected texts")
    digest = keyed.key(*(text.encode() for text in first.values()))
    return Corpus(
        name, tuple(first.values()), tuple(first), digest, f"{len(first):,} different {note.removeprefix('texts ')}", pinned=False
    )


def parted(groups: Sequence[str], where: str) -> dict[str, Array]:
    """Part texts by their groups' keys: a tenth to test, a tenth to validate, the others to find topics with.

    Returns:
        For each part the rows, ascending, (n,) int64; none is empty.

    Raises:
        InputError: There are fewer than ten groups.
    """
    known = np.unique(np.array(groups))
    if len(known) < 1 / _HELD_BACK:
        count = "1 different text" if len(known) == 1 else f"{len(known)} different texts"
        raise InputError(f"{where}: {count}, expected at least ten, and many more to find topics in them")
    held = int(len(known) * _HELD_BACK)
    rank = np.searchsorted(known, np.array(groups))
    part = np.where(rank >= len(known) - held, 2, np.where(rank >= len(known) - 2 * held, 1, 0))
    return {name: np.flatnonzero(part == number).astype(np.int64) for number, name in enumerate(keyed.PARTS)}
