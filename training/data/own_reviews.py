"""A user's own reviews: a table with a column of texts, or a file with one text a line."""

from __future__ import annotations

from pathlib import Path

from edge.errors import InputError
from edge.steps.text import text_of
from training.data import delimited
from training.data.product_reviews_zh import lines

SUFFIXES = (".csv", ".tsv", ".txt")
COLUMNS = ("review", "text", "comment", "评论", "內容", "内容")  # where none is named
MOST = 50_000
_MOST_BYTES = 1 << 30


def read(path: Path, column: str = "") -> list[str]:
    """Read the reviews of a file, or of the one file of reviews in a folder; empty ones are left out.

    Args:
        path: A `.csv` or `.tsv` with a header, or a `.txt` with one review a line; or a folder that holds one of them.
        column: The column of the texts; where it is empty, the one that is called so, or the only one.

    Raises:
        InputError: The file cannot be read, there is no such column, no text in it, or something that is no text.
    """
    path = _in_folder(path) if path.is_dir() else path
    found = _lines(path) if path.suffix.lower() == ".txt" else _column(delimited.read(path), column)
    kept = [text for text in found if text.strip()]
    if not kept:
        raise InputError(f"{path}: holds no texts, expected one review or more")
    if len(kept) > MOST:
        raise InputError(f"{path}: holds {len(kept):,} texts, expected at most {MOST:,}; give a part of them")
    for number, text in enumerate(kept, 1):
        try:
            text_of(text)
        except InputError as error:
            raise InputError(f"{path}, text {number}: {error}") from None
    return kept


def _in_folder(folder: Path) -> Path:
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if len(found) != 1:
        listed = ", ".join(path.name for path in (found or sorted(folder.iterdir()))[:6]) or "nothing"
        expected = f"one file of reviews ({', '.join(SUFFIXES)})"
        raise InputError(f"{folder}: holds {listed}, expected {expected}; name the file itself with --data-dir")
    return found[0]


def _lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the path of a text file") from None
    if len(content) > _MOST_BYTES:
        raise InputError(f"{path}: has more than {_MOST_BYTES} bytes, expected at most that")
    return lines(content, str(path))


def _column(table: delimited.Table, column: str) -> list[str]:
    if column:
        return table.column(column)
    named = [name for name in table.header if name.lower() in COLUMNS]
    if len(named) != 1 and len(table.header) != 1:
        raise InputError(
            f"{table.path}: which of its columns holds the reviews? It has {', '.join(table.header)}; name it with --set column=…"
        )
    return table.column(named[0] if named else table.header[0])
