"""From the HTTP parser straight to inference: small V2 requests that come whole need no ASGI scope, no task and no queue of messages.

Everything else is uvicorn's, unchanged: other routes, large, chunked or slow bodies, requests sent behind one that is not yet
answered, forwarded ones, those of web pages, and callers that do not read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from serving import inference
from serving.framing import BoundedProtocol
from serving.path import INFER, INFER_VERSION, Target, target
from serving.short import ShortWay

_MOST_URL, _MOST_HEAD, _MOST_KNOWN = 256, 2 << 10, 256
KEEP_ALIVE_S = 75  # longer than proxies keep idle connections (60 s): whoever closes first loses the request that is on its way
_END = b"\r\n\r\n"
_OTHERS = frozenset((b"transfer-encoding", b"content-encoding", b"expect", b"upgrade", b"origin", b"x-forwarded-for", b"x-forwarded-proto"))


class Exchange:
    """A request and its answer; to uvicorn, which looks at these fields, one of its own."""

    __slots__ = ("disconnected", "keep_alive", "response_complete")
    message_event = asyncio.Event()  # nobody waits for it

    def __init__(self, keep_alive: bool) -> None:
        """Begin unanswered."""
        self.keep_alive, self.disconnected, self.response_complete = keep_alive, False, False


class Head(NamedTuple):
    """What a request's head says: the route, the path, headers by name in lower case, and the bytes that follow."""

    asked: Target
    url: str
    fields: Mapping[bytes, bytes]
    length: int


class DirectProtocol(BoundedProtocol):
    """uvicorn's protocol with a way past ASGI, once there is one in `way`.

    Callers send the same head again and again, byte for byte: what the parser said of it is known by then.
    """

    way: ClassVar[ShortWay | None] = None
    _known: ClassVar[dict[bytes, Head]] = {}
    _asked: Target | None = None
    _pieces: list[bytes] | None = None
    _fields: Mapping[bytes, bytes]
    _defaults: tuple[Any, bytes] = (None, b"")
    _open = False  # whether the parser is within a request
    _data = b""  # what came last, where it began with a request
    _answered = 0.0  # when, in the event loop's time

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Begin; requests are logged by the border, and not by uvicorn too, which does so wherever a host has set up logging."""
        super().__init__(*args, **kwargs)
        self.access_log, self.timeout_keep_alive = False, KEEP_ALIVE_S

    def on_message_begin(self) -> None:
        """Begin to count; uvicorn's scope is made where it is needed."""
        self._open = self._in_head = True
        self._head = self._beside = 0
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
        self._open = False
        if self._pieces is None or self._asked is None or self.way is None:
            super().on_message_complete()
            return
        content, self._pieces = b"".join(self._pieces), None
        keep_alive = self.parser.should_keep_alive()
        head = Head(self._asked, self.url.decode("ascii"), self._fields, len(content))
        if keep_alive:
            self._learn(head)
        self._unset_keepalive_if_required()
        self._answer(self.way, head, content, keep_alive)

    def data_received(self, data: bytes) -> None:
        """Read on; a body that has not come whole by now is awaited on uvicorn's way."""
        way, self._data = self.way, b"" if self._open else data
        if way is not None and not self._open:
            end = data.find(_END) + len(_END)
            head = self._known.get(data[:end])
            if head is not None and len(data) == end + head.length and self._free():
                self._answer(way, head, data[end:], True)
                return
        super().data_received(data)
        pieces, self._pieces = self._pieces, None
        if pieces is not None and not self.transport.is_closing():
            self._long()
            for piece in pieces:
                super().on_body(piece)

    def on_response_complete(self) -> None:
        """Note when, and go on as uvicorn does."""
        self._answered = self.loop.time()
        super().on_response_complete()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that has been idle for so long: the alarm that calls is not set anew for each request of the short way."""
        left = self.timeout_keep_alive - (self.loop.time() - self._answered)
        if left > 0 or not self._free():
            self.timeout_keep_alive_task = self.loop.call_later(max(left, 1.0), self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()

    def _free(self) -> bool:
        """Tell whether no request is being answered, and the caller reads."""
        return (self.cycle is None or self.cycle.response_complete) and not self.flow.write_paused

    def _short(self) -> Target | None:
        """Tell where a request goes that can go the short way, None for all others."""
        if self.way is None or self.parser.get_method() != b"POST" or self.root_path or not self._free():
            return None
        asked = _target(self.url) if len(self.url) <= _MOST_URL else None
        if asked is None or self.parser.get_http_version() != "1.1" or self.limit_concurrency is not None:
            return None
        self._fields = fields = dict(self.headers)
        length = fields.get(b"content-length", b"")
        small = length.isdigit() and len(length) < 9 and inference.is_small(int(length), inference.LENGTH in fields)
        return asked if small and _OTHERS.isdisjoint(fields) else None

    def _learn(self, head: Head) -> None:
        """Keep what the parser said of a head, where nothing else came with the request, before it or behind it."""
        end = self._data.find(_END) + len(_END)
        if len(self._data) != end + head.length or end > _MOST_HEAD:
            return
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[self._data[:end]] = head

    def _long(self) -> None:
        """Let uvicorn begin where it has been left out."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.headers, self.expect_100_continue, self.scope["headers"] = url, headers, expects, headers
        super().on_headers_complete()

    def _answer(self, way: ShortWay, head: Head, content: bytes, keep_alive: bool) -> None:
        exchange = Exchange(keep_alive)
        self.cycle = cast("Any", exchange)  # uvicorn looks at no more of it

        def reply(status: int, lines: bytes, body: bytes) -> None:
            self._reply(exchange, status, lines, body)

        way.answer(head.asked, head.url, head.fields, content, self.client, reply)

    def _reply(self, exchange: Exchange, status: int, lines: bytes, body: bytes) -> None:
        """Write an answer in one piece."""
        exchange.response_complete = True
        if exchange.disconnected or self.transport.is_closing():
            return
        end = b"content-length: %d\r\n\r\n" if exchange.keep_alive else b"content-length: %d\r\nconnection: close\r\n\r\n"
        self.transport.write(b"".join((STATUS_LINE[status], self._default_lines(), lines, end % len(body), body)))
        if not exchange.keep_alive:
            self.transport.close()
        if self.timeout_keep_alive_task is None or self.pipeline:
            self.on_response_complete()
        else:  # the same, but that the alarm stays as it is
            self._answered = self.loop.time()
            self.server_state.total_requests += 1
            self.flow.resume_reading()

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
