"""From the HTTP parser straight to inference: small V2 requests that come whole need no ASGI scope, no task and no queue of messages.

Everything else is uvicorn's, unchanged: other routes, large, chunked or slow bodies, requests sent behind one that is not yet
answered, forwarded ones, those of web pages, and callers that do not read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from serving import inference
from serving.framing import BoundedProtocol
from serving.path import INFER, INFER_VERSION, Target, target
from serving.short import ShortWay

_MOST_URL = 256
_OTHERS = frozenset((b"transfer-encoding", b"content-encoding", b"expect", b"upgrade", b"origin", b"x-forwarded-for", b"x-forwarded-proto"))


class Exchange:
    """A request and its answer; to uvicorn, which looks at these fields, one of its own."""

    __slots__ = ("disconnected", "keep_alive", "response_complete")
    message_event = asyncio.Event()  # nobody waits for it

    def __init__(self, keep_alive: bool) -> None:
        """Begin unanswered."""
        self.keep_alive, self.disconnected, self.response_complete = keep_alive, False, False


class DirectProtocol(BoundedProtocol):
    """uvicorn's protocol with a way past ASGI, once there is one in `way`."""

    way: ClassVar[ShortWay | None] = None
    _asked: Target | None = None
    _pieces: list[bytes] | None = None
    _fields: Mapping[bytes, bytes]
    _defaults: tuple[Any, bytes] = (None, b"")

    def on_message_begin(self) -> None:
        """Begin to count; uvicorn's scope is made where it is needed."""
        self._in_head, self._head = True, 0
        self.url, self.headers, self.expect_100_continue = b"", [], False

    def on_headers_complete(self) -> None:
        """Choose the way."""
        self._in_head, self._pieces = False, None
        self._asked = self._short()
        if self._asked is None:
            self._long()
        else:
            self._pieces = []

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        if self._pieces is None:
            super().on_body(body)
        else:
            self._pieces.append(body)

    def on_message_complete(self) -> None:
        """Answer a request that came whole."""
        if self._pieces is None or self._asked is None or self.way is None:
            super().on_message_complete()
            return
        content, self._pieces = b"".join(self._pieces), None
        exchange = Exchange(self.parser.should_keep_alive())
        self.cycle = cast("Any", exchange)  # uvicorn looks at no more of it

        def reply(status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
            self._reply(exchange, status, headers, body)

        self.way.answer(self._asked, self.url.decode("ascii"), self._fields, content, self.client, reply)

    def data_received(self, data: bytes) -> None:
        """Read on; a body that has not come whole by now is awaited on uvicorn's way."""
        super().data_received(data)
        pieces, self._pieces = self._pieces, None
        if pieces is not None and not self.transport.is_closing():
            self._long()
            for piece in pieces:
                super().on_body(piece)

    def _short(self) -> Target | None:
        """Tell where a request goes that can go the short way, None for all others."""
        if self.way is None or self.parser.get_method() != b"POST" or self.root_path or self.access_log:
            return None
        if (self.cycle is not None and not self.cycle.response_complete) or self.flow.write_paused:
            return None
        asked = _target(self.url) if len(self.url) <= _MOST_URL else None
        if asked is None or self.parser.get_http_version() != "1.1" or self.limit_concurrency is not None:
            return None
        self._fields = fields = dict(self.headers)
        length = fields.get(b"content-length", b"")
        small = length.isdigit() and len(length) < 9 and inference.is_small(int(length), inference.LENGTH in fields)
        return asked if small and _OTHERS.isdisjoint(fields) else None

    def _long(self) -> None:
        """Let uvicorn begin where it has been left out."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.headers, self.expect_100_continue, self.scope["headers"] = url, headers, expects, headers
        super().on_headers_complete()

    def _reply(self, exchange: Exchange, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Write an answer in one piece."""
        exchange.response_complete = True
        if exchange.disconnected or self.transport.is_closing():
            return
        lines = [b"%b: %b\r\n" % pair for pair in headers]
        end = b"content-length: %d\r\n\r\n" if exchange.keep_alive else b"content-length: %d\r\nconnection: close\r\n\r\n"
        self.transport.write(b"".join((STATUS_LINE[status], self._default_lines(), *lines, end % len(body), body)))
        if not exchange.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _default_lines(self) -> bytes:
        """Write the headers of every answer, which uvicorn makes anew each second."""
        pairs = self.server_state.default_headers
        if DirectProtocol._defaults[0] is not pairs:
            DirectProtocol._defaults = (pairs, b"".join(b"%b: %b\r\n" % pair for pair in pairs))
        return DirectProtocol._defaults[1]


@lru_cache(maxsize=256)
def _target(url: bytes) -> Target | None:
    """Tell which inference route of V2 a path is that needs no decoding."""
    if b"%" in url or b"?" in url or not url.isascii():
        return None
    found = target(url.decode("ascii"))
    return found if found is not None and found.route in (INFER, INFER_VERSION) else None
