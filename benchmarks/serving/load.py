"""Load: closed loops, in which each connection asks again when it has its answer, and open ones, which ask on schedule."""

from __future__ import annotations

import gc
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.serving.connections import Connection, Connections

DRAIN_S = 15.0
SETTLE_S = 0.1


@dataclass
class Load:
    """What came of it: seconds that it took, latencies of good answers in seconds, and answers by status (0: connection lost)."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    unsent: int = 0

    @property
    def rate(self) -> float:
        """Good answers per second."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    @property
    def refused(self) -> int:
        """Answers other than good ones."""
        return sum(count for status, count in self.statuses.items() if status != 200)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the client's garbage collection out of the latencies."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def closed_loop(port: int, request: bytes, connections: int, seconds: float, settle: float = SETTLE_S) -> Load:
    """Ask for some seconds over so many connections.

    Args:
        port: Of 127.0.0.1.
        request: A whole HTTP request, always the same.
        connections: How many requests are out at once.
        seconds: How long answers count. Where one takes longer than that, the first answers of all are waited for.
        settle: Seconds before that, in which none count.
    """
    load, pool = Load(), Connections(port)
    try:
        with quiet():
            start = time.perf_counter() + settle
            for _ in range(connections):
                pool.send(pool.connect(), request, time.perf_counter())
            load.seconds = _loop(pool, request, load, start, start + seconds)
            _leave(pool)
    finally:
        pool.close()
    return load


def _loop(pool: Connections, request: bytes, load: Load, start: float, end: float) -> float:
    """Ask again and again; gives the seconds from `start` to the last answer that counts."""
    latencies, now, last = load.latencies, time.perf_counter(), start
    patience = end + DRAIN_S
    while now < end or (not latencies and pool.busy and now < patience):
        for connection, status, when in pool.poll(0.5):
            if when >= start:
                load.statuses[status] += 1
                if status == 200:
                    latencies.append(when - connection.due)
                    last = when
            if status == 0:
                connection = pool.replace(connection)
            if when < end:
                pool.send(connection, request, time.perf_counter())
        now = time.perf_counter()
    return max(last, end) - start if now < patience else now - start


def _leave(pool: Connections) -> None:
    """Wait for the answers that are out, which count no more: what was left behind would burden what is measured next."""
    out, until = pool.busy, time.perf_counter() + DRAIN_S
    while out > 0 and time.perf_counter() < until:
        out -= len(pool.poll(0.1))


def open_loop(port: int, request: bytes, rate: float, seconds: float, most: int) -> Load:
    """Ask `rate` times a second, whatever becomes of it; latencies count from when a request was due.

    Args:
        port: Of 127.0.0.1.
        request: A whole HTTP request, always the same.
        rate: Requests per second.
        seconds: How long.
        most: Connections at once; what cannot be sent for want of one is counted in `unsent`.
    """
    load, pool = Load(), Connections(port)
    idle = deque(pool.connect() for _ in range(most))
    try:
        with quiet():
            start = time.perf_counter()
            _schedule(pool, idle, request, load, start, rate, seconds)
            load.seconds = time.perf_counter() - start
            _drain(pool, load, most - len(idle))
    finally:
        pool.close()
    return load


def _schedule(pool: Connections, idle: deque[Connection], request: bytes, load: Load, start: float, rate: float, seconds: float) -> None:
    total, sent = int(rate * seconds), 0
    while sent < total:
        now = time.perf_counter()
        due = min(int((now - start) * rate) + 1, total)
        while sent < due:
            if idle:
                pool.send(idle.popleft(), request, start + sent / rate)
            else:
                load.unsent += 1
            sent += 1
        for connection, status, when in pool.poll(min(start + sent / rate - time.perf_counter(), 0.01)):
            idle.append(_count(pool, connection, load, status, when))


def _drain(pool: Connections, load: Load, out: int) -> None:
    """Wait for the answers that are still out."""
    until = time.perf_counter() + DRAIN_S
    while out > 0 and time.perf_counter() < until:
        for connection, status, when in pool.poll(0.1):
            _count(pool, connection, load, status, when)
            out -= 1
    load.statuses[0] += max(out, 0)


def _count(pool: Connections, connection: Connection, load: Load, status: int, when: float) -> Connection:
    load.statuses[status] += 1
    if status == 200:
        load.latencies.append(when - connection.due)
    return pool.replace(connection) if status == 0 else connection
