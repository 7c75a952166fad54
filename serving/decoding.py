"""Threads that decode and preprocess requests: what cannot be answered in time is refused before any work is spent on it.

Under too much load the queue in front of these threads is the one that grows. Were it first come, first served to the end,
every request would be decoded after the moment until which its answer was of use.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from serving.batching import MARGIN
from serving.errors import DeadlineError

Result = TypeVar("Result")
_MEMORY = 0.2  # weight of the newest request in what one is expected to take


class Decoders:
    """A few threads, and the seconds that all which waits for them is expected to take. Used on the event loop alone."""

    def __init__(self, threads: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with nothing known; threads are made when they are needed."""
        self._pool, self._threads, self._clock = ThreadPoolExecutor(threads, "decode"), threads, clock
        self._ahead, self._waiting = 0.0, 0
        self._taken: dict[str, float] = {}

    async def run(self, model: str, deadline: float, work: Callable[[], Result]) -> Result:
        """Run work on a thread.

        Args:
            model: What the request is for: requests for one model take about as long.
            deadline: By when the work must be done, by the clock.
            work: Decodes and preprocesses.

        Raises:
            DeadlineError: It could not be done in time, or a thread was free too late.
        """
        expected = self._taken.get(model, 0.0)
        self._check(model, expected, deadline)
        self._ahead, self._waiting = self._ahead + expected, self._waiting + 1
        try:
            result, seconds = await asyncio.get_running_loop().run_in_executor(self._pool, self._timed, model, deadline, work)
        finally:
            self._waiting -= 1
            self._ahead = self._ahead - expected if self._waiting else 0.0
        self._taken[model] = seconds if not expected else expected + _MEMORY * (seconds - expected)
        return result

    def close(self) -> None:
        """End the threads; nothing waits for them any more."""
        self._pool.shutdown(wait=False)

    def _check(self, model: str, expected: float, deadline: float) -> None:
        if self._waiting < self._threads:  # a thread is free: whoever is refused although nothing is ahead would be so for ever
            return
        seconds, left = self._ahead / self._threads + expected, deadline - self._clock()
        if MARGIN * seconds > left:
            raise DeadlineError(f"{model}: reading the request would take {seconds:.3f} s, {max(0.0, left):.3f} s are left; try later")

    def _timed(self, model: str, deadline: float, work: Callable[[], Result]) -> tuple[Result, float]:
        begun = self._clock()
        if begun > deadline:
            raise DeadlineError(f"{model}: the deadline passed before the request could be read; allow more time, or try later")
        return work(), self._clock() - begun
