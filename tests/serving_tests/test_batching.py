"""The micro-batcher: nothing accepted is lost, order and bounds hold, deadlines are kept, and one bad request spoils no other."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.batching import Job, Lane, Outcome, Scheduler
from serving.errors import DeadlineError, DrainingError, QueueFullError
from serving.latency import Latency

Array = np.ndarray[Any, Any]


@dataclass
class World:
    """Time that passes when it is told to, and slots whose work ends when it is told to."""

    slots: int = 1
    time: float = 0.0
    deferred: list[Callable[[], None]] = field(default_factory=list)
    alarms: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    running: list[tuple[Callable[[], Any], Callable[[Any], None]]] = field(default_factory=list)

    def now(self) -> float:
        return self.time

    def defer(self, call: Callable[[], None]) -> None:
        self.deferred.append(call)

    def call_at(self, when: float, call: Callable[[], None]) -> Callable[[], None]:
        alarm = (when, call)
        self.alarms.append(alarm)
        return lambda: self.alarms.remove(alarm)

    def start(self, work: Callable[[], Any], done: Callable[[Any], None], expected: float) -> None:
        self.running.append((work, done))
        assert len(self.running) <= self.slots

    def settle(self) -> None:
        while self.deferred:
            self.deferred.pop(0)()

    def advance(self, seconds: float) -> None:
        self.time += seconds
        for alarm in [alarm for alarm in self.alarms if alarm[0] <= self.time]:
            self.alarms.remove(alarm)
            alarm[1]()

    def finish(self, seconds: float | Callable[[], float] = 0.0) -> None:
        work, done = self.running.pop(0)
        answer, _ = work()
        seconds = seconds() if callable(seconds) else seconds
        self.advance(seconds)
        done((answer, seconds))
        self.settle()


def double(inputs: Mapping[str, Array]) -> dict[str, Array]:
    return {"y": inputs["x"] * 2}


def constant(seconds: float, limit: int) -> Latency:
    return Latency((1, max(limit, 2)), (seconds, seconds), limit)


def lane(world: World, run: Any = double, latency: Latency | None = None, **options: Any) -> tuple[Scheduler, Lane]:
    scheduler = Scheduler(world)
    made = Lane("net", run, latency or constant(0.01, 8), **{"most_waiting": 100, **options})
    scheduler.lanes.append(made)
    return scheduler, made


def job(values: list[float], deadline: float, outcomes: list[Outcome], width: int = 1) -> Job:
    array = np.repeat(np.array(values, np.float32)[:, None], width, axis=1)
    return Job({"x": array}, len(values), deadline, outcomes.append)


def test_what_has_arrived_goes_together_and_nothing_waits_for_company() -> None:
    world, sizes, outcomes = World(), [], []

    def run(inputs: Mapping[str, Array]) -> dict[str, Array]:
        sizes.append(len(inputs["x"]))
        return double(inputs)

    scheduler, net = lane(world, run)
    for i in range(3):
        scheduler.submit(net, job([i], 9, outcomes))
    world.settle()
    scheduler.submit(net, job([3], 9, outcomes))
    world.settle()
    assert len(world.running) == 1
    for i in range(4, 13):
        scheduler.submit(net, job([i], 9, outcomes))
    world.finish(0.01)
    world.finish(0.01)
    world.finish(0.01)
    assert sizes == [3, 8, 2]
    assert [outcome.outputs["y"].tolist() for outcome in outcomes if outcome.outputs] == [[[2.0 * i]] for i in range(13)]
    assert [outcome.samples for outcome in outcomes] == [3] * 3 + [8] * 8 + [2] * 2
    assert not world.running
    assert net.idle


actions = st.one_of(
    st.tuples(st.just("submit"), st.integers(0, 1), st.integers(1, 5), st.integers(1, 2), st.floats(0.001, 2)),
    st.tuples(st.just("finish"), st.floats(0, 0.2)),
    st.tuples(st.just("advance"), st.floats(0, 0.5)),
    st.tuples(st.just("settle")),
)


@dataclass
class Told:
    """What a job was told, and when."""

    deadline: float
    outcome: Outcome | None = None
    at: float = math.nan


class Run:
    """Two lanes driven by a program of actions; every rule is held after every action."""

    def __init__(self, slots: int, limit: int, most: int) -> None:
        self.world, self.limit, self.most = World(slots), limit, most
        self.scheduler = Scheduler(self.world)
        self.begun: list[tuple[int, int, int]] = []  # lane, row width, number of the job
        for i in range(2):
            self.scheduler.lanes.append(Lane(f"net{i}", self._runner(i), constant(0.05, limit), most_waiting=most))
        self.told: list[Told] = []

    def _runner(self, number: int) -> Callable[[Mapping[str, Array]], dict[str, Array]]:
        def run(inputs: Mapping[str, Array]) -> dict[str, Array]:
            rows = inputs["x"]
            jobs = list(dict.fromkeys(int(value) for value in rows[:, 0]))
            assert len(rows) <= self.limit or len(jobs) == 1
            self.begun += [(number, rows.shape[1], i) for i in jobs]
            return double(inputs)

        return run

    def submit(self, number: int, count: int, width: int, seconds: float) -> None:
        net = self.scheduler.lanes[number]
        told = Told(self.world.time + seconds)
        identifier = len(self.told)

        def done(outcome: Outcome) -> None:
            assert told.outcome is None, "answered twice"
            told.outcome, told.at = outcome, self.world.time
            if outcome.outputs is not None:
                assert outcome.outputs["y"].tolist() == [[2.0 * identifier] * width] * count

        made = Job({"x": np.full((count, width), identifier, np.float32)}, count, told.deadline, done)
        try:
            net.check_open(self.world.time)
            self.scheduler.submit(net, made)
        except (QueueFullError, DeadlineError):
            return
        self.told.append(told)

    def check(self) -> None:
        for net in self.scheduler.lanes:
            assert net.waiting <= self.most
            assert net.samples == sum(item.count for item in net.queue)
            assert net.running <= net.concurrency

    def end(self) -> None:
        self.world.settle()
        while self.world.running:
            self.world.finish(0.01)
            self.check()
        assert all(net.idle for net in self.scheduler.lanes)
        for told in self.told:
            assert told.outcome is not None, "accepted and lost"
            if told.outcome.error is not None:
                assert isinstance(told.outcome.error, DeadlineError)
                assert told.at >= told.deadline
        for group in {(number, width) for number, width, _ in self.begun}:
            order = [i for number, width, i in self.begun if (number, width) == group]
            assert order == sorted(order), "of two that fit one another, the later went first"


@settings(max_examples=150)
@given(program=st.lists(actions, max_size=60), slots=st.integers(1, 2), limit=st.integers(1, 6), most=st.integers(1, 8))
def test_nothing_accepted_is_lost_and_order_bounds_and_deadlines_hold(program: Any, slots: int, limit: int, most: int) -> None:
    run = Run(slots, limit, most)
    for name, *values in program:
        if name == "submit":
            run.submit(*values)
        elif name == "finish" and run.world.running:
            run.world.finish(*values)
        elif name == "advance":
            run.world.advance(*values)
        elif name == "settle":
            run.world.settle()
        run.check()
    run.end()


def test_a_deadline_keeps_the_batch_small_enough_to_be_met() -> None:
    world, outcomes = World(), []
    scheduler, net = lane(world, latency=Latency((1, 2, 4, 8), (0.1, 0.2, 0.4, 0.8), 8))
    scheduler.submit(net, job([0], 0.35, outcomes))
    for i in range(1, 8):
        scheduler.submit(net, job([i], 9, outcomes))
    world.settle()
    world.finish(0.3)
    assert [outcome.samples for outcome in outcomes] == [3, 3, 3]


def test_a_deadline_that_is_lost_anyway_keeps_no_batch_small() -> None:
    world, outcomes = World(), []
    scheduler, net = lane(world, latency=constant(0.1, 8))
    scheduler.submit(net, job([0], 0.15, outcomes))
    for i in range(1, 8):
        scheduler.submit(net, job([i], 9, outcomes))
    world.time = 0.1
    world.settle()
    world.finish(0.1)
    assert [outcome.samples for outcome in outcomes] == [8] * 8


def test_a_deadline_that_cannot_be_met_is_refused_at_once() -> None:
    world = World()
    scheduler, net = lane(world, latency=constant(0.1, 1))
    for i in range(3):
        scheduler.submit(net, job([i], 9, []))
    with pytest.raises(DeadlineError, match=r"would take 0.400 s, 0.300 s are left"):
        scheduler.submit(net, job([3], 0.3, []))
    assert net.waiting == 3


def test_what_waits_past_its_deadline_is_told_so_on_time_and_never_begins() -> None:
    world, outcomes = World(), []
    scheduler, net = lane(world)
    scheduler.submit(net, job([0], 9, outcomes))
    world.settle()
    for deadline in (0.5, 0.2, 3):
        scheduler.submit(net, job([1], deadline, outcomes))
    world.settle()
    world.advance(0.2)
    assert [str(outcome.error)[:32] for outcome in outcomes] == ["net: the deadline passed after 0"]
    world.advance(0.3)
    assert len(outcomes) == 2
    world.finish(0.1)
    world.finish(0.1)
    assert [outcome.error is None for outcome in outcomes] == [False, False, True, True]


def test_a_full_queue_says_when_to_come_back() -> None:
    world = World()
    scheduler, net = lane(world, latency=constant(2, 1), most_waiting=3)
    for i in range(3):
        net.check_open(0)
        scheduler.submit(net, job([i], 99, []))
    with pytest.raises(QueueFullError, match="3 requests wait, the most that may; send it again in 6 s") as refused:
        net.check_open(0)
    assert refused.value.retry_after == 6


def test_draining_refuses_what_is_new_and_finishes_what_was_accepted() -> None:
    world, outcomes = World(), []
    scheduler, net = lane(world)
    scheduler.submit(net, job([1], 9, outcomes))
    net.draining = True
    with pytest.raises(DrainingError, match="takes no more requests"):
        net.check_open(0)
    world.settle()
    world.finish()
    assert net.idle
    assert [outcome.error for outcome in outcomes] == [None]


def test_a_busy_model_leaves_its_share_of_time_to_another() -> None:
    world, order = World(), []
    scheduler, costs = Scheduler(world), {"slow": 0.04, "quick": 0.01}
    for name, cost in costs.items():
        scheduler.lanes.append(
            Lane(name, lambda inputs, name=name: order.append(name) or double(inputs), constant(cost, 1), most_waiting=99)
        )
    slow, quick = scheduler.lanes
    for i in range(20):
        scheduler.submit(slow, job([i], 99, []))
    world.settle()
    for _ in range(4):
        world.finish(0.04)
    for i in range(20):
        scheduler.submit(quick, job([i], 99, []))
    world.settle()
    order.clear()
    for _ in range(15):
        world.finish(lambda: costs[order[-1]])
    assert 2 <= order.count("slow") <= 5
    assert order.count("quick") >= 10
