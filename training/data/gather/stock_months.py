"""Daily stock bars: read from a folder of monthly tables or from one CSV, and gathered month by month."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import InputError, UsageError
from edge.steps.cells import ROC_OFFSET
from edge.steps.stock_tables import PRICES, Bar, Table, parse
from training.data.gather.addresses import checked, fill, placeholders
from training.data.gather.manners import Manners
from training.data.gather.polite import Fetcher
from training.data.gather.store import Gathering, open_gathering
from training.progress import bar, say

Array = np.ndarray[Any, Any]
MAX_FILE_BYTES = 64 << 20
MAX_MONTHS = 2400
_KINDS = (".csv", ".json")


@dataclass(frozen=True)
class Bars:
    """Daily bars in the order of time, no day twice.

    Attributes:
        dates: (N,) datetime64[D], rising.
        values: (N, 5) float64: open, high, low, close, and the fifth.
        columns: The names of the five.
        no_trade: Days that stand in a table without a price; they are left out.
        repeated: Rows that were left out because the same day with the same values came twice.
        gaps: Months (`2024-03`) between the first and the last that have no day.
    """

    dates: Array
    values: Array
    columns: tuple[str, ...]
    no_trade: tuple[date, ...] = ()
    repeated: int = 0
    gaps: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of days."""
        return len(self.dates)


