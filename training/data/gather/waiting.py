"""How long to wait: between requests to one host, before trying again, and as a server asks."""

from __future__ import annotations

import random
import re
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after(value: str | None, now: datetime) -> float | None:
    """Read the header `Retry-After`: seconds or an HTTP date. Source: RFC 9110, section 10.2.3.

    Args:
        value: The header; None where there is none.
        now: The time, with a zone.

    Returns:
        Seconds to wait, 0 or more; None where the header is missing or cannot be read.
    """
    text = (value or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError):
        return None
    date = date if date.tzinfo is not None else date.replace(tzinfo=UTC)
    return max(0.0, (date - now).total_seconds())


class Pace:
    """Keeps the least pause between two requests to one host, counted from the end of the first."""

    def __init__(self, pause_s: float, jitter: float, seed: int) -> None:
        """Set the pause; each is longer by a random share of it, up to `jitter`, the same in every run of one seed."""
        self._pause_s, self._jitter = pause_s, jitter
        self._random = random.Random(seed)
        self._least: dict[str, float] = {}
        self._free: dict[str, float] = {}

    def slow_down(self, host: str, pause_s: float) -> None:
        """Keep a longer pause at one host, such as the `Crawl-delay` of its robots.txt."""
        self._least[host] = pause_s

    def take_turn(self, host: str) -> None:
        """Wait until the host may be asked again."""
        wait = self._free.get(host, 0.0) - time.monotonic()
        if wait > 0:
            time.sleep(wait)

    def done(self, host: str) -> None:
        """Start the pause: a request has ended."""
        pause = max(self._pause_s, self._least.get(host, 0.0))
        self._free[host] = time.monotonic() + pause * (1 + self._jitter * self._random.random())

    def back_off(self, first_s: float, attempt: int) -> float:
        """Return the wait before attempt 1, 2, …: `first_s`, twice that, four times, each longer by the jitter."""
        return float(first_s * 2 ** (attempt - 1) * (1 + self._jitter * self._random.random()))
