"""How a site is treated: the settings of the fetcher, checked when made, and its kinds of failure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from edge import __version__
from edge.errors import InputError, SetupError, UsageError

USER_AGENT = f"tandem-gather/{__version__} (a program that gathers data for one person; keeps robots.txt and pauses)"
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class RefusedError(InputError):
    """The server answered, and the answer is no: 4xx, a foreign redirect, a strange encoding."""

    def __init__(self, message: str, status: int) -> None:
        """Keep the HTTP status beside the message."""
        super().__init__(message)
        self.status = status


class UnavailableError(SetupError):
    """No usable answer came, however often it was asked; later it may."""


class NotAllowedError(UsageError):
    """The site's robots.txt forbids the address, or its host was not allowed by the user."""


class LimitReachedError(SetupError):
    """The most requests or the longest time of one run is used up."""


@dataclass(frozen=True)
class Manners:
    """How often, how long and how much is asked for.

    Attributes:
        pause_s: Least pause between two requests to one host.
        jitter: Each pause is longer by a random share, up to this.
        seed: Of the jitter.
        timeout_s: Longest silence of the server.
        request_s: Longest time of one answer.
        retries: How often one address is asked again after 429, 5xx, silence or a broken connection.
        backoff_s: Wait before the first of these; it doubles each time.
        longest_wait_s: A server that asks for a longer wait (`Retry-After`) ends the run instead.
        max_bytes: Largest answer.
        max_requests: Most requests of one run, every attempt counted.
        max_seconds: Longest run; 0 for no limit.
        max_redirects: Most redirects of one address.
        user_agent: How the program names itself.
        referer: Sent as `Referer` to every host asked.
        headers: Sent to the first URL's host only, never to another.
        allowed_hosts: Hosts that may be asked beside that of the first URL, `host` or `host:port`.
    """

    pause_s: float = 1.0
    jitter: float = 0.5
    seed: int = 0
    timeout_s: float = 30.0
    request_s: float = 120.0
    retries: int = 4
    backoff_s: float = 1.0
    longest_wait_s: float = 120.0
    max_bytes: int = 20_000_000
    max_requests: int = 10_000
    max_seconds: float = 0.0
    max_redirects: int = 5
    user_agent: str = USER_AGENT
    referer: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    allowed_hosts: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Refuse numbers that no run can keep, and headers that no request can carry."""
        least = {"timeout_s": 0.001, "request_s": 0.001, "max_bytes": 1, "max_requests": 1}
        for name in (*least, "pause_s", "jitter", "retries", "backoff_s", "longest_wait_s", "max_seconds", "max_redirects"):
            value = getattr(self, name)
            if not least.get(name, 0) <= value < 1e12:  # false for NaN too
                raise UsageError(f"gathering: {name} is {value}, expected {least.get(name, 0)} or more")
        for name, text in {"User-Agent": self.user_agent, "Referer": self.referer, **self.headers}.items():
            if not _TOKEN.fullmatch(name) or not text.isascii() or not (text or " ").isprintable():
                raise UsageError(f"header {name!r}: {text!r} cannot be sent, expected `Name: value` in one line of ASCII")
        if not _TOKEN.match(self.user_agent):
            raise UsageError(
                "the User-Agent is empty, expected the name of the program that asks, such as 'my-gatherer/1.0 (me@home.example)'"
            )
