"""When a server is asked and when it is left alone: the circuit breaker against a model of it, and the allowance against arithmetic."""

import threading
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule

from edge.breaker import Allowance, Breaker
from edge.errors import UsageError


class Clock:
    """Time that goes on when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def failed(breaker: Breaker, times: int = 1, **options: Any) -> None:
    for _ in range(times):
        ticket = breaker.admit()
        assert ticket is not None
        breaker.report(ticket, ok=False, **options)


def test_the_way_round() -> None:
    clock = Clock()
    breaker = Breaker(failures=2, first_s=4, most_s=10, clock=clock, chance=lambda: 1.0)
    failed(breaker)
    assert breaker.state == "closed"
    failed(breaker)
    assert (breaker.state, breaker.wait_s, breaker.admit()) == ("open", 4, None)
    clock.now += 3.999
    assert breaker.admit() is None
    clock.now += 0.001
    assert (breaker.state, breaker.wait_s) == ("half-open", 0)
    probe = breaker.admit()
    assert probe is not None
    assert breaker.admit() is None, "one probe at a time"
    breaker.report(probe, ok=False)
    assert (breaker.state, breaker.wait_s) == ("open", 8)
    clock.now += 8
    failed(breaker)
    assert breaker.wait_s == 10, "no longer than the longest"
    clock.now += 10
    probe = breaker.admit()
    assert probe is not None
    breaker.report(probe, ok=True)
    assert breaker.state == "closed"
    failed(breaker, 2)
    assert breaker.wait_s == 4, "after a success the waits begin anew"


def test_failures_count_only_in_a_row() -> None:
    breaker = Breaker(failures=2)
    for _ in range(5):
        failed(breaker)
        ticket = breaker.admit()
        assert ticket is not None
        breaker.report(ticket, ok=True)
    assert breaker.state == "closed"


def test_what_was_sent_before_the_circuit_changed_does_not_count() -> None:
    clock = Clock()
    breaker = Breaker(failures=1, first_s=4, clock=clock, chance=lambda: 1.0)
    old = breaker.admit()
    assert old is not None
    failed(breaker)
    breaker.report(old, ok=True)  # a late answer of a server that has gone since
    assert breaker.state == "open"
    breaker.report(old, ok=False)
    assert breaker.wait_s == 4


def test_a_probe_that_was_not_sent_lets_another_one_out() -> None:
    clock = Clock()
    breaker = Breaker(failures=1, first_s=1, clock=clock)
    failed(breaker)
    clock.now += 1
    probe = breaker.admit()
    assert probe is not None
    breaker.withdraw(probe)
    assert breaker.admit() is not None


def test_the_servers_own_wish_opens_at_once_and_is_bounded() -> None:
    breaker = Breaker(failures=3, first_s=1, most_s=60, clock=Clock())
    failed(breaker, wait_s=30)
    assert (breaker.state, breaker.wait_s) == ("open", 30)
    other = Breaker(failures=3, first_s=1, most_s=60, clock=Clock())
    failed(other, wait_s=1e9)
    assert other.wait_s == 120


@pytest.mark.parametrize(
    ("chance", "expected"), [pytest.param(0.0, 5.0, id="least"), pytest.param(0.5, 7.5, id="middle"), pytest.param(1.0, 10.0, id="most")]
)
def test_waits_are_drawn_from_the_upper_half(chance: float, expected: float) -> None:
    breaker = Breaker(failures=1, first_s=10, clock=Clock(), chance=lambda: chance)
    failed(breaker)
    assert breaker.wait_s == expected


def test_of_many_threads_one_sends_the_probe() -> None:
    clock = Clock()
    breaker = Breaker(failures=1, first_s=1, clock=clock)
    failed(breaker)
    clock.now += 1
    start, tickets = threading.Barrier(8), []

    def ask() -> None:
        start.wait()
        tickets.append(breaker.admit())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([ticket for ticket in tickets if ticket is not None]) == 1


@pytest.mark.parametrize("options", [{"failures": 0}, {"first_s": 0.0}, {"first_s": 2.0, "most_s": 1.0}], ids=["failures", "first", "most"])
def test_numbers_that_make_no_sense(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="breaker: "):
        Breaker(**options)
    with pytest.raises(UsageError, match="allowance: "):
        Allowance(0)


class BreakerMachine(RuleBasedStateMachine):
    """Requests go out, come back in any order or never, and time passes; a few lines say what must be true at any moment."""

    tickets = Bundle("tickets")

    @initialize(failures=st.integers(1, 4), chance=st.floats(0, 1))
    def begin(self, failures: int, chance: float) -> None:
        self.clock = Clock()
        self.breaker = Breaker(failures=failures, first_s=1, most_s=8, clock=self.clock, chance=lambda: chance)
        self.failures, self.chance = failures, chance
        self.turn, self.in_a_row, self.openings = 0, 0, 0
        self.until: float | None = None
        self.probing = False

    @rule(target=tickets)
    def admit(self) -> Any:
        ticket = self.breaker.admit()
        may = self.until is None or (not self.probing and self.clock.now >= self.until)
        assert (ticket is not None) == may
        if ticket is not None and self.until is not None:
            self.probing = True
        return (ticket, self.turn)

    @rule(sent=consumes(tickets), ok=st.booleans())
    def come_back(self, sent: tuple[int | None, int], ok: bool) -> None:
        ticket, turn = sent
        if ticket is None:
            return
        self.breaker.report(ticket, ok=ok)
        if turn != self.turn:
            return
        if ok:
            self.turn += self.until is not None
            self.in_a_row, self.openings, self.until, self.probing = 0, 0, None, False
            return
        self.in_a_row += 1
        if self.until is not None or self.in_a_row >= self.failures:
            self.until = self.clock.now + min(8.0, 2.0**self.openings) * (0.5 + 0.5 * self.chance)
            self.openings, self.turn, self.probing = self.openings + 1, self.turn + 1, False

    @rule(sent=consumes(tickets))
    def give_back(self, sent: tuple[int | None, int]) -> None:
        ticket, turn = sent
        if ticket is not None:
            self.breaker.withdraw(ticket)
            self.probing = self.probing and turn != self.turn

    @precondition(lambda self: self.until is not None)
    @rule(share=st.sampled_from([0.0, 0.5, 0.999, 1.0, 1.5]))
    def wait(self, share: float) -> None:
        assert self.until is not None
        self.clock.now = self.until if share == 1.0 else self.clock.now + max(0.0, self.until - self.clock.now) * share

    @invariant()
    def agrees(self) -> None:
        if self.until is None:
            assert (self.breaker.state, self.breaker.wait_s) == ("closed", 0)
        else:
            assert self.breaker.state == ("half-open" if self.probing or self.clock.now >= self.until else "open")
            assert 0 <= self.breaker.wait_s <= 8


TestBreaker = BreakerMachine.TestCase
TestBreaker.settings = settings(stateful_step_count=20)


@given(st.lists(st.floats(0, 3), max_size=60), st.floats(0.5, 20), st.integers(1, 10))
def test_never_more_goes_out_than_is_allowed(pauses: list[float], per_second: float, burst: int) -> None:
    clock = Clock()
    allowance = Allowance(per_second, burst, clock=clock)
    taken = [0.0 for _ in range(burst + 5) if allowance.take()]
    assert len(taken) == burst
    for pause in pauses:
        clock.now += pause
        passed = clock.now - 100.0
        if allowance.take():
            taken.append(passed)
        for begin in range(len(taken)):
            assert len(taken) - begin <= burst + (passed - taken[begin]) * per_second + 1e-6
    clock.now += burst / per_second + 1
    assert allowance.take()
