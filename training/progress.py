"""What a person sees while waiting: bars on a terminal, plain lines without one, always on standard error.

Of several processes that train together, only the first speaks.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

from training.ranks import current


class Bar:
    """A bar over a known number of samples or bytes; without a terminal it shows nothing, and `say` carries the news."""

    def __init__(self, total: int, unit: str = " samples") -> None:
        """Begin at zero of `total`, 0 where it is not known."""
        silent = current().number > 0 or not sys.stderr.isatty()
        self._bar = tqdm(total=total or None, unit=unit, unit_scale=True, file=sys.stderr, leave=False, disable=silent)

    @property
    def live(self) -> bool:
        """Whether anybody sees it: figures need not be computed for nobody."""
        return not self._bar.disable

    def begin(self, title: str) -> None:
        """Name what is being done now, such as `epoch 2/6`."""
        self._bar.set_description(title, refresh=False)

    def advance(self, count: int, **figures: float) -> None:
        """Count samples as done and show figures such as the loss."""
        if not self._bar.disable:
            self._bar.set_postfix({name: f"{value:.4f}" for name, value in figures.items()}, refresh=False)
            self._bar.update(count)

    def close(self) -> None:
        """Take the bar off the terminal."""
        self._bar.close()


@contextmanager
def bar(total: int, unit: str = " samples") -> Iterator[Bar]:
    """Show a bar for as long as the block runs."""
    shown = Bar(total, unit)
    try:
        yield shown
    finally:
        shown.close()


def say(text: str) -> None:
    """Write one line to standard error, above a bar where there is one."""
    if current().number > 0:
        return
    tqdm.write(text, file=sys.stderr)
    sys.stderr.flush()
