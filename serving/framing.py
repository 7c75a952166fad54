"""The HTTP parser's side of the limits: heads and what is neither head nor body have them too, which uvicorn and httptools do not set."""

from __future__ import annotations

import json

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD_BYTES = 64 << 10
LINGER_S = 1.0  # closed with bytes unread, a connection is reset, and the caller may never see the answer
_WORDS = f"the head of the request is larger than {MOST_HEAD_BYTES} bytes, expected less; send fewer or shorter headers"


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with a limit on request line and headers: they are collected before anything can be asked of the caller.

    What came with the head's first bytes does not count, so a head may be larger by one read of the socket. Trailers, the
    headers that may follow a chunked body, are left out: uvicorn would put them among the headers, where nobody has checked
    them, and there may be gigabytes of them.
    """

    _in_head, _head = False, 0
    _beside = 0  # bytes since the head or the last piece of the body: trailers, and what may stand beside the size of a chunk

    def on_message_begin(self) -> None:
        """Begin to count."""
        self._in_head, self._head, self._beside = True, 0, 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, and no trailer."""
        if self._in_head:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._beside = 0
        super().on_body(body)

    def on_headers_complete(self) -> None:
        """Count no more."""
        self._in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Read on, or answer 431 and close; behind the head an answer may be on its way, and nothing more is said."""
        if self._beside > MOST_HEAD_BYTES:
            self.transport.close()
            return
        if not self._in_head:
            self._beside += len(data)
        else:
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
