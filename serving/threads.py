"""The scheduler's world: a clock, and threads that run batches."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

Done = Callable[[Any], None]
# A batch that is expected to take less runs on the event loop. Handing it to a thread costs 4 to 20 µs of processor time; with a
# processor to spare the thread wins from 100 µs on, without one it never does, and the loop should not stand still for long.
# Measured by `python -m benchmarks.serving.handover`.
INLINE_S, INLINE_ALONE_S = 0.0001, 0.0005


class Threads:
    """One thread for each slot; waiting for work costs nothing, handing it over a few microseconds."""

    def __init__(self, slots: int) -> None:
        """Start the threads; needs a running event loop."""
        self.slots = slots
        self._inline = INLINE_S if slots > 1 else INLINE_ALONE_S
        self._loop = asyncio.get_running_loop()
        self.now = time.monotonic  # the event loop's time, without its rounding to milliseconds: most batches take less
        self._work: SimpleQueue[tuple[Callable[[], Any], Done] | None] = SimpleQueue()
        self._threads = [threading.Thread(target=self._serve, name=f"batch-{i}", daemon=True) for i in range(slots)]
        for thread in self._threads:
            thread.start()

    def defer(self, call: Callable[[], None]) -> None:
        """Call soon, when what has arrived by now has been seen."""
        self._loop.call_soon(call)

    def call_at(self, when: float, call: Callable[[], None]) -> Callable[[], None]:
        """Call at a time; gives what cancels it."""
        return self._loop.call_at(when, call).cancel

    def start(self, work: Callable[[], Any], done: Done, expected: float) -> None:
        """Run work, which raises nothing, on a thread, or at once where that is quicker; hand its result to `done` on the event loop."""
        if expected < self._inline:
            done(work())
        else:
            self._work.put((work, done))

    def close(self) -> None:
        """End the threads; nothing is running any more."""
        for _ in self._threads:
            self._work.put(None)

    def _serve(self) -> None:
        while (item := self._work.get()) is not None:
            work, done = item
            self._loop.call_soon_threadsafe(done, work())


def processors() -> int:
    """Count the processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
