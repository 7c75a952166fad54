"""Which requests run together, and when: no timer, no waiting for company, a bounded queue, and no accepted work lost.

Whatever has arrived when a slot is free goes together, up to the size that pays for that model and that lets the earliest
deadline be met. Everything here runs on one thread (the event loop); only `run_jobs` runs elsewhere. Time, slots and
deferral are given from outside, so tests drive it with a clock of their own.

Source: Goyal, Vin, Cheng 1997, "Start-time fair queueing" (fairness between models); Crankshaw et al. 2017, "Clipper"
(batches bounded by a latency profile).
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from edge.errors import TandemError
from serving.errors import DeadlineError, DrainingError, QueueFullError
from serving.latency import Latency, Run

Array = np.ndarray[Any, Any]
MAX_RETRY_AFTER_S = 60
MARGIN = 1.15  # runs differ by a tenth, and half of what is taken up to the last moment would come too late
MOST_AT_ONCE_S, MOST_IN_TURN_S = 0.005, 0.05  # that batches run on the event loop: the first at least, else as long as others took it


class Outcome(NamedTuple):
    """What became of a job: outputs or an error, the seconds it waited and ran, and the samples it ran with."""

    outputs: Mapping[str, Array] | None
    error: Exception | None
    waited: float
    ran: float
    samples: int


@dataclass(eq=False, slots=True)
class Job:
    """Inputs, (N, …) arrays by tensor name, that must have begun by `deadline`; `done` is called once, on the event loop."""

    inputs: Mapping[str, Array]
    count: int
    deadline: float
    done: Callable[[Outcome], None]
    arrived: float = 0.0

    def fits(self, other: Job) -> bool:
        """Tell whether both can stand in one array: the same tensors with rows of the same shape."""
        return all(array.shape[1:] == other.inputs[name].shape[1:] for name, array in self.inputs.items())


class Environment(Protocol):
    """What the scheduler needs of the world."""

    @property
    def slots(self) -> int:
        """How many batches may run at once."""

    def now(self) -> float:
        """Tell the time in seconds."""

    def defer(self, call: Callable[[], None]) -> None:
        """Call soon, when what has arrived by now has been seen."""

    def call_at(self, when: float, call: Callable[[], None]) -> Callable[[], None]:
        """Call at a time; gives what cancels it."""

    def start(self, work: Callable[[], Any], done: Callable[[Any], None], expected: float) -> None:
        """Run work that should take `expected` seconds, and call back later with what it gave; at most `slots` run at once."""


class Lane:
    """The queue of one model. `arriving` counts requests that are being decoded, `in_flight` all that are not answered."""

    def __init__(self, name: str, run: Run, latency: Latency, *, most_waiting: int, concurrency: int = 1) -> None:
        """Begin empty; batches have at most `latency.limit` samples, except that a larger request runs alone."""
        self.name, self.run, self.latency = name, run, latency
        self.concurrency, self._most_waiting = concurrency, most_waiting
        self.queue: deque[Job] = deque()
        self.arriving, self.running, self.samples, self.in_flight = 0, 0, 0, 0
        self.draining = False
        self.batches, self.ran = 0, 0  # batches that were run since they were last counted, and the samples in them
        self.used, self.busy_until, self.next_deadline = 0.0, 0.0, math.inf

    @property
    def waiting(self) -> int:
        """Requests that are accepted and have not begun."""
        return len(self.queue) + self.arriving

    @property
    def idle(self) -> bool:
        """Whether nothing is accepted that is not finished."""
        return not (self.queue or self.arriving or self.running or self.in_flight)

    def oldest_wait(self, now: float) -> float:
        """Seconds that the head of the queue has waited, 0 where it is empty."""
        return now - self.queue[0].arrived if self.queue else 0.0

    def check_open(self, now: float) -> None:
        """Refuse before anything is read, where the model drains or its queue is full.

        Raises:
            DrainingError: It takes no more.
            QueueFullError: With the seconds after which trying again makes sense.
        """
        if self.draining:
            raise DrainingError(f"{self.name} takes no more requests, it is being stopped or reloaded; send it again in a moment")
        if self.waiting >= self._most_waiting:
            seconds = min(max(math.ceil(self.expected(now, 0)), 1), MAX_RETRY_AFTER_S)
            raise QueueFullError(f"{self.name}: {self.waiting} requests wait, the most that may; send it again in {seconds} s", seconds)

    def check_deadline(self, now: float, deadline: float, count: int = 1) -> None:
        """Refuse what cannot be answered in time.

        Raises:
            DeadlineError: The deadline cannot be met, as far as can be told.
        """
        seconds = self.expected(now, count)
        if now + MARGIN * seconds <= deadline:
            return
        if not self.samples and not self.running:  # nothing runs, so nothing is learnt, and a busy spell would be believed in for ever
            self.latency.forget()
        left = max(0.0, deadline - now)
        raise DeadlineError(f"{self.name}: an answer would take {seconds:.3f} s, {left:.3f} s are left; allow more time, or try later")

    def expected(self, now: float, count: int) -> float:
        """Estimate the seconds until so many samples more would be answered."""
        limit = self.latency.limit
        full, rest = divmod(self.samples + count, limit)
        seconds = full * self.latency.predict(limit) + (self.latency.predict(rest) if rest else 0.0)
        busy = max(0.0, self.busy_until - now) if self.running >= self.concurrency else 0.0
        return busy + seconds / self.concurrency

    def put(self, job: Job) -> None:
        """Queue a job."""
        self.queue.append(job)
        self.samples += job.count
        self.next_deadline = min(self.next_deadline, job.deadline)

    def take(self, now: float) -> list[Job]:
        """Take what goes together, the head of the queue first; among jobs that fit one another the order is kept."""
        head = self.queue.popleft()
        batch, count = [head], head.count
        end = now + self.latency.predict(count)
        earliest = head.deadline if end <= head.deadline else math.inf  # a deadline that is lost anyway holds nobody back
        others: list[Job] = []
        while self.queue:
            job = self.queue[0]
            if job.fits(head):
                end = now + self.latency.predict(count + job.count)
                if count + job.count > self.latency.limit or end > earliest:
                    break
                count += job.count
                earliest = min(earliest, job.deadline if end <= job.deadline else math.inf)
                batch.append(job)
            else:
                others.append(job)
            self.queue.popleft()
        self.queue.extendleft(reversed(others))
        self.samples -= count
        return batch

    def expire(self, now: float) -> None:
        """Answer the jobs whose deadline has passed before they began."""
        if now < self.next_deadline:
            return
        late = [job for job in self.queue if job.deadline <= now]
        self.queue = deque(job for job in self.queue if job.deadline > now)
        self.samples -= sum(job.count for job in late)
        self.next_deadline = min((job.deadline for job in self.queue), default=math.inf)
        for job in late:
            waited = now - job.arrived
            error = f"{self.name}: the deadline passed after {waited:.3f} s in the queue, before the request could begin"
            job.done(Outcome(None, DeadlineError(error), waited, 0.0, 0))


class Scheduler:
    """Shares the slots among the lanes: the lane that has used the least time goes next."""

    def __init__(self, environment: Environment) -> None:
        """Begin without lanes."""
        self._environment, self._free = environment, environment.slots
        self.lanes: list[Lane] = []
        self._deferred, self._dispatching, self._left = False, False, 0.0  # the last: when batches had run on the event loop last
        self._alarm: tuple[float, Callable[[], None]] | None = None
        self._turn = 0.0  # time used by the lane that began last: where a lane that was idle joins in

    def submit(self, lane: Lane, job: Job) -> None:
        """Accept a job: from here on it is answered, by its outputs, its own error, or the word that its deadline passed.

        Raises:
            DeadlineError: The deadline cannot be met, as far as can be told.
        """
        now = job.arrived = self._environment.now()
        lane.check_deadline(now, job.deadline, job.count)
        if not lane.queue and not lane.running:
            lane.used = max(lane.used, self._turn)
        lane.put(job)
        self._defer()

    def _dispatch(self) -> None:
        self._deferred = False
        if self._dispatching:  # a batch has run at once, and the loop below goes on
            return
        self._dispatching, begun = True, self._environment.now()
        until = begun + max(MOST_AT_ONCE_S, min(begun - self._left, MOST_IN_TURN_S))
        while (lane := self._next(now := self._environment.now())) is not None:
            if now > until:
                self._defer()
                break
            self._begin(lane, now)
        self._dispatching, self._left = False, self._environment.now()
        self._set_alarm()

    def _next(self, now: float) -> Lane | None:
        for lane in self.lanes:
            lane.expire(now)
        ready = [lane for lane in self.lanes if lane.queue and lane.running < lane.concurrency] if self._free else []
        return min(ready, key=lambda lane: lane.used) if ready else None

    def _defer(self) -> None:
        if not self._deferred:
            self._deferred = True
            self._environment.defer(self._dispatch)

    def _begin(self, lane: Lane, now: float) -> None:
        jobs = lane.take(now)
        samples = sum(job.count for job in jobs)
        self._free -= 1
        lane.running += 1
        expected = lane.latency.predict(samples)
        lane.busy_until = now + expected
        self._turn = lane.used

        def work() -> tuple[list[Mapping[str, Array] | Exception], float]:
            start = self._environment.now()
            return run_jobs(lane.run, jobs), self._environment.now() - start

        def done(result: tuple[list[Mapping[str, Array] | Exception], float]) -> None:
            """Hand each job its answer, and take up what waits."""
            answers, seconds = result
            self._free, lane.running = self._free + 1, lane.running - 1
            lane.batches, lane.ran, lane.used = lane.batches + 1, lane.ran + samples, lane.used + seconds
            if not any(isinstance(answer, Exception) for answer in answers):
                lane.latency.observe(samples, seconds)
            for job, answer in zip(jobs, answers, strict=True):
                failed = isinstance(answer, Exception)
                error, outputs = (answer, None) if isinstance(answer, Exception) else (None, answer)
                job.done(Outcome(outputs, error, now - job.arrived, seconds, 0 if failed else samples))
            self._dispatch()

        self._environment.start(work, done, expected)

    def _set_alarm(self) -> None:
        """See to it that no deadline passes unnoticed while every slot is taken; one alarm stands for all jobs."""
        when = min((lane.next_deadline for lane in self.lanes if lane.queue), default=math.inf)
        if when == math.inf or (self._alarm and self._alarm[0] <= when):
            return
        if self._alarm:
            self._alarm[1]()
        self._alarm = (when, self._environment.call_at(when, self._ring))

    def _ring(self) -> None:
        self._alarm = None
        self._dispatch()


def run_jobs(run: Run, jobs: list[Job]) -> list[Mapping[str, Array] | Exception]:
    """Run jobs together, and give each its own outputs or its own error.

    Where a run fails, the halves are run apart, so that one job spoils no other; a job is run at most 1 + ⌈log2(jobs)⌉ times.
    """
    try:
        return _split(run(_joined(jobs)), jobs)
    except Exception as error:  # whatever a model does with one request, the others of the batch are answered
        if len(jobs) == 1:
            return [error]
    middle = len(jobs) // 2
    return run_jobs(run, jobs[:middle]) + run_jobs(run, jobs[middle:])


def _joined(jobs: list[Job]) -> Mapping[str, Array]:
    if len(jobs) == 1:
        return jobs[0].inputs
    return {name: np.concatenate([job.inputs[name] for job in jobs]) for name in jobs[0].inputs}


def _split(outputs: Mapping[str, Array], jobs: list[Job]) -> list[Mapping[str, Array] | Exception]:
    ends = list(itertools.accumulate(job.count for job in jobs))
    for name, array in outputs.items():
        if len(array) != ends[-1]:
            raise TandemError(f"output {name!r} has {len(array)} rows for {ends[-1]} samples, expected one for each")
    if len(jobs) == 1:
        return [outputs]
    return [{name: array[end - job.count : end] for name, array in outputs.items()} for job, end in zip(jobs, ends, strict=True)]
