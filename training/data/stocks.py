"""Daily prices of Apple, 2000 to 2013, or of a user's own table. Source: Quandl's WIKI Prices.

A PyPI wheel, pinned by SHA-256, holds them. Prices are adjusted: splits and dividends are taken out of them, so that a
day on which one share became two is no crash. A sample is ten days in a row and the close of the day behind them.

The splits follow time: what is validated lies behind all that is learned from, and what is tested behind that. A sample
belongs where the day that is asked for lies; the days before it, which anybody knew by then, may lie in the part before.
"""

from __future__ import annotations

import gzip
import io
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import InputError
from edge.steps.bars import GAP, HIGHEST_PRICE, MOST_TRADES
from edge.steps.stock_tables import PRICES
from training.data import keyed, packages
from training.data.dataset import DataSet
from training.data.gather.stock_months import Bars, read_csv, read_months
from training.progress import say
from training.recipe import Array, DataOptions, Split, Splits

PACKAGE = packages.Package(
    "PyPI", "bokeh_sampledata", "2026.1", "f40331a40ca30c64a1c1471835aad9006b61b0d9731a3f649ee8cbbf48d3822f", 12_840_000
)
TICKER = "AAPL"
DAYS = 10
CLOSE = PRICES.index("close")
_MEMBER = "bokeh_sampledata/_data/stocks.csv.gz"
_BOUNDS = (np.datetime64("2009-01-01"), np.datetime64("2011-01-01"))  # validation and test begin
_SHARES = (0.7, 0.85)  # the same of a user's own days
_FEWEST = 60  # days of a user's own


@dataclass(frozen=True)
class Windows:
    """Samples of one stock: `bars` (N, 10, 5) float32, `close` (N, 1) float32, `days` (N, 11) datetime64, the last asked for."""

    bars: Array
    close: Array
    days: Array


def load(options: DataOptions | None = None) -> Splits:
    """Load samples as `bars`: (N, 10, 5) float32, open, high, low, close and volume, and the next close, (N, 1) float32.

    Args:
        options: A user's own table instead.

    Returns:
        The samples in the order of time.

    Raises:
        SetupError: The package is not cached and cannot be fetched.
        InputError: It holds something else than expected, or the user's table cannot be used; the message says where.
    """
    if options is not None and options.folder is not None:
        return own(options.folder)
    content = packages.read_members(packages.fetch(PACKAGE), [_MEMBER])[_MEMBER]
    dates, values = parse(content, str(PACKAGE))
    note = f"{len(dates):,} days of {TICKER}, {dates[0]} to {dates[-1]}, adjusted, {PACKAGE}"
    return _splits(windows(dates, values), _BOUNDS, PACKAGE.sha256, note)


def own(path: Path) -> Splits:
    """Load a user's own table, or a folder of monthly ones: the first 70 % of the days to train, 15 % to validate, 15 % to test.

    Raises:
        InputError: It cannot be read, has too few days or a column that never changes, or a number is out of reach.
    """
    bars = read_months(path, "auto") if path.is_dir() else read_csv(path)
    check(bars, str(path))
    found = windows(bars.dates, bars.values)
    last = found.days[:, -1] if len(found.days) else bars.dates[:0]
    if len(last) < _FEWEST - DAYS:
        raise InputError(f"{path}: {len(last)} times {DAYS + 1} days in a row, expected {_FEWEST - DAYS} or more; fill the gaps in it")
    first, second = (last[int(share * len(last))] for share in _SHARES)
    note = f"{len(bars):,} days of {path.name}, {bars.dates[0]} to {bars.dates[-1]}"
    return replace(_splits(found, (first, second), keyed.key(bars.values.tobytes(), bars.dates.tobytes()), note), pinned=False)


