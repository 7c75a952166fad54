"""How long a request may have waited before anybody saw it: in socket buffers, while the event loop was busy with others.

A deadline counts from when a request came. Under too much load that is long before it is read, and a server that begins to
count then gives answers that nobody waits for any more.
"""

from __future__ import annotations

import time
from collections.abc import Callable

SHARE = 2  # reading, running and writing take about as long each: what is to be answered in time has waited a third of it at most


class Backlog:
    """Follows the turns of a busy event loop. What is read in one turn has come after the sockets were looked at in the turn before."""

    def __init__(self, defer: Callable[[Callable[[], None]], object], clock: Callable[[], float] = time.monotonic) -> None:
        """Begin idle.

        Args:
            defer: Calls back when what can be read now has been read, before the sockets are looked at again.
            clock: Tells seconds.
        """
        self._defer, self._clock = defer, clock
        self._busy = self._read = False
        self._before = self._last = 0.0

    def waited(self, now: float) -> float:
        """Give the most seconds that what is read now may have waited; to be asked for each request."""
        self._read = True
        if not self._busy:
            self._busy = True
            self._before = self._last = now
            self._defer(self._turn)
        return now - self._before

    def _turn(self) -> None:
        if not self._read:  # the sockets were looked at, and nothing had come
            self._busy = False
            return
        self._read = False
        self._before, self._last = self._last, self._clock()
        self._defer(self._turn)
