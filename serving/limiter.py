"""How often one caller may ask: a token bucket for each."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable

MOST_CALLERS = 8192


class Limiter:
    """Buckets by caller. The longest unheard of is forgotten where there are too many, so memory stays bounded.

    Source: J. Turner, "New directions in communications (or which way to the information age?)", 1986 (the leaky bucket as a meter).
    """

    def __init__(self, rate: float, burst: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        """Let `rate` requests a second pass for each caller, and `burst` at once (0: as many as one second gives, at least 1)."""
        self._rate, self._most, self._clock = rate, float(burst or max(1, math.ceil(rate))), clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> float:
        """Count one request.

        Returns:
            0 where it may pass, else the seconds until one may.
        """
        now = self._clock()
        left, since = self._buckets.get(caller, (self._most, now))
        left = min(self._most, left + (now - since) * self._rate)
        passes = left >= 1
        self._buckets[caller] = (left - 1 if passes else left, now)
        self._buckets.move_to_end(caller)
        if len(self._buckets) > MOST_CALLERS:
            self._buckets.popitem(last=False)
        return 0.0 if passes else (1 - left) / self._rate


def address_of(client: tuple[str, int] | None) -> str:
    """Name the address that a request came from; of IPv6 the first 64 bits, which is what one household or machine is given."""
    if client is None:
        return "local"
    host = client[0]
    if ":" not in host:
        return host
    try:
        return str(ipaddress.ip_network((host.partition("%")[0], 64), strict=False).network_address)
    except ValueError:
        return host
