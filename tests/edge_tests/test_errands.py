"""Calls that may take too long: nobody waits longer than they said, and one thread does it all."""

import threading
import time
from collections.abc import Iterator

import pytest

from edge.errands import Errands, LateError
from edge.errors import InputError, UsageError


def running() -> int:
    return sum(thread.name == "errands under test" for thread in threading.enumerate())


@pytest.fixture
def ended() -> list[str]:
    return []


@pytest.fixture
def errands(ended: list[str]) -> Iterator[Errands]:
    made = Errands("errands under test", lambda: ended.append("end"))
    yield made
    made.close()
    assert running() == 0


def test_results_and_errors_come_back(errands: Errands, ended: list[str]) -> None:
    assert running() == 0, "no thread before there is work"
    assert errands.run(lambda left: round(left), 7) == 7

    def fail(left: float) -> None:
        raise InputError("no")

    with pytest.raises(InputError, match="no"):
        errands.run(fail, 5)
    assert (running(), ended) == (1, [])
    errands.close()
    assert ended == ["end"]
    errands.close()
    with pytest.raises(UsageError, match="closed"):
        errands.run(lambda left: 1, 1)


def test_closing_what_never_began_is_nothing(ended: list[str]) -> None:
    Errands("errands under test", lambda: ended.append("end")).close()
    assert running() == 0


def test_nobody_waits_longer_and_nothing_is_sent_while_one_is_late(errands: Errands) -> None:
    release, calls = threading.Event(), []

    def hang(left: float) -> str:
        calls.append("hang")
        release.wait(10)
        return "too late"

    started = time.monotonic()
    with pytest.raises(LateError, match="no answer within 50 ms"):
        errands.run(hang, 0.05)
    with pytest.raises(LateError, match="the last request has not come back yet"):
        errands.run(hang, 5)
    assert time.monotonic() - started < 4
    release.set()
    until = time.monotonic() + 5
    found = ""
    while not found and time.monotonic() < until:
        try:
            found = errands.run(lambda left: "next", 1)
        except LateError:
            time.sleep(0.005)
    assert (found, calls, running()) == ("next", ["hang"], 1)


def test_what_waits_too_long_for_its_turn_is_not_done(errands: Errands) -> None:
    release, begun, done = threading.Event(), threading.Event(), []

    def hold(left: float) -> None:
        begun.set()
        release.wait(10)

    first = threading.Thread(target=lambda: errands.run(hold, 10))
    first.start()
    begun.wait(5)
    with pytest.raises(LateError):
        errands.run(lambda left: done.append("sent"), 0.05)
    release.set()
    first.join(5)
    assert errands.run(lambda left: "free", 5) == "free"
    assert done == []
