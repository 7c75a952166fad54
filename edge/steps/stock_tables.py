"""One table of daily stock prices, as CSV or as JSON with `fields` and `data`, columns found by their names."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from edge.errors import InputError, UsageError
from edge.steps import cells
from edge.steps.encoded import json_of, text_of

PRICES = ("open", "high", "low", "close")
FIFTHS = ("transactions", "volume")
FIFTH_CHOICES = (*FIFTHS, "auto")
_NAMES: Mapping[str, frozenset[str]] = {
    "date": frozenset({"日期", "交易日期", "年月日", "date", "day", "timestamp", "datetime"}),
    "open": frozenset({"開盤價", "開盤", "开盘价", "开盘", "open", "openprice"}),
    "high": frozenset({"最高價", "最高", "最高价", "high", "highprice"}),
    "low": frozenset({"最低價", "最低", "最低价", "low", "lowprice"}),
    "close": frozenset({"收盤價", "收盤", "收盘价", "收盘", "close", "closeprice"}),
    "transactions": frozenset({"成交筆數", "筆數", "成交笔数", "transactions", "numberoftransactions", "trades"}),
    "volume": frozenset({"成交股數", "成交量", "成交股数", "volume", "shares", "tradingvolume"}),
}
_NO_DATA = ("沒有符合條件", "没有符合条件", "查無資料", "無資料", "no data")
_LIKE_DATE = re.compile(r"\d{2,4}[/.-]\d|\d{7,8}$")
_SLACK = 1e-4  # what rounding may put the highest below the others


@dataclass(frozen=True)
class Bar:
    """One day: the row's place for messages, and open, high, low, close and the fifth; None where nothing was traded."""

    day: date
    where: str
    values: tuple[float, ...] | None


@dataclass(frozen=True)
class Table:
    """The days of one file as they stand in it, and what the fifth column is; empty where the file says it has no data."""

    bars: tuple[Bar, ...]
    fifth: str


def parse(content: bytes, where: str, fifth: str = "transactions") -> Table:
    """Read one table.

    Args:
        content: CSV in UTF-8 or Big5, or JSON.
        where: What messages call it.
        fifth: The column beside the prices: `transactions`, `volume`, or `auto` for the first of them that is there.

    Raises:
        InputError: A column is missing or a cell is not what it should be; the message names row and column.
        UsageError: The fifth column is asked for by another word.
    """
    if fifth not in FIFTH_CHOICES:
        raise UsageError(f"fifth column {fifth!r}: expected one of {', '.join(FIFTH_CHOICES)}")
    is_json = content.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (b"{", b"[", b"<")
    rows = _json_rows(content, where) if is_json else _csv_rows(content, where)
    columns: dict[str, int] | None = None
    bars = []
    for number, row in rows:
        place = f"{where}, row {number}"
        header = _columns(row, fifth)
        if header is not None:
            columns = header
        elif columns is None:
            continue
        elif not _is_remark(row, columns):
            bars.append(_bar(row, columns, place))
    if columns is None and any(any(cells.clean(cell) for cell in row) for _, row in rows):
        raise InputError(f"{where}: {_missing([row for _, row in rows], fifth)}")
    return Table(tuple(bars), next((name for name in FIFTHS if name in (columns or {})), fifth))


