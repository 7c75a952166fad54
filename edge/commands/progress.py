"""A progress bar on standard error, and plain lines where that is no terminal; a device has no tqdm."""

from __future__ import annotations

import sys
from typing import Optional, TextIO

_WIDTH, _STEPS = 28, 10


class Progress:
    """Shows how much of something is done."""

    def __init__(self, what: str, total: float, stream: Optional[TextIO] = None) -> None:
        """Begin.

        Args:
            what: What is under way.
            total: What `done` will be at the end, above 0.
            stream: Where it is shown; standard error where it is None.
        """
        self._what, self._total, self._stream = what, total, stream or sys.stderr
        self._terminal, self._told = self._stream.isatty(), 0

    def show(self, done: float, note: str = "") -> None:
        """Show that so much is done; without a terminal a line comes for each tenth."""
        share = min(1.0, done / self._total)
        line = f"{self._what} {share:4.0%}  {note}".rstrip()
        if self._terminal:
            filled = round(share * _WIDTH)
            self._stream.write(f"\r[{'#' * filled}{'.' * (_WIDTH - filled)}] {line}\x1b[K")
            self._stream.flush()
        elif int(share * _STEPS) > self._told:
            self._told = int(share * _STEPS)
            self._stream.write(line + "\n")

    def close(self) -> None:
        """Leave the bar behind."""
        if self._terminal:
            self._stream.write("\n")
