"""Who was enrolled: names, vectors and consents, never a picture; each person can be deleted."""

from __future__ import annotations

import sqlite3
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Optional

import numpy as np

from edge.errors import InputError
from edge.systems.faces import Face
from edge.systems.store import Store, StoreError

Array = np.ndarray[Any, Any]
TABLES = (
    "CREATE TABLE people (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL,"
    " consent TEXT NOT NULL, consented TEXT NOT NULL)",
    "CREATE TABLE vectors (id INTEGER PRIMARY KEY AUTOINCREMENT, person INTEGER NOT NULL REFERENCES people(id) ON DELETE CASCADE,"
    " enrolled TEXT NOT NULL, vector BLOB NOT NULL)",
)
MOST_NAME, MOST_CONSENT, MOST_VECTORS = 100, 2000, 20
LEAST_EYES, MOST_TURN = 24.0, 0.45  # of a face that is enrolled: pixels from eye to eye, and how far it may look aside
_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")  # controls, marks of direction, halves of characters, what no standard knows


@dataclass(frozen=True)
class Person:
    """Somebody who was enrolled: under what name, with whose consent in which words, when, and how many vectors are kept."""

    name: str
    consent: str
    consented: str
    vectors: int


@dataclass(frozen=True)
class Known:
    """All vectors, (V, D) float32, with the name of whom each is."""

    names: tuple[str, ...]
    vectors: Array


def clean_name(name: str) -> str:
    """Bring a name to one form, and refuse what is none.

    Raises:
        InputError: It is empty, long, or has signs that no name has, or that a spreadsheet would take for a formula.
    """
    tidy = " ".join(unicodedata.normalize("NFC", name).split())
    if not tidy:
        raise InputError("the name is empty, expected one")
    if len(tidy) > MOST_NAME:
        raise InputError(f"the name has {len(tidy)} characters, expected at most {MOST_NAME}")
    odd = next((sign for sign in tidy if unicodedata.category(sign) in _UNSEEN), None)
    if odd is not None:
        raise InputError(f"the name has the sign U+{ord(odd):04X}, which cannot be seen; expected letters, spaces and the like")
    if tidy[0] in "=+-@":
        raise InputError(f"the name begins with {tidy[0]!r}, which spreadsheets take for a formula; expected a letter first")
    if not any(unicodedata.category(sign)[0] in "LN" for sign in tidy):
        raise InputError(f"the name is {tidy!r}, expected a letter or a digit in it")
    return tidy


def clean_consent(consent: str) -> str:
    """Bring a note of consent to one form.

    Raises:
        InputError: It is empty or too long.
    """
    tidy = " ".join(unicodedata.normalize("NFC", consent).split())
    if not tidy:
        raise InputError("the consent is empty; write how this person has agreed to be recognised, or where that is written down")
    if len(tidy) > MOST_CONSENT:
        raise InputError(f"the consent has {len(tidy)} characters, expected at most {MOST_CONSENT}; name the paper that holds it")
    return tidy


def key_of(name: str) -> str:
    """Give the form in which names are compared: neither case nor width of letters counts."""
    return unicodedata.normalize("NFKC", name).casefold()


def only(faces: Sequence[Face]) -> Face:
    """Give the only face of a picture, where it can be enrolled.

    Raises:
        InputError: There is none, or another one, or it is small or looks aside.
    """
    if not faces:
        raise InputError("no face was found in the picture; expected a photograph of one face, from the front and in good light")
    if len(faces) > 1:
        raise InputError(f"{len(faces)} faces were found in the picture, expected one; cut the others away")
    [face] = faces
    if face.turn > MOST_TURN:  # first, since eyes are near each other in a face from the side
        raise InputError("the face looks aside; expected a photograph from the front")
    if face.eye_distance < LEAST_EYES:
        raise InputError(f"the face is small ({face.eye_distance:.0f} pixels from eye to eye), expected at least {LEAST_EYES:.0f}")
    return face


