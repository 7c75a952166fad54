"""Bodies of plain text: a text as it stands, and rows of numbers separated by commas."""

from __future__ import annotations

import csv
import re
from typing import Any

import numpy as np

from edge.errors import InputError
from edge.json_tensors import shown, to_array

Array = np.ndarray[Any, Any]
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")


def text(content: bytes) -> str:
    """Read UTF-8 text.

    Raises:
        InputError: It is something else.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"the body is not UTF-8 at byte {error.start}, expected text") from None


def rows(content: bytes, dtype: str, most: int) -> list[Array]:
    """Read rows of numbers: one input a line, no header line; empty lines are passed over.

    Args:
        content: The whole body.
        dtype: The contract's dtype.
        most: The most rows that are read; a body may have millions, which take minutes.

    Returns:
        (length,) arrays of `dtype`.

    Raises:
        InputError: There are more rows, or a cell is no number of that dtype; then the message gives row and column, counted from 1.
    """
    found: list[Array] = []
    try:
        for number, cells in enumerate(csv.reader(text(content).splitlines(), strict=True), 1):
            if cells and len(found) == most:
                raise InputError(f"more than {most} inputs came, expected at most that; send several requests")
            if cells:
                values = [_number(cell.strip(), number, column) for column, cell in enumerate(cells, 1)]
                found.append(to_array(values, dtype, f"row {number}", 1))
    except csv.Error as error:
        raise InputError(f"the body is no CSV ({error}), expected numbers separated by commas, one input a line") from None
    return found


def _number(cell: str, row: int, column: int) -> float | int:
    if _WHOLE.fullmatch(cell):
        return int(cell)
    if not _NUMBER.fullmatch(cell):
        raise InputError(f"row {row}, column {column} is {shown(cell)}, expected a number; leave a header line out")
    return float(cell)
