"""Say which step runs and how long it took: a bar on a terminal, one line a step elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm


class Progress:
    """Progress over a known number of steps, on standard error; steps may run side by side."""

    def __init__(self, title: str, total: int) -> None:
        """Start at nothing done of `total`."""
        self._title, self._total, self._done = title, total, 0
        self._lock = threading.Lock()
        self._bar = tqdm(total=total, desc=title, unit="step", leave=False) if sys.stderr.isatty() else None

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time one step; count it when it ends well."""
        started = time.perf_counter()
        if self._bar is not None:
            self._bar.set_postfix_str(name)
        yield
        with self._lock:
            self._done += 1
            share = f"{self._done}/{self._total}, {100 * self._done // max(1, self._total)} %"
            line = f"{self._title} [{share}] {name}: {time.perf_counter() - started:.1f} s"
            if self._bar is None:
                print(line, file=sys.stderr, flush=True)
            else:
                self._bar.update()
                self._bar.write(line, file=sys.stderr)

    def expect(self, steps: int) -> None:
        """Add steps that turned out to be needed."""
        with self._lock:
            self._total += steps
            if self._bar is not None:
                self._bar.total = self._total

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