def check(bars: Bars, where: str) -> None:
    """Hold a user's days against what can be learned from.

    Raises:
        InputError: They are too few, a price never changes, or a number is out of reach.
    """
    if len(bars) < _FEWEST:
        raise InputError(f"{where}: {len(bars)} days with prices, expected {_FEWEST} or more; add earlier days")
    for place, name in enumerate(bars.columns):
        column, most = bars.values[:, place], HIGHEST_PRICE if name in PRICES else MOST_TRADES
        if column.max() > most:
            day = bars.dates[int(column.argmax())]
            raise InputError(f"{where}, {day}, {name}: {column.max():g}, expected at most {most:g}; correct it")
        if (column == column[0]).all() and name in PRICES:
            raise InputError(f"{where}: {name} is {column[0]:g} on all days, expected prices that change; nothing can be learned from it")
        if (column == column[0]).all():
            say(f"{where}: {name} is {column[0]:g} on all days and tells nothing")


def parse(content: bytes, where: str) -> tuple[Array, Array]:
    """Read the packed table of stocks: the days, (N,) datetime64, and adjusted values, (N, 5) float64.

    Raises:
        InputError: It is another table.
    """
    try:
        table: Any = np.genfromtxt(io.BytesIO(gzip.decompress(content)), delimiter=",", names=True, dtype=None, encoding="utf-8")
        rows = table[table["Ticker"] == TICKER]
        values = np.stack([rows[name] for name in ("Open", "High", "Low", "Close", "Volume")], axis=1).astype(np.float64)
        share = (rows["Adj_Close"] / rows["Close"])[:, None]  # of today's price that a price of then stands for
        values[:, :-1], values[:, -1:] = values[:, :-1] * share, values[:, -1:] / share
        return rows["Date"].astype("datetime64[D]"), values
    except (OSError, EOFError, ValueError, IndexError, TypeError, zlib.error) as error:
        raise InputError(f"{where}: its table of stocks cannot be read ({error}), expected the pinned one") from None


def windows(dates: Array, values: Array, days: int = DAYS) -> Windows:
    """Take all runs of days in a row, and the day behind each; runs with a gap of more than three weeks are left out.

    Args:
        dates: (N,) datetime64[D], rising.
        values: (N, 5), of each day.
        days: How many a run has.
    """
    starts = np.arange(max(0, len(dates) - days))
    rows = starts[:, None] + np.arange(days + 1)  # (N, days + 1)
    whole = (np.diff(dates[rows], axis=1) <= np.timedelta64(GAP, "D")).all(axis=1)
    rows = rows[whole]
    if len(rows) < len(starts):
        say(f"{len(starts) - len(rows)} runs of days have a gap of more than {GAP} days and are left out")
    return Windows(values[rows[:, :-1]].astype(np.float32), values[rows[:, -1], CLOSE, None].astype(np.float32), dates[rows])


def _splits(found: Windows, bounds: tuple[Any, Any], sha256: str, note: str) -> Splits:
    """Part samples at two days; those that are tested are kept as tables, too."""
    asked = found.days[:, -1]
    train, validation, test = (
        np.flatnonzero(rows) for rows in (asked < bounds[0], (asked >= bounds[0]) & (asked < bounds[1]), asked >= bounds[1])
    )
    samples = Split({"bars": found.bars}, found.close)
    raw = np.array([table(found.days[row, :-1], found.bars[row]) for row in test.tolist()])
    tested = replace(samples.take(test), raw=raw)
    return Splits("stocks", sha256, note, (), samples.take(train), samples.take(validation), tested)


def table(dates: Array, bars: Array) -> str:
    """Write days, (N,), and their values, (N, 5), as a CSV text that reads back to the same numbers."""
    rows = [",".join((str(day), *(f"{value:.9g}" for value in values))) for day, values in zip(dates, bars.tolist(), strict=True)]
    return "\n".join([f"date,{','.join(PRICES)},volume", *rows]) + "\n"


DATASET = DataSet(
    name="stocks",
    title="daily prices and volume of Apple, 3,270 days, 2000 to 2013",
    licence="public domain, as its publisher declared; the package: BSD-3-Clause",
    origin="Quandl, WIKI Prices, 2013",
    packages={"full": (PACKAGE,)},
    loader=load,
)
