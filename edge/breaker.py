"""Not asking a server that does not answer: a circuit breaker, and an allowance of requests.

The circuit is *closed* while requests are answered. After some failures in a row it *opens*: nothing is asked for a while,
which doubles with each further failure and is drawn by chance, so that a thousand devices do not come back at once. Then it is
*half-open*: one request goes out as a probe; its answer closes the circuit, its failure opens it again.

Source: M. Nygard, "Release It!" (2007), circuit breaker; M. Brooker, "Exponential backoff and jitter" (2015).
"""

from __future__ import annotations

import random
import threading
import time
from typing import Callable, Literal, Optional

from edge.errors import UsageError

State = Literal["closed", "open", "half-open"]
Clock = Callable[[], float]


class Breaker:
    """Says whether a request may go out; whoever sent one tells how it went. Safe to use from several threads."""

    def __init__(
        self,
        *,
        failures: int = 3,
        first_s: float = 1.0,
        most_s: float = 60.0,
        clock: Clock = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Begin closed.

        Args:
            failures: So many in a row open the circuit.
            first_s: How long it stays open the first time, at most; a wait is drawn between half of that and all of it.
            most_s: The longest wait, however often it failed.
            clock: Seconds that only go forward.
            chance: A number from 0 to 1, for the draw.

        Raises:
            UsageError: A number makes no sense.
        """
        if failures < 1 or not 0 < first_s <= most_s:
            raise UsageError(
                f"breaker: failures={failures}, first_s={first_s:g}, most_s={most_s:g}; expected 1 or more, and 0 < first_s <= most_s"
            )
        self._allowed, self._first_s, self._most_s, self._clock, self._chance = failures, first_s, most_s, clock, chance
        self._lock = threading.Lock()
        self._failed = 0  # in a row
        self._openings = 0  # in a row, without a success between them
        self._until: Optional[float] = None  # when an open circuit lets a probe out; None while it is closed
        self._turn = 0  # tickets of earlier turns no longer count
        self._probing = False

    @property
    def state(self) -> State:
        """Where the circuit is."""
        with self._lock:
            if self._until is None:
                return "closed"
            return "half-open" if self._probing or self._clock() >= self._until else "open"

    @property
    def wait_s(self) -> float:
        """Seconds until a probe may go out; 0 where one may already."""
        with self._lock:
            return 0.0 if self._until is None else max(0.0, self._until - self._clock())

    def admit(self) -> Optional[int]:
        """Ask for leave to send one request; give a ticket for `report`, or None where it must not go out."""
        with self._lock:
            if self._until is None:
                return self._turn
            if self._probing or self._clock() < self._until:
                return None
            self._probing = True
            return self._turn

    def report(self, ticket: int, *, ok: bool, wait_s: float = 0.0) -> None:
        """Say how a request went; one that was sent before the circuit last changed no longer counts.

        Args:
            ticket: What `admit` gave.
            ok: Whether the server answered.
            wait_s: How long the server itself asked to be left alone; that opens the circuit at once, for twice the longest wait at most.
        """
        with self._lock:
            if ticket != self._turn:
                return
            if ok:
                if self._until is not None:
                    self._turn += 1
                self._failed, self._openings, self._until, self._probing = 0, 0, None, False
                return
            self._failed += 1
            if self._until is not None or self._failed >= self._allowed or wait_s > 0:
                self._open(wait_s)

    def withdraw(self, ticket: int) -> None:
        """Give a ticket back unused, so that somebody else may send the probe."""
        with self._lock:
            if ticket == self._turn:
                self._probing = False

    def _open(self, wait_s: float) -> None:
        full = self._most_s if self._openings > 60 else min(self._most_s, self._first_s * 2.0**self._openings)
        drawn = full * (0.5 + 0.5 * self._chance())
        self._until = self._clock() + max(drawn, min(wait_s, 2 * self._most_s))
        self._openings += 1
        self._turn += 1
        self._probing = False


class Allowance:
    """So many requests a second on average, and so many at once after a pause: a token bucket. Safe to use from several threads."""

    def __init__(self, per_second: float = 10.0, burst: int = 20, *, clock: Clock = time.monotonic) -> None:
        """Begin full.

        Args:
            per_second: How fast it fills.
            burst: How much it holds, at least 1.
            clock: Seconds that only go forward.

        Raises:
            UsageError: A number makes no sense.
        """
        if per_second <= 0 or burst < 1:
            raise UsageError(f"allowance: per_second={per_second:g}, burst={burst}; expected more than 0, and 1 or more")
        self._per_second, self._burst, self._clock = per_second, burst, clock
        self._lock = threading.Lock()
        self._left, self._since = float(burst), clock()

    def take(self) -> bool:
        """Take one request out, where there is one."""
        with self._lock:
            now = self._clock()
            self._left = min(float(self._burst), self._left + (now - self._since) * self._per_second)
            self._since = now
            if self._left < 1:
                return False
            self._left -= 1
            return True
