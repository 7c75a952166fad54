"""Who was there on which day: a list that is new at midnight, each person once, with the time at which they were first seen."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from pathlib import Path
from typing import Callable, Optional

from edge.errors import InputError
from edge.storage import write_atomic
from edge.systems.enrolment import clean_name, key_of
from edge.systems.store import Store

TABLES = (
    "CREATE TABLE seen (day TEXT NOT NULL, key TEXT NOT NULL, name TEXT NOT NULL, first_seen TEXT NOT NULL, distance REAL NOT NULL,"
    " PRIMARY KEY (day, key)) WITHOUT ROWID",
)
COLUMNS = ("name", "first_seen", "distance")
LOCAL = "local"
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True)
class Seen:
    """The first time that somebody was seen on a day; `distance` is that of the face from the nearest vector of theirs."""

    name: str
    first_seen: str
    distance: float


def zone_of(name: str) -> Optional[tzinfo]:
    """Give a time zone by its name, such as Europe/Berlin; None for `local`, the machine's own, in which summer time counts too.

    Raises:
        InputError: There is no such zone, or this machine has no table of zones.
    """
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    if name == LOCAL:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(
            f"the time zone {name[:60]!r} is not known here, expected a name such as Europe/Berlin or UTC, or local; "
            "where none is known, install the package tzdata"
        ) from None


def _now() -> datetime:
    return datetime.now().astimezone()


class Attendance:
    """The lists in a store, and the same as CSV files beside it."""

    def __init__(self, store: Store, folder: Path, zone: Optional[tzinfo], clock: Callable[[], datetime] = _now) -> None:
        """Take a store with `TABLES`.

        Args:
            store: Holds the lists.
            folder: Where their CSV files are written, one a day.
            zone: Whose midnight ends a day; None for the machine's own.
            clock: Gives the time, with a zone.
        """
        self._store, self._folder, self._zone, self._clock = store, folder, zone, clock

    def now(self) -> datetime:
        """Give the time in the list's zone."""
        return self._clock().astimezone(self._zone)

    def today(self) -> str:
        """Give the day that it is in the list's zone, such as 2026-11-21."""
        return self.now().date().isoformat()

    def mark(self, found: Mapping[str, float]) -> list[str]:
        """Put people on today's list and write its file anew; gives those who were not there yet.

        Args:
            found: Who was seen, with the distance of each.

        Raises:
            StoreError: The store cannot be written.
            SetupError: The file cannot be written; the store has the list all the same.
        """
        now = self.now()
        day, when = now.date().isoformat(), now.isoformat(timespec="seconds")
        insert = "INSERT OR IGNORE INTO seen (day, key, name, first_seen, distance) VALUES (?, ?, ?, ?, ?)"
        listed = {seen.name for seen in self.seen(day)}
        fresh = {name: far for name, far in found.items() if name not in listed}
        if fresh:
            with self._store.changing() as database:
                rows = [(name, (day, key_of(name), name, when, round(far, 4))) for name, far in fresh.items()]
                fresh = {name: 0.0 for name, row in rows if database.execute(insert, row).rowcount}
        if fresh or not self.file(day).exists():
            self.write(day)
        return list(fresh)

    def seen(self, day: str) -> list[Seen]:
        """Give a day's list, in the order in which people came.

        Raises:
            InputError: It is no day.
            StoreError: It cannot be read.
        """
        query = "SELECT name, first_seen, distance FROM seen WHERE day = ? ORDER BY datetime(first_seen), key"
        with self._store.reading() as database:
            return [Seen(*row) for row in database.execute(query, (clean_day(day),))]

    def days(self) -> list[str]:
        """List the days on which somebody was seen.

        Raises:
            StoreError: It cannot be read.
        """
        with self._store.reading() as database:
            return [day for (day,) in database.execute("SELECT DISTINCT day FROM seen ORDER BY day")]

    def forget(self, name: str) -> int:
        """Take somebody from the lists of all days; gives from how many.

        Raises:
            InputError: It is no name.
            StoreError: It cannot be written.
        """
        key = key_of(clean_name(name))
        with self._store.changing() as database:
            days = [day for (day,) in database.execute("SELECT day FROM seen WHERE key = ?", (key,))]
            database.execute("DELETE FROM seen WHERE key = ?", (key,))
        for day in days:
            self.write(day)
        return len(days)

    def table(self, day: str) -> str:
        """Write a day's list as CSV: a header line, then a line for each person.

        Raises:
            InputError: It is no day.
            StoreError: It cannot be read.
        """
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(COLUMNS)
        writer.writerows((seen.name, seen.first_seen, f"{seen.distance:.4f}") for seen in self.seen(day))
        return text.getvalue()

    def file(self, day: str) -> Path:
        """Name the file of a day's list."""
        return self._folder / f"{day}.csv"

    def write(self, day: str) -> Path:
        """Write the file of a day's list, whole or not at all.

        Raises:
            InputError: It is no day.
            StoreError: The list cannot be read.
            SetupError: The file cannot be written.
        """
        path = self.file(clean_day(day))
        with self._store.changing():  # one writer at a time, or an older list could come over a newer one
            write_atomic(path, self.table(day).encode("utf-8-sig"))  # the mark tells spreadsheets the encoding
        return path


def clean_day(day: str) -> str:
    """Refuse what is no day.

    Raises:
        InputError: It is something else.
    """
    try:
        if _DAY.fullmatch(day):
            return date.fromisoformat(day).isoformat()
    except ValueError:
        pass
    raise InputError(f"the day is {day[:40]!r}, expected one such as 2026-11-21")
