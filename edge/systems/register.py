"""What a roll-call keeps in a folder: who is enrolled, and the lists of all days. It needs no models, and tells what it holds in JSON."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Callable, Optional

from edge.errors import InputError
from edge.systems import attendance as lists
from edge.systems import enrolment as people
from edge.systems.attendance import Attendance, zone_of
from edge.systems.enrolment import Enrolment, clean_name
from edge.systems.store import MOST_BYTES, Store, StoreError

FILE, FOLDER = "people.sqlite3", "attendance"
SCHEMA = "1"
_ZONE, _VECTORS = "zone", "vectors"


class Register:
    """The folder; several threads and processes may have it open."""

    def __init__(
        self,
        folder: Path,
        zone: Optional[str] = None,
        *,
        clock: Optional[Callable[[], datetime]] = None,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        """Open a folder, or make it.

        Args:
            folder: Where it lies.
            zone: Whose midnight ends a day, such as Europe/Berlin; it is settled once, and `local` where it never was.
            clock: Gives the time, with a zone; the machine's own where it is None.
            most_bytes: How large its file may grow.

        Raises:
            InputError: There is no such time zone, or the folder's lists are of another.
            StoreError: The folder cannot be used.
        """
        self._store = Store(folder / FILE, (*people.TABLES, *lists.TABLES), {"schema": SCHEMA}, most_bytes=most_bytes)
        self.zone = self._settled(zone)
        times = {} if clock is None else {"clock": clock}
        self.enrolment = Enrolment(self._store)
        self.attendance = Attendance(self._store, folder / FOLDER, zone_of(self.zone), **times)

    def fit(self, made_by: str, width: int) -> None:
        """Hold the vectors that are here against what makes new ones; the first that comes settles it.

        Args:
            made_by: The model's name and version.
            width: Numbers of a vector.

        Raises:
            StoreError: The vectors here are another model's, or the folder cannot be used.
        """
        wanted = f"{made_by}, {width} numbers"
        held = self._store.fact(_VECTORS)
        if held is None:
            self._store.settle(_VECTORS, wanted)
        elif held != wanted:
            raise StoreError(
                f"{self._store.path}: its vectors were made by {held}, not by {wanted}: they cannot be compared; begin another folder"
            )

    def listed(self) -> dict[str, Any]:
        """List who is enrolled.

        Raises:
            StoreError: The folder cannot be used.
        """
        return {"people": [dict(vars(person)) for person in self.enrolment.people()]}

    def day(self, day: str = "") -> dict[str, Any]:
        """Give a day's list, today's where none is named, as rows and as CSV.

        Raises:
            InputError: It is no day.
            StoreError: The folder cannot be used.
        """
        attendance = self.attendance
        day = lists.clean_day(day) if day else attendance.today()
        rows = [dict(vars(seen)) for seen in attendance.seen(day)]
        return {"day": day, "zone": self.zone, "rows": rows, "csv": attendance.table(day), "days": attendance.days()}

    def forget(self, name: str, *, from_lists: bool = False) -> dict[str, Any]:
        """Delete somebody, and, where that is wanted, take them from the lists of all days too.

        Raises:
            InputError: Nobody of that name is there.
            StoreError: The folder cannot be used.
        """
        count = self.enrolment.forget(name)
        days = self.attendance.forget(name) if from_lists else 0
        if not count and not days:
            raise InputError(f"nobody called {clean_name(name)} is enrolled; 'people' lists who is")
        return {"forgotten": clean_name(name), "pictures": count, "days": days}

    def _settled(self, zone: Optional[str]) -> str:
        """Give the folder's time zone, and settle it where it is not."""
        held = self._store.fact(_ZONE)
        if zone is not None:
            zone_of(zone)
            if held is None:
                self._store.settle(_ZONE, zone)
            elif held != zone:
                raise InputError(
                    f"the lists here are of the time zone {held}, expected that and not {zone}; take another folder for another"
                )
        return zone or held or lists.LOCAL
