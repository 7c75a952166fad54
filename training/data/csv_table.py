"""A CSV file as a classifier's data: numbers and categories in, the classes of one column out.

A category goes as its number, in the order that the recipe lists them; the module turns it into one-hot values.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edge.contract import Contract
from edge.errors import InputError
from training.data import delimited, keyed
from training.data.delimited import Table
from training.progress import say
from training.recipe import Array, DataOptions, Split, Splits


def load(path: Path, target: str, columns: Mapping[str, tuple[str, ...]], contract: Contract, options: DataOptions | None = None) -> Splits:
    """Load a table; a hash of a row's values decides where it goes, so equal rows stay together.

    Args:
        path: The CSV file.
        target: The column that holds the labels.
        columns: The columns that the model takes, in order; with the categories of each, or none for numbers.
        contract: Its labels are those of the target; its one input takes the columns as float32 (N, F).
        options: Another file instead of this one.

    Raises:
        InputError: The file cannot be read, a column is missing, or a cell holds something else; the message names line and
            column.
    """
    path = path if options is None or options.folder is None else options.folder
    table = delimited.read(path)
    features = np.stack([values(table, name, categories) for name, categories in columns.items()], axis=1)  # (N, F)
    targets = classes(table, target, contract.labels)
    for place, name in enumerate(columns):
        if (features[:, place] == features[0, place]).all():
            say(f"{path}: {name!r} is {table.column(name)[0]!r} in every row and tells nothing; leave it out")
    keys = [keyed.key(row.tobytes()) for row in features]
    rows = keyed.split(keys, targets, contract.labels, str(path))
    samples = Split({contract.main.inputs[0].name: features}, targets)
    return Splits(
        name=path.stem,
        sha256=keyed.key(features.tobytes(), targets.tobytes()),
        note=f"{len(targets):,} rows of {path.name}",
        classes=contract.labels,
        train=samples.take(rows["train"]),
        validation=samples.take(rows["validation"]),
        test=samples.take(rows["test"]),
        pinned=False,
    )


def values(table: Table, name: str, categories: tuple[str, ...] = ()) -> Array:
    """Read a column as (N,) float32: its numbers, or the number of each category.

    Raises:
        InputError: There is no such column, or a cell is empty, no finite number, or of no known category.
    """
    column = []
    for cell, line in zip(table.column(name), table.lines, strict=True):
        if categories:
            if cell not in categories:
                raise InputError(
                    f"{table.path}, line {line}, column {name!r}: {cell!r}, expected one of {', '.join(map(repr, categories))}"
                )
            column.append(float(categories.index(cell)))
            continue
        number = table.number(cell)
        if number is None or not np.isfinite(number) or abs(number) > float(np.finfo(np.float32).max):
            raise InputError(
                f"{table.path}, line {line}, column {name!r}: {cell!r}, expected a finite number; mend the cell or leave the row out"
            )
        column.append(number)
    return np.array(column, np.float32)


def classes(table: Table, target: str, labels: tuple[str, ...]) -> Array:
    """Read the target as (N,) int64, the place of each label.

    Raises:
        InputError: There is no such column, or a cell holds another label.
    """
    places = {label: place for place, label in enumerate(labels)}
    cells = table.column(target)
    for cell, line in zip(cells, table.lines, strict=True):
        if cell not in places:
            came = repr(cell) if cell else "is empty"
            raise InputError(f"{table.path}, line {line}, column {target!r}: {came}, expected one of {', '.join(map(repr, labels))}")
    return np.array([places[cell] for cell in cells], np.int64)
