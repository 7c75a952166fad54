"""Calls that may take too long, done by a thread of their own: the caller waits no longer than it said.

A socket's timeout bounds one read, and nothing bounds the look-up of a name; so a deadline needs somebody else to do the waiting.
There is one thread, and one errand at a time: while one is late, the next are refused at once and no second thread is started.
"""

from __future__ import annotations

import queue
import threading
import time
from typing import Any, Callable, Generic, Optional, TypeVar

from edge.errors import RemoteError, UsageError

T = TypeVar("T")
PATIENCE_S = 5.0


class LateError(RemoteError):
    """The answer did not come in time."""

    reason = "late"


class Errands:
    """Does one call after another; the thread starts with the first one, and ends with `close`."""

    def __init__(self, name: str, at_end: Callable[[], None]) -> None:
        """Keep the thread's name, and what it does last."""
        self._name, self._at_end = name, at_end
        self._lock, self._queue = threading.Lock(), queue.SimpleQueue[Optional[_Errand[Any]]]()
        self._thread: Optional[threading.Thread] = None
        self._late: Optional[_Errand[Any]] = None
        self._closed = False

    def run(self, call: Callable[[float], T], within_s: float) -> T:
        """Do a call, which is given the seconds that are left, and wait for what it gives.

        Raises:
            LateError: It did not come in time; what it gives later is thrown away.
            UsageError: There is nobody to do it, since this is closed.
            Exception: What the call itself raised.
        """
        errand = _Errand(call, time.monotonic() + within_s)
        with self._lock:
            if self._closed:
                raise UsageError("it is closed and asks no server any more; make another one")
            if self._late is not None and not self._late.done.is_set():
                raise LateError("the last request has not come back yet; nothing is sent before it does")
            self._late = None
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
            self._queue.put(errand)
        if not errand.done.wait(within_s):
            with self._lock:
                errand.abandoned = True
                if not errand.done.is_set() and errand.begun:
                    self._late = errand
            raise LateError(f"no answer within {within_s * 1000:.0f} ms")
        return errand.outcome()

    def close(self) -> None:
        """End the thread after what it is doing; what waits is not done any more."""
        with self._lock:
            self._closed, thread = True, self._thread
        if thread is not None:
            self._queue.put(None)
            thread.join(PATIENCE_S)

    def _work(self) -> None:
        while (errand := self._queue.get()) is not None:
            with self._lock:
                errand.begun = not (errand.abandoned or self._closed)
            errand.do()
        self._at_end()


class _Errand(Generic[T]):
    """One call, and what came of it."""

    def __init__(self, call: Callable[[float], T], until: float) -> None:
        self.done, self.abandoned, self.begun = threading.Event(), False, False
        self._call, self._until = call, until
        self._result: list[T] = []
        self._error: Optional[BaseException] = None

    def do(self) -> None:
        """Do the call where somebody still waits for it."""
        try:
            left = self._until - time.monotonic()
            if not self.begun or left <= 0:
                raise LateError("its turn came too late, and it was not sent")
            self._result.append(self._call(left))
        except BaseException as error:  # carried to the thread that waits, and raised there
            self._error = error
        self.done.set()

    def outcome(self) -> T:
        """Give the result, or raise what the call raised."""
        if self._error is not None:
            raise self._error
        return self._result[0]
