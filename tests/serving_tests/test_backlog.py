"""Time that passes unseen counts as waiting, and what was learnt in a busy spell is forgotten again."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from serving.backlog import Backlog
from serving.batching import MARGIN, Job, Lane, Scheduler
from serving.errors import DeadlineError
from serving.latency import Latency


class Loop:
    """Turns of an event loop that take as long as they are told to."""

    def __init__(self) -> None:
        self.time = 0.0
        self.calls: list[Callable[[], None]] = []
        self.backlog = Backlog(self.calls.append, lambda: self.time)

    def turn(self, *seconds: float) -> list[float]:
        """Read requests, each of which takes so long, then call back."""
        waited = []
        for each in seconds:
            waited.append(round(self.backlog.waited(self.time), 3))
            self.time += each
        calls, self.calls[:] = list(self.calls), []
        for call in calls:
            call()
        return waited


def test_what_is_read_in_one_turn_may_have_come_in_the_turn_before() -> None:
    loop = Loop()
    assert loop.turn(0.01, 0.02) == [0, 0.01]
    assert loop.turn(0.001, 0.001) == [0.03, 0.031]
    assert loop.turn(0.001) == [0.002]


def test_an_idle_loop_has_no_backlog() -> None:
    loop = Loop()
    loop.turn(0.5)
    loop.turn()
    assert loop.calls == []
    loop.time += 9
    assert loop.turn(0.1) == [0]


def test_a_busy_spell_is_not_believed_in_for_ever() -> None:
    lane = Lane("net", lambda inputs: {}, Latency((1,), (0.001,), 1, scale=10.0), most_waiting=9)
    refused = 0
    while MARGIN * lane.expected(0, 1) > 0.005:
        with pytest.raises(DeadlineError):
            lane.check_deadline(0, 0.005)
        refused += 1
    lane.check_deadline(0, 0.005)
    assert 0 < refused < 20


def test_nothing_is_forgotten_while_something_runs() -> None:
    lane = Lane("net", lambda inputs: {}, Latency((1,), (0.001,), 1, scale=10.0), most_waiting=9)
    lane.running = 1
    with pytest.raises(DeadlineError):
        lane.check_deadline(0, 0.005)
    assert lane.latency.scale == 10


@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_a_model_that_is_quicker_than_measured_stays_so(scale: float) -> None:
    latency = Latency((1,), (1.0,), 1, scale=scale)
    latency.forget()
    assert latency.scale == scale


class Inline:
    """A scheduler's world in which batches run at once and take a millisecond, and calls wait for a turn."""

    slots = 1

    def __init__(self) -> None:
        self.time, self.ran = 0.0, 0
        self.calls: list[Callable[[], None]] = []
        self.defer, self.now = self.calls.append, lambda: self.time

    def call_at(self, when: float, call: Callable[[], None]) -> Callable[[], None]:
        return lambda: None

    def start(self, work: Callable[[], Any], done: Callable[[Any], None], expected: float) -> None:
        answers, _ = work()
        self.time, self.ran = self.time + 0.001, self.ran + 1
        done((answers, 0.001))


@pytest.mark.parametrize(
    ("others", "ran"),
    [pytest.param(0.0, 5, id="little"), pytest.param(0.02, 20, id="for 20 ms"), pytest.param(3.0, 50, id="for seconds, which is too long")],
)
def test_batches_run_on_the_event_loop_about_as_long_as_others_kept_it_busy(others: float, ran: int) -> None:
    world = Inline()
    scheduler, lane = Scheduler(world), Lane("net", lambda inputs: inputs, Latency((1,), (0.001,), 1), most_waiting=500)
    scheduler.lanes.append(lane)
    world.time = others
    for _ in range(100):
        scheduler.submit(lane, Job({"x": np.zeros((1, 1))}, 1, 99.0, lambda outcome: None))
    world.calls.pop(0)()
    assert world.ran == pytest.approx(ran, abs=1)
    assert len(world.calls) == 1, "the rest runs in the next turn"
