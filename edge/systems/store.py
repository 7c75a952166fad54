"""A SQLite file that a system keeps what it is told in: whole after a crash, shared by threads and processes, errors in words.

Each call opens the file anew, and each change is one transaction: after a crash, a full disk or a power cut the file is as it was
before the change. What is deleted is overwritten with zeros. A file that is damaged is never written to.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Optional

from edge.errors import SetupError

PATIENCE_S = 10.0  # how long to wait for another process that is writing
MOST_BYTES = 256 << 20  # of the file
_PAGE = 4096
_FACTS = "CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"
_CHANGES = "changes"
_WORDS = (
    ("full", "there is no space left for it; free some and try again"),
    ("readonly", "it may not be written; mend its rights, and those of its folder"),
    ("locked", f"another process has been writing for {PATIENCE_S:g} s; try again when it is done"),
    ("unable to open", "it cannot be opened; mend its rights, and those of its folder"),
    ("malformed", "it is damaged; move it away and begin anew, or bring back a copy of it"),
    ("not a database", "it is no such file, or damaged; move it away and begin anew, or bring back a copy of it"),
)


class StoreError(SetupError):
    """A store cannot be read or written; whatever was in it is still there."""

    reason = "store"


class Store:
    """The file; its tables are those of whoever uses it."""

    def __init__(self, path: Path, tables: Sequence[str], facts: dict[str, str], *, most_bytes: int = MOST_BYTES) -> None:
        """Open a store, or make it.

        Args:
            path: The file. It is made where it is missing, its folder too, for their owner alone.
            tables: The statements that make its tables.
            facts: What has to hold of it, such as the version of its tables; another value is refused.
            most_bytes: How large the file may grow.

        Raises:
            StoreError: It cannot be made or read, is damaged, or is another one.
        """
        self.path, self._most = path, max(most_bytes // _PAGE, 1)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not path.exists():
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise StoreError(f"{path}: cannot be made ({error.strerror}); choose a folder that can be written") from None
        with self.reading() as database:
            [(sound,)] = database.execute("PRAGMA quick_check(1)").fetchall()
            empty = not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if sound != "ok":
            raise StoreError(f"{path}: {_told(sqlite3.DatabaseError('malformed'))} ({str(sound).strip()[:120]})")
        if empty:
            self._make(tables, facts)
        self._check(facts)

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection, as long as the block runs.

        Raises:
            StoreError: The file cannot be opened, read or written; nothing in it was changed.
        """
        try:
            with contextlib.closing(self._connect()) as database:
                yield database
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: {_told(error)} ({error})") from None

    @contextlib.contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """Give a connection that is about to write: all that the block changes is kept, or, where it raises, nothing.

        Raises:
            StoreError: The file cannot be written; nothing in it was changed.
        """
        with self.reading() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("INSERT INTO facts VALUES (?, 1) ON CONFLICT(key) DO UPDATE SET value = value + 1", (_CHANGES,))
                database.execute("COMMIT")
            finally:
                if database.in_transaction:  # something was raised before the end; a full disk may have ended it already
                    database.execute("ROLLBACK")

    def changes(self) -> int:
        """Count the changes that there ever were, so that callers know when to read again.

        Raises:
            StoreError: It cannot be read.
        """
        return int(self.fact(_CHANGES) or 0)

    def fact(self, key: str) -> Optional[str]:
        """Give what was settled; None where it was not.

        Raises:
            StoreError: It cannot be read.
        """
        with self.reading() as database:
            row = database.execute("SELECT value FROM facts WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def settle(self, key: str, value: str) -> None:
        """Settle something.

        Raises:
            StoreError: It cannot be written.
        """
        with self.changing() as database:
            database.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (key, value))

    def _connect(self) -> sqlite3.Connection:
        """Open the file, which has to be there: SQLite would make an empty one."""
        database = sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=rw", timeout=PATIENCE_S, isolation_level=None, uri=True)
        try:
            for pragma in ("foreign_keys = ON", "secure_delete = ON", "synchronous = FULL", f"max_page_count = {self._most}"):
                database.execute(f"PRAGMA {pragma}")
        except sqlite3.Error:
            database.close()
            raise
        return database

    def _make(self, tables: Sequence[str], facts: dict[str, str]) -> None:
        with self.changing() as database:
            if database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                return  # by another process, meanwhile
            for statement in (_FACTS, *tables):
                database.execute(statement)
            database.executemany("INSERT INTO facts VALUES (?, ?)", sorted(facts.items()))

    def _check(self, facts: dict[str, str]) -> None:
        with self.reading() as database:
            names = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            held = dict(database.execute("SELECT key, value FROM facts")) if "facts" in names else {}
        for key, value in facts.items():
            if held.get(key) != value:
                came = repr(held[key]) if key in held else "nothing"
                raise StoreError(f"{self.path}: says {came} of its {key}, expected {value!r}; take the file that fits, or begin another")


def _told(error: sqlite3.Error) -> str:
    """Say in words what SQLite says."""
    return next((words for sign, words in _WORDS if sign in str(error)), "it cannot be used; look at the disk that it lies on")
