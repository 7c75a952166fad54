"""Who trains along: one process by itself, or the ranks of a group that torchrun or `--processes` started.

Rank 0 speaks, looks for what is finished, and writes; what it finds out, or why it failed, every rank learns.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar

from edge.errors import EXIT_INTERRUPTED, TandemError

T = TypeVar("T")
_VARIABLES = {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}  # that a launcher sets for each process


class Ranks(Protocol):
    """The processes of one training, of which this is `number` of `count`."""

    number: int
    count: int

    def first(self, action: Callable[[], T]) -> T:
        """Act on rank 0 only, and give every rank the result; a `TandemError` there is raised on every rank."""

    def every(self, action: Callable[[], T]) -> T:
        """Act on every rank, and give each its own result; a `TandemError` on any is raised on every rank."""


class Alone:
    """One process by itself."""

    number, count = 0, 1

    def first(self, action: Callable[[], T]) -> T:
        """Act."""
        return action()

    def every(self, action: Callable[[], T]) -> T:
        """Act."""
        return action()


_ALONE = Alone()
_ranks: ContextVar[Ranks] = ContextVar("ranks", default=_ALONE)


def current() -> Ranks:
    """Return the group that this process belongs to, or the process alone."""
    return _ranks.get()


def launched() -> bool:
    """Tell whether the environment names a group of several processes."""
    return os.environ.keys() >= _VARIABLES and os.environ["WORLD_SIZE"] != "1"


@contextmanager
def joined() -> Iterator[Ranks]:
    """Belong to the group that the environment names, if it names one of several, for as long as the block runs.

    Raises:
        SetupError: The group cannot be joined, or another rank has ended before this one.
    """
    if not os.environ.keys() >= _VARIABLES or os.environ["WORLD_SIZE"] == "1" or current().count > 1:
        yield current()
        return
    from training.frameworks import distributed  # here, not above: most processes are alone and need no torch for it

    with distributed.member() as group:
        before = _ranks.set(group)
        try:
            yield group
        finally:
            _ranks.reset(before)


@contextmanager
def told_once() -> Iterator[None]:
    """Let rank 0 tell what went wrong; the others end with the same exit code and say nothing."""
    try:
        yield
    except (TandemError, KeyboardInterrupt) as error:
        if not launched() or os.environ["RANK"] == "0":
            raise
        raise SystemExit(error.exit_code if isinstance(error, TandemError) else EXIT_INTERRUPTED) from None