def _csv_rows(content: bytes, where: str) -> list[tuple[int, list[str]]]:
    text = text_of(content, where)
    if "\0" in text:
        raise InputError(f"{where}: holds bytes of value 0, expected text; it is no CSV file")
    first = next((line for line in text.splitlines() if _is_header_line(line)), "")
    separator = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=False)
    try:
        return [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise InputError(f"{where}, row {reader.line_num}: is no CSV ({error}); save the file again") from None


def _json_rows(content: bytes, where: str) -> list[tuple[int, list[str]]]:
    """Turn `fields` and `data` into rows; the header is row 0, so that row 1 is the first of `data`."""
    page = json_of(content, where)
    if not isinstance(page, dict):
        raise InputError(f"{where}: the JSON is a {type(page).__name__}, expected an object with the lists 'fields' and 'data'")
    fields, data = page.get("fields"), page.get("data")
    said = str(page.get("stat", ""))
    if not data and any(words in said.lower() for words in _NO_DATA):
        return []
    if not isinstance(fields, list) or not isinstance(data, list):
        answer = f"; it says {said[:100]!r}" if said else ""
        raise InputError(f"{where}: has {', '.join(sorted(page)[:8]) or 'nothing'}, expected the lists 'fields' and 'data'{answer}")
    for number, row in enumerate(data, 1):
        if not isinstance(row, list) or len(row) != len(fields):
            came = f"{len(row)} cells" if isinstance(row, list) else type(row).__name__
            raise InputError(f"{where}, row {number}: has {came}, expected {len(fields)} as in 'fields'")
    return [(number, ["" if cell is None else str(cell) for cell in row]) for number, row in enumerate([fields, *data])]


def _is_header_line(line: str) -> bool:
    return any(_columns(line.split(separator), "auto") is not None for separator in ",;\t")


def _columns(row: Sequence[str], fifth: str) -> dict[str, int] | None:
    """Return where each column is if the row is a header that names them all; None where it is not."""
    names = [re.sub(r"[\s_()]", "", cells.clean(cell)).lower() for cell in row]
    found = {column: names.index(name) for column, spellings in _NAMES.items() for name in names if name in spellings}
    wanted = (fifth,) if fifth != "auto" else tuple(name for name in FIFTHS if name in found)[:1]
    needed = ("date", *PRICES, *wanted)
    return {column: found[column] for column in needed} if wanted and all(column in found for column in needed) else None


def _missing(rows: Sequence[Sequence[str]], fifth: str) -> str:
    """Say which columns the row that comes nearest to a header lacks."""
    wanted = ("date", *PRICES, *(FIFTHS if fifth == "auto" else (fifth,)))
    best: tuple[int, Sequence[str]] = (-1, ())
    for row in rows[:50]:
        names = {re.sub(r"[\s_()]", "", cells.clean(cell)).lower() for cell in row}
        best = max(best, (sum(bool(names & _NAMES[column]) for column in wanted), row), key=lambda pair: pair[0])
    there = {re.sub(r"[\s_()]", "", cells.clean(cell)).lower() for cell in best[1]}
    absent = [f"{column} ({'/'.join(sorted(_NAMES[column], reverse=True)[:2])})" for column in wanted if not there & _NAMES[column]]
    shown = ", ".join(cells.clean(cell) for cell in best[1])[:120]
    either = " (one of transactions and volume is enough)" if fifth == "auto" else ""
    return f"no header with the columns {', '.join(absent)}{either}; nearest is the row {shown!r}; name the columns so"


def _is_remark(row: Sequence[str], columns: Mapping[str, int]) -> bool:
    """Tell a title, a footer, a remark or an empty line from a row of the table."""
    filled = [cells.clean(cell) for cell in row if cells.clean(cell)]
    if len(filled) <= 1:
        return not filled or not _LIKE_DATE.match(filled[0])
    first = cells.clean(row[columns["date"]]) if len(row) > columns["date"] else ""
    numeric = sum(bool(re.match(r"[\d.,+-]+$", cell)) for cell in filled)
    return not re.match(r"\d", first) and numeric < 2


def _bar(row: Sequence[str], columns: Mapping[str, int], place: str) -> Bar:
    if len(row) <= max(columns.values()):
        raise InputError(
            f"{place}: has {len(row)} cells, expected {max(columns.values()) + 1} or more; the file may be cut off, get it again"
        )
    day = cells.date_of(row[columns["date"]], f"{place}, column date")
    names = [name for name in columns if name != "date"]
    numbers = [cells.number_of(row[columns[name]], f"{place}, column {name}") for name in names]
    prices = numbers[: len(PRICES)]
    if all(price is None for price in prices):
        return Bar(day, place, None)
    for name, number in zip(names, numbers):
        if number is None or not math.isfinite(number) or number < 0 or (number == 0 and name in PRICES):
            raise InputError(
                f"{place}, column {name}: {row[columns[name]][:40]!r}, expected a number above 0 beside the other prices; correct it"
            )
    opened, high, low, closed = (float(price or 0) for price in prices)
    if high < max(opened, low, closed) * (1 - _SLACK) or low > min(opened, closed) * (1 + _SLACK):
        raise InputError(
            f"{place}: open {opened:g}, high {high:g}, low {low:g}, close {closed:g}, expected low ≤ open, close ≤ high; "
            "columns may be interchanged"
        )
    return Bar(day, place, tuple(float(number or 0) for number in numbers))
