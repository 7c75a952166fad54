"""The polite fetcher: one request at a time, with pauses, within limits, after robots.txt, patient with a server in trouble."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.error import URLError

from edge.errors import TooLargeError, UsageError
from training.data.gather.addresses import checked, host_of, joined
from training.data.gather.manners import LimitReachedError, Manners, NotAllowedError, RefusedError, UnavailableError
from training.data.gather.robots import Robots
from training.data.gather.waiting import Pace, retry_after
from training.progress import say

_REDIRECTS = (301, 302, 303, 307, 308)
_PIECE = 1 << 16
_TOLD_FROM_S = 5.0
_REMEDIES = {
    401: "the site wants a login; give what it needs with --header",
    403: "the site may want another --referer or --header, or does not want programs",
    404: "there is no such page; check the URL and its placeholders",
}


@dataclass(frozen=True)
class Page:
    """An answer: the address that gave it in the end, and its content."""

    url: str
    content: bytes


class _LaterError(Exception):
    """What went wrong this time, and the wait that the server asks for."""

    def __init__(self, words: str, wait_s: float | None = None) -> None:
        super().__init__(words)
        self.wait_s = wait_s


class Fetcher:
    """Asks one site for pages. It starts with nothing known: the first `get` reads robots.txt."""

    def __init__(self, first_url: str, manners: Manners) -> None:
        """Set the site, which is the first URL's host, and how it is treated.

        Raises:
            UsageError: The URL is none.
        """
        self._manners = manners
        self._home = host_of(checked(first_url))
        self._hosts = frozenset({self._home} | {host.lower() for host in manners.allowed_hosts})
        self._pace = Pace(manners.pause_s, manners.jitter, manners.seed)
        self._robots = Robots(manners.user_agent, lambda url: self._follow(url, None).content, self._pace.slow_down)
        self._started = time.monotonic()
        self.requests = 0
        # No handler for other schemes, none that follows redirects or raises on a status: both are decided here.
        self._opener = urllib.request.OpenerDirector()
        for handler in (urllib.request.ProxyHandler(), urllib.request.HTTPHandler(), urllib.request.HTTPSHandler()):
            self._opener.add_handler(handler)

    def get(self, url: str) -> Page:
        """Fetch one page.

        Args:
            url: Its address, http or https, at the first URL's host or an allowed one.

        Raises:
            UsageError: The address is none, or is not allowed (`NotAllowedError`).
            InputError: The server refuses (`RefusedError`, with its status), or the answer is larger than the limit.
            SetupError: No answer after all attempts (`UnavailableError`), or a limit of the run is reached (`LimitReachedError`).
        """
        return self._follow(checked(url), self._robots)

    def _follow(self, url: str, robots: Robots | None) -> Page:
        """Follow redirects, as many as allowed, to hosts that are."""
        asked = url
        for _ in range(self._manners.max_redirects + 1):
            self._check_host(url, asked)
            if robots is not None:
                robots.check(url)
            page, location = self._patiently(url)
            if location is None:
                return page
            try:
                target = joined(url, location)
            except UsageError as error:
                raise RefusedError(f"{asked}: redirects to what is no page ({error}); give the URL of the page itself", 302) from None
            if url.startswith("https:") and target.startswith("http:"):
                raise RefusedError(f"{asked}: redirects from https to http ({target}), which anyone could read; give the right URL", 302)
            url = target
        raise RefusedError(
            f"{asked}: more than {self._manners.max_redirects} redirects, the last to {url}; give the URL of the page itself", 302
        )

    def _check_host(self, url: str, asked: str) -> None:
        host = host_of(url)
        if host not in self._hosts:
            by = f" ({asked} redirects there)" if url != asked else ""
            raise NotAllowedError(
                f"{url}: lies on {host}{by}, expected {', '.join(sorted(self._hosts))}; allow it with --allow-host {host}"
            )

    def _patiently(self, url: str) -> tuple[Page, str | None]:
        """Ask until an answer comes; give the page, or where it is to be found."""
        manners, attempt = self._manners, 0
        while True:
            try:
                return self._once(url)
            except _LaterError as error:
                attempt += 1
                asked_s = error.wait_s or 0.0
                if asked_s > manners.longest_wait_s:
                    raise UnavailableError(
                        f"{url}: {error}, and the server asks to wait {asked_s:.0f} s, longer than {manners.longest_wait_s:g} s "
                        "(--longest-wait); run it again then, what has come is kept"
                    ) from None
                if attempt > manners.retries:
                    raise UnavailableError(
                        f"{url}: {error}, asked {attempt} time{'s' if attempt > 1 else ''}; run it again later, what has come is kept"
                    ) from None
                wait = min(max(self._pace.back_off(manners.backoff_s, attempt), asked_s), manners.longest_wait_s)
                if wait >= _TOLD_FROM_S:
                    say(f"{url}: {error}; asking again in {wait:.0f} s")
            time.sleep(wait)

    def _once(self, url: str) -> tuple[Page, str | None]:
        """Send one request when it is the host's turn."""
        manners, host = self._manners, host_of(url)
        if self.requests >= manners.max_requests:
            raise LimitReachedError(
                f"stopped after {self.requests} requests (--max-requests); what has come is kept, run it again to go on"
            )
        self._pace.take_turn(host)
        if manners.max_seconds and time.monotonic() - self._started > manners.max_seconds:
            raise LimitReachedError(
                f"stopped after {manners.max_seconds / 60:g} minutes (--max-minutes); what has come is kept, run it again to go on"
            )
        self.requests += 1
        request = urllib.request.Request(url, headers=self._headers(host))  # noqa: S310 – `checked` lets http and https through only
        try:
            with self._opener.open(request, timeout=manners.timeout_s) as response:
                return self._answer(url, response)
        except (OSError, http.client.HTTPException) as error:
            raise self._failure(url, error) from None
        finally:
            self._pace.done(host)

    def _headers(self, host: str) -> dict[str, str]:
        own = self._manners.headers if host == self._home else {}
        referer = {"Referer": self._manners.referer} if self._manners.referer else {}
        return {"Accept": "*/*", **own, **referer, "User-Agent": self._manners.user_agent}

    def _answer(self, url: str, response: Any) -> tuple[Page, str | None]:
        """Judge an answer by its status and read it."""
        status, headers = int(response.status), response.headers
        if status == 429 or status >= 500:
            raise _LaterError(f"HTTP {status} ({response.reason})", retry_after(headers.get("Retry-After"), datetime.now(UTC)))
        if status in _REDIRECTS and headers.get("Location"):
            return Page(url, b""), str(headers["Location"])
        if not 200 <= status < 300:
            remedy = _REMEDIES.get(status, "check the URL")
            raise RefusedError(f"{url}: HTTP {status} ({response.reason}), expected the page; {remedy}", status)
        if headers.get("Content-Encoding", "identity").lower() != "identity":
            raise RefusedError(
                f"{url}: came packed as {headers['Content-Encoding']!r} although that was not asked for; it is not unpacked", status
            )
        return Page(url, self._body(url, response)), None

    def _body(self, url: str, response: Any) -> bytes:
        """Read an answer within the limits of size and time, and make sure that it is whole."""
        most, length = self._manners.max_bytes, response.headers.get("Content-Length", "")
        declared = int(length) if length.isascii() and length.isdigit() and len(length) < 20 else None
        too_large = TooLargeError(f"{url}: larger than {most:,} bytes (--max-mb); raise the limit if this is what you want")
        if declared is not None and declared > most:
            raise too_large
        content = bytearray()
        deadline = time.monotonic() + self._manners.request_s
        while declared is None or len(content) < declared:
            piece = response.read1(_PIECE)
            content += piece
            if len(content) > most:
                raise too_large
            if time.monotonic() > deadline:
                raise _LaterError(f"not whole within {self._manners.request_s:g} s")
            if not piece:
                break
        if declared is not None and len(content) < declared:
            raise _LaterError(f"broke off after {len(content):,} of {declared:,} bytes")
        return bytes(content)

    def _failure(self, url: str, error: Exception) -> Exception:
        """Turn what the network raised into what the retries or the user understand."""
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            return UnavailableError(
                f"{url}: the server's certificate is not valid ({reason.verify_message}); check the URL and this machine's clock"
            )
        if isinstance(reason, socket.gaierror):
            return UnavailableError(f"{url}: no host of that name can be found ({reason.strerror}); check the URL and the network")
        if isinstance(reason, http.client.InvalidURL):
            return UsageError(f"{url}: is no address ({reason}); correct the URL")
        if isinstance(reason, TimeoutError):
            return _LaterError(f"silent for {self._manners.timeout_s:g} s")
        if isinstance(reason, http.client.IncompleteRead):
            return _LaterError("broke off in the middle")
        return _LaterError(f"no answer ({getattr(reason, 'strerror', None) or reason or type(reason).__name__})")
