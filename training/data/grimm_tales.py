"""Tales of the brothers Grimm, each with what somebody else wrote about it in a sentence or two: texts with a summary.

A PyPI wheel, pinned by SHA-256, holds them. News with summaries cannot be had from any package; these are a stand-in for them,
few and of another kind: a tale tells its point last, news tell it first.

Source: J. and W. Grimm, "Kinder- und Hausmärchen" (1812), in English translations out of copyright; the abstracts are by the
authors of the package.
"""

from __future__ import annotations

import csv
import io
from typing import NamedTuple

from edge.errors import InputError
from training.data import packages
from training.data.newsgroups import PACKAGE

MEMBER = "orangecontrib/text/datasets/grimm-tales.tab"
_HEAD = 3  # lines: names, types and roles of the columns
_COLUMNS = ("Title", "Abstract", "Content")


class Tale(NamedTuple):
    """A tale, its title, and what was written about it."""

    title: str
    abstract: str
    text: str


def load() -> list[Tale]:
    """Return the tales that have an abstract, in the order of the package.

    Raises:
        SetupError: The package is not cached and cannot be fetched.
        InputError: It holds something else than expected.
    """
    return parse(packages.read_members(packages.fetch(PACKAGE), [MEMBER])[MEMBER], f"{PACKAGE}: {MEMBER}")


def parse(content: bytes, where: str) -> list[Tale]:
    """Read a table of tales.

    Raises:
        InputError: A column is missing, or no tale has an abstract.
    """
    rows = list(csv.reader(io.StringIO(content.decode("utf-8", "replace")), delimiter="\t"))
    names = rows[0] if rows else []
    lacking = [column for column in _COLUMNS if column not in names]
    if lacking:
        raise InputError(f"{where}: has no column {lacking[0]!r}, expected {', '.join(_COLUMNS)}")
    places = [names.index(column) for column in _COLUMNS]
    found = [Tale(*(row[place].strip() for place in places)) for row in rows[_HEAD:] if len(row) == len(names)]
    kept = [tale for tale in found if tale.abstract and tale.text]
    if not kept:
        raise InputError(f"{where}: no tale has an abstract, expected one or more")
    return kept
