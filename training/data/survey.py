"""A look at data that a recipe is to be written for: how many there are of what, and what suits them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.errors import InputError
from training.data import delimited, keyed
from training.data.delimited import Table
from training.data.picture_files import Found, Listing, browse, read_all
from training.recipe import Array

SIDES = (16, 96)  # pixels: the least and the most that a recipe begins with
MAX_LABELS = 100
MAX_CATEGORIES = 50


@dataclass(frozen=True)
class Pictures:
    """What was found in a folder of pictures.

    `counts` are the readable pictures by label; `smallest` and `largest` their (width, height); `side` the size that
    suits them; `skipped` has a line for each that cannot be read.
    """

    listing: Listing
    counts: Mapping[str, int]
    smallest: tuple[int, int]
    largest: tuple[int, int]
    side: int
    channels: int
    skipped: list[str]


@dataclass(frozen=True)
class Rows:
    """What was found in a table: the labels of the target, the columns that can be used, and why others cannot."""

    table: Table
    labels: tuple[str, ...]
    counts: Mapping[str, int]
    columns: Mapping[str, tuple[str, ...]]
    left_out: Mapping[str, str]


def pictures(folder: Path) -> Pictures:
    """Look at every picture of a folder.

    Raises:
        InputError: There are no labelled pictures, or too few of a label.
    """
    listing = browse(folder)
    seen, skipped = read_all(listing.pictures, _facts, channels=3)
    labels = listing.labels
    targets = np.array([labels.index(label) for label, *_ in seen], np.int64)
    keyed.check_classes([key for *_, key in seen], targets, labels, str(listing.folder))
    sizes = sorted((size for _, size, *_ in seen), key=lambda size: size[0] * size[1])
    typical = int(np.median([max(size) for size in sizes]))
    return Pictures(
        listing=listing,
        counts=Counter(sorted(label for label, *_ in seen)),
        smallest=sizes[0],
        largest=sizes[-1],
        side=int(np.clip(-(-typical // 4) * 4, *SIDES)),
        channels=1 if all(grey for _, _, grey, _ in seen) else 3,
        skipped=skipped,
    )


def rows(path: Path, target: str) -> Rows:
    """Look at every column of a table.

    Raises:
        InputError: The table cannot be read, there is no such column, it is no label, or no other column can be used.
    """
    table = delimited.read(path)
    labels = labels_of(table, target)
    columns: dict[str, tuple[str, ...]] = {}
    left_out: dict[str, str] = {}
    for name in table.header:
        if name != target:
            use = _use(table, name)
            if isinstance(use, str):
                left_out[name] = use
            else:
                columns[name] = use
    if not columns:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in left_out.items()) or "there is no other"
        raise InputError(f"{path}: no column beside {target!r} can be used ({reasons}); expected numbers or a few categories")
    return Rows(table, labels, Counter(table.column(target)), columns, left_out)


def labels_of(table: Table, target: str) -> tuple[str, ...]:
    """Return the labels of a column, numbers in their order and others in that of spelling.

    Raises:
        InputError: There is no such column, a cell is empty, or it holds too many different values for labels.
    """
    cells = table.column(target)
    if "" in cells:
        raise InputError(f"{table.path}, line {table.lines[cells.index('')]}, column {target!r}: is empty, expected a label")
    different = set(cells)
    if len(different) > min(MAX_LABELS, len(cells) // keyed.LEAST_OF_CLASS):
        raise InputError(
            f"{table.path}: column {target!r} has {len(different)} different values in {len(cells)} rows, expected the labels of a few "
            f"classes, {MAX_LABELS} at most, each in {keyed.LEAST_OF_CLASS} rows or more; name another column with --target"
        )
    numbers = {cell: table.number(cell) for cell in different}
    by_number = all(number is not None for number in numbers.values())
    return tuple(sorted(different, key=lambda cell: (numbers[cell] if by_number else 0, cell)))


def _facts(found: Found, pixels: Array) -> tuple[str, tuple[int, int], bool, str]:
    """Return a picture's label, (width, height), whether it is grey, and the key of its pixels."""
    grey = bool((pixels == pixels[..., :1]).all())
    return found.label, (pixels.shape[1], pixels.shape[0]), grey, keyed.key(str(pixels.shape).encode(), pixels.tobytes())


def _use(table: Table, name: str) -> tuple[str, ...] | str:
    """Return the categories of a column, none for numbers; or why it is left out."""
    cells = table.column(name)
    empty = cells.count("")
    if empty:
        return f"{empty} empty cell{'' if empty == 1 else 's'}, the first in line {table.lines[cells.index('')]}"
    different = sorted(set(cells))
    if len(different) == 1:
        return f"{different[0]!r} in every row"
    numbers = [table.number(cell) for cell in cells]
    if all(number is not None for number in numbers):
        finite = np.array(numbers, np.float64)
        if not np.isfinite(finite).all():
            return f"{cells[int(np.argmin(np.isfinite(finite)))]} in line {table.lines[int(np.argmin(np.isfinite(finite)))]}"
        return "it counts the rows" if np.array_equal(finite, np.arange(len(cells)) + finite[0]) else ()
    if len(different) > min(MAX_CATEGORIES, len(cells) // 2):
        return f"{len(different)} different texts, too many for categories"
    return tuple(different)
