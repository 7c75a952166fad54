"""Cells of tables: numbers with thousands separators and marks, dates of both calendars."""

from __future__ import annotations

import re
import unicodedata
from datetime import date

from edge.errors import InputError

_MISSING = frozenset({"", "-", "--", "---", "----", "N/A", "NA", "NAN", "NULL", "NONE"})
_NUMBER = re.compile(r"[+-]?(\d{1,3}(,\d{3})+|\d+)?(\.\d*)?([eE][+-]?\d{1,2})?")
_GUARDED = re.compile(r'="?(.*?)"?')
_DATES = (
    re.compile(r"(\d{2,4})[/.-](\d{1,2})[/.-](\d{1,2})(?:[ T]\d{1,2}:\d{2}.*)?"),
    re.compile(r"(\d{2,4}) ?年 ?(\d{1,2}) ?月 ?(\d{1,2}) ?日"),
    re.compile(r"(\d{3,4})(\d{2})(\d{2})"),
)
ROC_OFFSET = 1911
_YEARS = range(1850, 2150)
_ROC_YEARS = range(40, 200)  # 1951 to 2110: smaller ones are months or days of a date written the other way round


def clean(text: str) -> str:
    """Return a cell without what surrounds it: blanks, full-width forms, quotation marks, a spreadsheet's `="…"`."""
    plain = unicodedata.normalize("NFKC", text).strip().strip("\ufeff")
    guarded = _GUARDED.fullmatch(plain) if plain.startswith("=") else None
    return (guarded[1] if guarded else plain).strip().strip('"').strip()


def number_of(text: str, where: str) -> float | None:
    """Read a number.

    Args:
        text: Such as `1,234.50`, `+3`, `X0.00` (a price change that cannot be compared with the day before), `--`.
        where: What messages call the cell.

    Returns:
        Its value; None where the cell says that there is none.

    Raises:
        InputError: It is no number.
    """
    plain = clean(text)
    if plain.upper() in _MISSING:
        return None
    unmarked = re.sub(r"^[Xx*] ?(?=[\d.+-])", "", plain)
    if not _NUMBER.fullmatch(unmarked) or not re.search(r"\d", unmarked):
        raise InputError(f"{where}: {text[:60]!r} is no number, expected one such as 1,234.50, or -- for none; correct the cell")
    return float(unmarked.replace(",", ""))


def date_of(text: str, where: str) -> date:
    """Read a date: year first, of the common calendar or of the Republic of China's (113/01/02 is 2024-01-02).

    Raises:
        InputError: It is none, or could be meant in several ways.
    """
    plain = re.sub(r"[*#]+$", "", clean(text)).strip()
    match = next((found for pattern in _DATES if (found := pattern.fullmatch(plain))), None)
    if match is None:
        raise InputError(f"{where}: {text[:60]!r} is no date, expected one such as 2024-01-02, 20240102 or 113/01/02; correct the cell")
    year, month, day = (int(part) for part in match.groups()[:3])
    if len(match[1]) < 4 or year in _ROC_YEARS:
        if year not in _ROC_YEARS:
            raise InputError(f"{where}: {text[:60]!r} begins with {match[1]}, which is no year; write dates year first, such as 2024-01-02")
        year += ROC_OFFSET
    try:
        if year not in _YEARS:
            raise ValueError
        return date(year, month, day)
    except ValueError:
        raise InputError(
            f"{where}: {text[:60]!r} is a day that no table can hold ({year}-{month:02d}-{day:02d}); correct the cell"
        ) from None
