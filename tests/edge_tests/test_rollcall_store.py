"""What the roll-call keeps: people who can be forgotten, lists that are new at midnight, and a file that survives what may happen."""

import csv
import signal
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from edge.errors import InputError
from edge.systems.enrolment import MOST_VECTORS, clean_name
from edge.systems.register import FILE, Register
from edge.systems.store import Store, StoreError

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
VECTOR = np.arange(4, dtype=np.float32)


class Clock:
    """A time that tests set."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def register(tmp_path: Path, clock: Clock) -> Register:
    return Register(tmp_path / "kept", "UTC", clock=clock)


def test_who_is_enrolled_is_kept_with_the_consent_and_its_date(register: Register) -> None:
    register.enrolment.enrol("  Zoë   Öztürk ", VECTOR, " signed\npaper 3 ", NOON)
    again = Register(register.enrolment._store.path.parent)
    [person] = again.enrolment.people()
    assert (person.name, person.consent, person.consented, person.vectors) == (
        "Zoë Öztürk",
        "signed paper 3",
        "2026-11-21T12:00:00+00:00",
        1,
    )
    assert again.enrolment.known().names == ("Zoë Öztürk",)
    np.testing.assert_array_equal(again.enrolment.known().vectors, VECTOR[None])
    assert again.zone == "UTC", "settled once"


def test_nothing_but_names_vectors_and_consents_is_kept_and_others_may_not_read_it(register: Register) -> None:
    path = register.enrolment._store.path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with sqlite3.connect(path) as database:
        columns = {row[1] for table in ("people", "vectors", "seen", "facts") for row in database.execute(f"PRAGMA table_info({table})")}
    database.close()
    assert columns == {
        "id",
        "key",
        "name",
        "consent",
        "consented",
        "person",
        "enrolled",
        "vector",
        "day",
        "first_seen",
        "distance",
        "value",
    }


def test_who_is_forgotten_is_gone_from_the_file_itself(register: Register) -> None:
    marked = np.frombuffer(b"find me in file!", np.float32)
    path = register.enrolment._store.path
    register.enrolment.enrol("Ann Unusual", marked, "yes", NOON)
    register.attendance.mark({"Ann Unusual": 0.3})
    assert marked.tobytes() in path.read_bytes()
    assert register.forget("ann UNUSUAL") == {"forgotten": "ann UNUSUAL", "pictures": 1, "days": 0}
    assert marked.tobytes() not in path.read_bytes()
    assert register.enrolment.known().names == ()
    assert "Ann Unusual" in register.attendance.file("2026-11-21").read_text("utf-8-sig"), "the lists stay, unless they are meant too"
    assert register.forget("Ann Unusual", from_lists=True)["days"] == 1
    assert b"Ann Unusual" not in path.read_bytes()
    assert "Ann Unusual" not in register.attendance.file("2026-11-21").read_text("utf-8-sig")
    with pytest.raises(InputError, match="nobody called Ann Unusual"):
        register.forget("Ann Unusual")


def test_somebody_may_have_several_pictures_and_only_so_many(register: Register) -> None:
    register.enrolment.enrol("Ann", VECTOR, "yes", NOON)
    with pytest.raises(InputError, match="Ann is enrolled already"):
        register.enrolment.enrol("ANN", VECTOR, "yes", NOON)
    with pytest.raises(InputError, match="nobody called Ben"):
        register.enrolment.enrol("Ben", VECTOR, "yes", NOON, again=True)
    for count in range(2, MOST_VECTORS + 1):
        assert register.enrolment.enrol("ann", VECTOR * count, "yes, again", NOON, again=True).vectors == count
    with pytest.raises(InputError, match="at most 20"):
        register.enrolment.enrol("Ann", VECTOR, "yes", NOON, again=True)
    assert register.enrolment.known().vectors.shape == (MOST_VECTORS, 4)
    assert register.enrolment.people()[0].consent == "yes, again"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("", "is empty", id="empty"),
        pytest.param(" \t\n", "is empty", id="blank"),
        pytest.param("x" * 101, "at most 100", id="long"),
        pytest.param("Ann\0", "U\\+0000", id="a zero"),
        pytest.param("Ann\u202eneB", "U\\+202E", id="a mark that turns the direction"),
        pytest.param("A\ud800", "U\\+D800", id="half a character"),
        pytest.param("=cmd()", "formula", id="a formula"),
        pytest.param("@SUM", "formula", id="another formula"),
        pytest.param("...", "a letter or a digit", id="no letter"),
    ],
)
def test_what_is_no_name_is_refused(name: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        clean_name(name)


@pytest.mark.parametrize("name", ["王小明", "O'Brien, Jr.", 'Jean-Luc "JL" Þór', "Ана-Мария", "R2D2", "🙂 Ann"], ids=range(6))
def test_names_of_many_scripts_come_through_the_list(register: Register, name: str) -> None:
    register.enrolment.enrol(name, VECTOR, "yes", NOON)
    register.attendance.mark({name: 0.25})
    with register.attendance.file("2026-11-21").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [{"name": name, "first_seen": "2026-11-21T12:00:00+00:00", "distance": "0.2500"}]


def test_a_list_is_new_at_midnight_of_its_zone_and_has_everybody_once(tmp_path: Path, clock: Clock) -> None:
    register = Register(tmp_path, "Asia/Taipei", clock=clock)
    clock.now = datetime(2026, 11, 21, 15, 59, 50, tzinfo=UTC)  # ten seconds before midnight in Taipei
    assert register.attendance.mark({"Ann": 0.3, "Ben": 0.2}) == ["Ann", "Ben"]
    clock.now += timedelta(seconds=5)
    assert register.attendance.mark({"Ann": 0.1}) == [], "the first time counts"
    clock.now += timedelta(seconds=15)
    assert register.attendance.mark({"Ann": 0.4}) == ["Ann"]
    assert [(seen.name, seen.first_seen) for seen in register.attendance.seen("2026-11-21")] == [
        ("Ann", "2026-11-21T23:59:50+08:00"),
        ("Ben", "2026-11-21T23:59:50+08:00"),
    ]
    assert [(seen.name, seen.distance) for seen in register.attendance.seen("2026-11-22")] == [("Ann", 0.4)]
    assert register.attendance.days() == ["2026-11-21", "2026-11-22"]
    assert sorted(path.name for path in (tmp_path / "attendance").iterdir()) == ["2026-11-21.csv", "2026-11-22.csv"]


def test_the_hour_that_comes_twice_is_told_apart(tmp_path: Path, clock: Clock) -> None:
    register = Register(tmp_path, "Europe/Berlin", clock=clock)
    for hour, name in ((0, "Ann"), (1, "Ben")):
        clock.now = datetime(2026, 10, 25, hour, 30, tzinfo=UTC)
        register.attendance.mark({name: 0.2})
    assert [seen.first_seen for seen in register.attendance.seen("2026-10-25")] == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T02:30:00+01:00",
    ]


def test_zones_and_days_that_are_none_are_refused(register: Register) -> None:
    folder = register.enrolment._store.path.parent
    for zone, words in (("Mars/Olympus", "not known"), ("../../etc/passwd", "not known"), ("Europe/Berlin", "of the time zone UTC")):
        with pytest.raises(InputError, match=words):
            Register(folder, zone)
    for day in ("2026-13-01", "today", "../x", "2026-2-3"):
        with pytest.raises(InputError, match="such as 2026-11-21"):
            register.attendance.seen(day)


def test_a_full_store_says_so_and_keeps_what_it_has(tmp_path: Path) -> None:
    register = Register(tmp_path, "UTC", most_bytes=40 << 10)

    def fill() -> None:
        for number in range(100):
            register.enrolment.enrol(f"Person {number}", np.zeros(1024, np.float32), "yes", NOON)

    with pytest.raises(StoreError, match="no space left"):
        fill()
    kept = register.enrolment.people()
    assert 0 < len(kept) < 100
    again = Register(tmp_path)
    assert again.enrolment.people() == kept
    again.enrolment.enrol("Ann", VECTOR, "yes", NOON)


def test_a_change_that_fails_in_the_middle_changes_nothing(register: Register) -> None:
    store = register.enrolment._store

    def change() -> None:
        with store.changing() as database:
            database.execute("INSERT INTO facts VALUES ('half', 'done')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change()
    assert store.fact("half") is None


def test_a_store_that_may_not_be_written_can_still_be_read(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    register.enrolment.enrol("Ann", VECTOR, "yes", NOON)
    path = register.enrolment._store.path

    def connect(self: Store) -> sqlite3.Connection:
        return sqlite3.connect(f"{path.as_uri()}?mode=ro", isolation_level=None, uri=True)

    monkeypatch.setattr(Store, "_connect", connect)
    assert [person.name for person in Register(path.parent).enrolment.people()] == ["Ann"]
    for change in (lambda: register.forget("Ann"), lambda: register.attendance.mark({"Ann": 0.1})):
        with pytest.raises(StoreError, match="may not be written"):
            change()
    assert [person.name for person in register.enrolment.people()] == ["Ann"]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: b"this is no database, but it is long enough to be one" * 200, id="another file"),
        pytest.param(lambda content: content[: len(content) // 2], id="cut off"),
        pytest.param(lambda content: content[:4096] + b"\xa5" * 8192 + content[12288:], id="pages overwritten"),
    ],
)
def test_a_damaged_store_is_named_and_left_as_it_is(register: Register, damage: object) -> None:
    path = register.enrolment._store.path
    for number in range(20):
        register.enrolment.enrol(f"Person {number}", np.full(256, number, np.float32), "yes", NOON)
    damaged = damage(path.read_bytes())  # type: ignore[operator]
    path.write_bytes(damaged)
    with pytest.raises(StoreError, match=r"people\.sqlite3: .*damaged"):
        Register(path.parent).enrolment.enrol("Ann", VECTOR, "yes", NOON)
    assert path.read_bytes() == damaged


def test_another_programs_file_and_other_vectors_are_refused(register: Register, tmp_path: Path) -> None:
    register.fit("net 1.0.0", 4)
    register.fit("net 1.0.0", 4)
    with pytest.raises(StoreError, match=r"made by net 1\.0\.0, 4 numbers, not by net 2\.0\.0"):
        register.fit("net 2.0.0", 4)
    with sqlite3.connect(tmp_path / FILE) as database:
        database.execute("CREATE TABLE other (x)")
    database.close()
    with pytest.raises(StoreError, match="says nothing of its schema"):
        Register(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be made"):
        Register(tmp_path / "file" / "below")


def test_threads_write_together_and_nothing_is_lost(register: Register) -> None:
    folder = register.enrolment._store.path.parent

    def work(number: int) -> list[str]:
        own = Register(folder, clock=Clock())
        own.enrolment.enrol(f"Person {number}", VECTOR + number, "yes", NOON)
        return own.attendance.mark({"Ann": 0.2, f"Person {number}": 0.1})

    with ThreadPoolExecutor(4) as pool:
        marked = [name for names in pool.map(work, range(8)) for name in names]
    assert sorted(marked) == ["Ann", *(f"Person {number}" for number in range(8))], "each was marked by one thread alone"
    assert len(register.enrolment.known().names) == 8
    table = register.attendance.file("2026-11-21").read_text("utf-8-sig")
    assert table.count("\n") == 1 + 9, "the file is that of the last one to write"


def test_a_process_that_is_killed_in_the_middle_leaves_what_was(register: Register) -> None:
    register.enrolment.enrol("Ann", VECTOR, "yes", NOON)
    path = register.enrolment._store.path
    code = (
        "import os, signal, sqlite3, sys; d = sqlite3.connect(sys.argv[1], isolation_level=None); d.execute('PRAGMA cache_size = 1')\n"
        "d.execute('BEGIN IMMEDIATE'); d.execute('DELETE FROM people')\n"
        "[d.execute('INSERT INTO seen VALUES (?, ?, ?, ?, 0)', (str(i), 'x' * 900, '', '')) for i in range(200)]\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert [person.name for person in Register(path.parent).enrolment.people()] == ["Ann"]
    assert Register(path.parent).attendance.days() == []
