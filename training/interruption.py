"""SIGTERM as an interruption: a service manager's stop ends a command as a person's Ctrl-C does."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does: what is open is put away, and the command says how to go on."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set what signals do
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