def read_months(folder: Path, fifth: str = "transactions") -> Bars:
    """Read all monthly tables of a folder, `.csv` and `.json`, and join them.

    Args:
        folder: Where they lie; names do not matter, hidden files and folders do not count.
        fifth: The column beside the prices: `transactions`, `volume` or `auto`.

    Raises:
        InputError: There is none, a table is not right, a day comes twice with other values, or nothing is left.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: is no folder, expected one with monthly tables; gather them with `tandem data gather stock-months`")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in _KINDS and path.is_file() and not path.name.startswith("."))
    if not paths:
        raise InputError(
            f"{folder}: holds no .csv or .json file, expected monthly tables; gather them with `tandem data gather stock-months`"
        )
    return _join([parse(_read(path), str(path), fifth) for path in paths], str(folder))


def read_csv(path: Path, fifth: str = "auto") -> Bars:
    """Read one CSV (or JSON) file whose columns are named in English or Chinese.

    Args:
        path: The file.
        fifth: The column beside the prices: `transactions`, `volume`, or `auto` for transactions where they are there.

    Raises:
        InputError: It cannot be read, a cell is not right, or a day comes twice with other values.
    """
    return _join([parse(_read(path), str(path), fifth)], str(path))


def month_of(text: str) -> date:
    """Read a month such as `2024-01`; give its first day.

    Raises:
        UsageError: It is none.
    """
    try:
        year, month = text.split("-")
        if len(year) != 4 or len(month) != 2:
            raise ValueError
        return date(int(year), int(month), 1)
    except ValueError:
        raise UsageError(f"month {text!r}: expected year and month, such as 2024-01") from None


def gather(template: str, folder: Path, months: tuple[date, date], manners: Manners) -> tuple[Bars, int]:
    """Gather the monthly tables of one stock into a folder, one file a month.

    A month that had not ended when it was gathered is asked for again on a later day.

    Args:
        template: The address with `{year}` (or `{roc_year}`) and `{month}`.
        folder: Where to.
        months: The first days of the first and the last month.
        manners: How the site is treated.

    Returns:
        What the folder holds then, and how many requests were sent.

    Raises:
        UsageError: The address or the months make no sense, or the folder is another's.
        InputError: The site refuses, or what it gave is no table of that month; what came before is kept.
        SetupError: The site, the network or disk space is missing.
    """
    named = placeholders(template)
    if "month" not in named or not named & {"year", "roc_year"}:
        raise UsageError(
            f"URL {template!r}: expected the placeholders {{year}} (or {{roc_year}}) and {{month}}, such as …?date={{year}}{{month}}01"
        )
    wanted = list(_months(*months))
    fetcher = Fetcher(fill(template, _values(wanted[0])), manners)
    with open_gathering(folder, {"kind": "stock-months", "url": template}) as gathering, bar(len(wanted), " months") as shown:
        for first in wanted:
            shown.begin(f"{first:%Y-%m}")
            if not _is_there(gathering, first):
                _fetch(gathering, fetcher, template, first)
            shown.advance(1)
    return read_months(folder, "auto"), fetcher.requests


def _fetch(gathering: Gathering, fetcher: Fetcher, template: str, first: date) -> None:
    url = checked(fill(template, _values(first)))
    content = fetcher.get(url).content
    table = parse(content, url, "auto")
    for one in table.bars:
        if (one.day.year, one.day.month) != (first.year, first.month):
            raise InputError(f"{one.where}: is of {one.day}, expected {first:%Y-%m}; the site gives another month than the URL asks for")
    if not table.bars:
        say(f"{first:%Y-%m}: the site has no day of it")
    kind = "json" if content.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{") else "csv"
    gathering.keep(_key(first), f"{first:%Y-%m}.{kind}", content, on=date.today().isoformat(), days=len(table.bars))


def _is_there(gathering: Gathering, first: date) -> bool:
    """Tell whether a month came, and was over when it came or came today."""
    record = gathering.record(_key(first))
    came_on = str(record.get("on", "")) if record is not None else ""
    fresh = came_on >= _next(first).isoformat() or came_on == date.today().isoformat()
    return fresh and gathering.content(_key(first)) is not None


def _key(first: date) -> str:
    return f"month {first:%Y-%m}"


def _values(first: date) -> dict[str, str]:
    return {"year": f"{first.year:04d}", "month": f"{first.month:02d}", "roc_year": str(first.year - ROC_OFFSET)}


def _next(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


def _months(first: date, last: date) -> Iterator[date]:
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    if not 1 <= count <= MAX_MONTHS:
        raise UsageError(
            f"months {first:%Y-%m} to {last:%Y-%m}: {max(count, 0)} months, expected 1 to {MAX_MONTHS}; correct --from and --to"
        )
    for _ in range(count):
        yield first
        first = _next(first)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the path of a table") from None
    if len(content) > MAX_FILE_BYTES:
        raise InputError(f"{path}: larger than {MAX_FILE_BYTES} bytes, expected a table of daily prices")
    return content


def _join(tables: Iterable[Table], where: str) -> Bars:
    """Sort the days of all tables and drop what comes twice."""
    kinds = {table.fifth for table in tables if table.bars}
    if len(kinds) > 1:
        raise InputError(f"{where}: some tables have transactions and some have only volume; ask for the column that all have")
    days: dict[date, Bar] = {}
    repeated = 0
    for one in (one for table in tables for one in table.bars):
        before = days.setdefault(one.day, one)
        repeated += before is not one
        if before.values != one.values:
            raise InputError(f"{one.where}: {one.day} has other values than in {before.where}; remove the wrong one")
    traded = sorted((one for one in days.values() if one.values is not None), key=lambda one: one.day)
    if not traded:
        raise InputError(f"{where}: has no day with prices, expected one or more; check the URL or the file")
    return Bars(
        dates=np.array([one.day for one in traded], dtype="datetime64[D]"),
        values=np.array([one.values for one in traded], dtype=np.float64),
        columns=(*PRICES, *kinds),
        no_trade=tuple(sorted(day for day, one in days.items() if one.values is None)),
        repeated=repeated,
        gaps=_gaps([one.day for one in traded]),
    )


def _gaps(days: list[date]) -> tuple[str, ...]:
    there = {(day.year, day.month) for day in days}
    return tuple(
        f"{first:%Y-%m}" for first in _months(days[0].replace(day=1), days[-1].replace(day=1)) if (first.year, first.month) not in there
    )