class Enrolment:
    """The people in a store."""

    def __init__(self, store: Store) -> None:
        """Take a store with `TABLES`."""
        self._store = store
        self._cache: Optional[tuple[int, Known]] = None

    def enrol(self, name: str, vector: Array, consent: str, now: datetime, *, again: bool = False) -> Person:
        """Keep a vector of somebody.

        Args:
            name: Whose it is.
            vector: (D,) float32.
            consent: The words in which they have agreed, or where that is written down.
            now: When, with its time zone.
            again: Whether it is a further vector of somebody who is enrolled.

        Raises:
            InputError: The name or the consent is none; or somebody of that name is there and should not be, or should and is not.
            StoreError: It cannot be written.
        """
        name, consent, when = clean_name(name), clean_consent(consent), now.isoformat(timespec="seconds")
        with self._store.changing() as database:
            row = database.execute("SELECT id, name FROM people WHERE key = ?", (key_of(name),)).fetchone()
            if row is not None and not again:
                raise InputError(f"{row[1]} is enrolled already; forget {row[1]} first, or enrol again to add a picture")
            if row is None and again:
                raise InputError(f"nobody called {name} is enrolled, so there is nobody to add a picture to; enrol without 'again'")
            person = _insert(database, name, consent, when) if row is None else row[0]
            [count] = database.execute("SELECT count(*) FROM vectors WHERE person = ?", (person,)).fetchone()
            if count >= MOST_VECTORS:
                raise InputError(f"{name} has {count} pictures, expected at most {MOST_VECTORS}; forget {name} and begin again")
            content = np.ascontiguousarray(vector, "<f4").tobytes()
            database.execute("UPDATE people SET consent = ?, consented = ? WHERE id = ?", (consent, when, person))
            database.execute("INSERT INTO vectors (person, enrolled, vector) VALUES (?, ?, ?)", (person, when, content))
        return Person(name if row is None else row[1], consent, when, count + 1)

    def forget(self, name: str) -> int:
        """Delete somebody and all their vectors; gives the number of vectors that were there, 0 where nobody of that name was.

        Raises:
            InputError: It is no name.
            StoreError: It cannot be written.
        """
        key = key_of(clean_name(name))
        with self._store.changing() as database:
            query = "SELECT count(*) FROM vectors JOIN people ON person = people.id WHERE key = ?"
            [count] = database.execute(query, (key,)).fetchone()
            database.execute("DELETE FROM people WHERE key = ?", (key,))
        return int(count)

    def people(self) -> list[Person]:
        """List who is enrolled, by name.

        Raises:
            StoreError: It cannot be read.
        """
        query = "SELECT name, consent, consented, (SELECT count(*) FROM vectors WHERE person = people.id) FROM people ORDER BY key"
        with self._store.reading() as database:
            return [Person(*row) for row in database.execute(query)]

    def known(self) -> Known:
        """Give all vectors; they are read again only when something has changed.

        Raises:
            StoreError: It cannot be read, or a vector in it is damaged.
        """
        changes = self._store.changes()
        cached = self._cache
        if cached is not None and cached[0] == changes:
            return cached[1]
        with self._store.reading() as database:
            rows = database.execute("SELECT name, vector FROM vectors JOIN people ON person = people.id ORDER BY vectors.id").fetchall()
        sizes = {len(content) if isinstance(content, bytes) else -1 for _, content in rows}
        if len(sizes) > 1 or any(size < 1 or size % 4 for size in sizes):
            raise StoreError(f"{self._store.path}: a vector in it is damaged; move it away and begin anew, or bring back a copy of it")
        vectors = np.array([np.frombuffer(content, "<f4") for _, content in rows], np.float32).reshape(
            len(rows), max(sizes, default=0) // 4
        )
        found = Known(tuple(name for name, _ in rows), vectors)
        self._cache = (changes, found)
        return found


def _insert(database: sqlite3.Connection, name: str, consent: str, when: str) -> int:
    given = (key_of(name), name, consent, when)
    return int(database.execute("INSERT INTO people (key, name, consent, consented) VALUES (?, ?, ?, ?)", given).lastrowid or 0)
