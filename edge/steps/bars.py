"""Daily stock prices: from a caller's table to the last days of it, as the model takes them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import InputError, TooLargeError
from edge.steps.context import Context
from edge.steps.stock_tables import PRICES, Bar, parse

COLUMNS = 5  # open, high, low, close, and transactions or volume
MAX_DAYS = 1000
MAX_BYTES = 16 << 20
GAP = 21  # days without a trade; the longest holidays are shorter
HIGHEST_PRICE, MOST_TRADES = 1e9, 1e15
Days = np.ndarray[Any, np.dtype[np.float32]]


def read_bars(value: Any, _context: Context, *, days: int = 10) -> Days:
    """Read the last days of a table of daily prices.

    Args:
        value: The path or the content of a CSV (or JSON) table, columns found by their names, English or Chinese; or the
            numbers themselves, (days, 5), oldest first.
        days: How many days come out; earlier ones are left out.

    Returns:
        (days, 5) float32: open, high, low, close, and transactions or volume, the oldest first.

    Raises:
        InputError: There are too few days, one is missing, twice or out of reach, or a cell is wrong; the message says where.
        TooLargeError: The table is larger than 16 MB.
    """
    if isinstance(value, np.ndarray) and value.dtype.kind != "U":
        return checked(value, days)
    content, where = _content(value)
    bars = traded(parse(content, where, "auto").bars)
    if len(bars) < days:
        raise InputError(f"{where}: has {len(bars)} days with prices, expected {days} or more; add earlier days")
    newest = bars[-days:]
    for before, after in zip(newest, newest[1:]):
        if (after.day - before.day).days > GAP:
            raise InputError(
                f"{after.where}: {after.day} comes {(after.day - before.day).days} days after {before.day}, expected at most {GAP}; "
                "add the days between them"
            )
    return checked(np.array([bar.values for bar in newest], np.float64), days, where)


def check_read_bars(days: Any = 10) -> str:
    """Say what is wrong with the parameters of `read_bars`; empty where nothing is."""
    return "" if type(days) is int and 2 <= days <= MAX_DAYS else f"has days={days!r}, expected a whole number from 2 to {MAX_DAYS}"


def traded(bars: Sequence[Bar]) -> list[Bar]:
    """Return the days with prices in the order of time, each once.

    Raises:
        InputError: A day comes twice with other values.
    """
    found: dict[Any, Bar] = {}
    for one in bars:
        before = found.setdefault(one.day, one)
        if before.values != one.values:
            raise InputError(f"{one.where}: {one.day} has other values than in {before.where}; remove the wrong one")
    return sorted((one for one in found.values() if one.values is not None), key=lambda one: one.day)


def checked(rows: Any, days: int, where: str = "the table") -> Days:
    """Hold (days, 5) numbers against what prices can be; give them as float32.

    Raises:
        InputError: They are of another shape, not finite, not above 0, too large, or one price all the time.
    """
    if rows.shape != (days, COLUMNS):
        raise InputError(f"{where} is {rows.shape}, expected {days} days of {COLUMNS} numbers: {', '.join(PRICES)}, transactions or volume")
    numbers = rows.astype(np.float64)
    names = (*PRICES, "transactions or volume")
    for day, row in enumerate(numbers.tolist(), 1):
        for name, number in zip(names, row):
            least, most = (0.0, HIGHEST_PRICE) if name in PRICES else (-1.0, MOST_TRADES)
            if not least < number <= most:
                raise InputError(f"{where}, day {day}, {name}: {number:g}, expected a number above 0, at most {most:g}; correct it")
    prices = numbers[:, : len(PRICES)]
    if (prices == prices[0, 0]).all():
        raise InputError(f"{where}: every price is {prices[0, 0]:g}, expected days on which it was traded; nothing follows from these")
    found: Days = numbers.astype(np.float32)
    return found


def _content(value: Any) -> tuple[bytes, str]:
    """Give the bytes of a table and what messages call it."""
    if isinstance(value, np.ndarray) and value.ndim == 0:  # as golden files hold it
        value = str(value)
    if isinstance(value, str):
        value = value.encode("utf-8")
    where = "the table"
    if isinstance(value, os.PathLike):
        where = os.fspath(value)
        try:
            with Path(value).open("rb") as file:
                value = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise InputError(f"{where}: cannot be read ({error.strerror}); give the path of a table") from None
    if not isinstance(value, bytes):
        raise InputError(f"a table is {type(value).__name__}, expected a CSV text, its path, or an array of numbers")
    if len(value) > MAX_BYTES:
        raise TooLargeError(f"{where}: larger than {MAX_BYTES} bytes, expected a table of daily prices")
    return value, where
