"""Tables in text files: CSV with commas, semicolons or tabs, with a header; anything odd is told by line and column."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from edge.errors import InputError

DELIMITERS = (",", ";", "\t")
MAX_BYTES = 1 << 30
LEAST_ROWS = 10
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.ASCII | re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)


@dataclass(frozen=True)
class Table:
    """The cells of a file as text: `rows[i]` has one for each name of `header`, and stood in line `lines[i]`."""

    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    delimiter: str

    def column(self, name: str) -> list[str]:
        """Return the cells of a column.

        Raises:
            InputError: There is none of that name.
        """
        if name not in self.header:
            raise InputError(f"{self.path}: has no column {name!r}, expected one of {', '.join(self.header)}")
        place = self.header.index(name)
        return [row[place] for row in self.rows]

    def number(self, cell: str) -> float | None:
        """Read a cell as a number, NaN and infinity among them; with `;` between cells, `3,5` is one too. None where it is none."""
        if self.delimiter == ";" and _DECIMAL_COMMA.fullmatch(cell):
            cell = cell.replace(",", ".")
        return float(cell) if _NUMBER.fullmatch(cell) else None


def read(path: Path) -> Table:
    """Read a table; spaces around cells do not count, nor do empty lines.

    Raises:
        InputError: The file is missing, is no text, has no header, a row of another length, or too few rows.
    """
    text = _text(path)
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(DELIMITERS, key=re.sub(r'"[^"]*"', "", first).count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, lines = [], []
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append(tuple(cell.strip() for cell in row))
                lines.append(reader.line_num)
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: {error}; expected fields parted by {delimiter!r}, with closed quotes") from None
    if not rows:
        raise InputError(f"{path}: is empty, expected a line with the names of the columns and rows below it")
    table = Table(path, rows[0], tuple(rows[1:]), tuple(lines[1:]), delimiter)
    _check(table)
    return table


def _check(table: Table) -> None:
    header = table.header
    if all(table.number(name) is not None for name in header):
        raise InputError(f"{table.path}: the first line holds numbers only, expected the names of the columns; add a line with names")
    odd = next((name for i, name in enumerate(header) if not name or name in header[:i]), None)
    if odd is not None:
        came = f"the column {odd!r} twice" if odd else "a column without a name"
        raise InputError(f"{table.path}: the header has {came}; name each once")
    for row, line in zip(table.rows, table.lines, strict=True):
        if len(row) != len(header):
            remedy = f"quote cells that hold {table.delimiter!r}"
            raise InputError(f"{table.path}, line {line}: has {len(row)} fields, expected {len(header)} as in the header; {remedy}")
    if len(table.rows) < LEAST_ROWS:
        raise InputError(f"{table.path}: has {len(table.rows)} rows, expected at least {LEAST_ROWS} below the header")


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the path of a CSV file") from None
    if len(content) > MAX_BYTES:
        raise InputError(f"{path}: has more than {MAX_BYTES} bytes, expected at most that")
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(
            f"{path}, line {line}: is not UTF-8 (byte {error.start}); save the file as UTF-8, which spreadsheets offer when saving"
        ) from None
    if "\0" in text:
        raise InputError(f"{path}: holds zero bytes, expected a text file; save the table as CSV in UTF-8")
    return text
