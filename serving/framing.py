"""The HTTP parser's side of the limits: a request's head has one too, which uvicorn and httptools do not set."""

from __future__ import annotations

import json

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD_BYTES = 64 << 10
LINGER_S = 1.0  # closed with bytes unread, a connection is reset, and the caller may never see the answer
_WORDS = f"the head of the request is larger than {MOST_HEAD_BYTES} bytes, expected less; send fewer or shorter headers"


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with a limit on request line and headers: they are collected before anything can be asked of the caller.

    What came with the head's first bytes does not count, so a head may be larger by one read of the socket.
    """

    _in_head, _head = False, 0

    def on_message_begin(self) -> None:
        """Begin to count."""
        self._in_head, self._head = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Count no more."""
        self._in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Read on, or answer 431 and close."""
        if self._in_head:
            already, self._head = self._head > MOST_HEAD_BYTES, self._head + len(data)
            if self._head > MOST_HEAD_BYTES:
                if not already:
                    self.transport.write(_refusal())
                    self.loop.call_later(LINGER_S, self.transport.close)
                return
        super().data_received(data)


def _refusal() -> bytes:
    body = json.dumps({"error": _WORDS, "reason": "too_large"}).encode()
    lines = ("HTTP/1.1 431 Request Header Fields Too Large", "content-type: application/json", "x-content-type-options: nosniff")
    return "\r\n".join((*lines, "cache-control: no-store", f"content-length: {len(body)}", "connection: close", "", "")).encode() + body
