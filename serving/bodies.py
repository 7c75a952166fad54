"""Request bodies: read up to a limit and within a time, of the content types that are taken, with multipart forms held in memory."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, NamedTuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from edge.errors import InputError, TooLargeError, UnsupportedMediaError
from serving.errors import DisconnectedError, QueueFullError, SlowBodyError

Receive = Callable[[], Awaitable[Any]]
JSON_TYPES = ("application/json",)
BINARY_TYPES = ("application/octet-stream",)
FORM_TYPE = "multipart/form-data"
logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it warns about every malformed form, which the caller is told


class Body(NamedTuple):
    """A body that came whole, its media type in lower case without parameters, and its whole Content-Type and Accept headers."""

    content: bytes
    media_type: str
    content_type: str
    accept: str = ""


class Memory:
    """The bytes of all request bodies that are held."""

    def __init__(self, limit: int) -> None:
        """Begin with nothing held."""
        self.limit, self.held = limit, 0

    def take(self, size: int) -> None:
        """Count bytes that have come.

        Raises:
            QueueFullError: They would be more than may be held; they are not counted.
        """
        if self.held + size > self.limit:
            raise QueueFullError(f"requests with {self.held} bytes are being worked on, {self.limit} may be; send it again in 1 s", 1)
        self.held += size

    def give(self, size: int) -> None:
        """Count bytes that are let go."""
        self.held -= size


class Reader:
    """Reads one body; what it holds counts until `release`."""

    def __init__(self, memory: Memory, limit: int, seconds: float) -> None:
        """Take at most `limit` bytes, which must have come within `seconds`."""
        self._memory, self._limit, self._seconds = memory, limit, seconds
        self._pieces: list[bytes] = []
        self._size = 0

    def release(self) -> None:
        """Stop counting the bytes."""
        self._memory.give(self._size)
        self._pieces, self._size = [], 0

    async def read(self, headers: Mapping[bytes, bytes], receive: Receive) -> Body:
        """Read the body.

        Args:
            headers: Names in lower case.
            receive: ASGI's; nothing of the body was read before.

        Raises:
            TooLargeError: It is longer; no more than the limit was kept.
            UnsupportedMediaError: It is compressed.
            SlowBodyError: It did not come whole in time.
            QueueFullError: The server holds as many bytes as it may.
            DisconnectedError: The caller went away.
        """
        encoding = headers.get(b"content-encoding", b"identity").strip().lower()
        if encoding not in (b"", b"identity"):
            came = encoding.decode("latin-1")[:40]
            raise UnsupportedMediaError(f"Content-Encoding is {came!r}, expected an uncompressed body; send it without that header")
        declared = headers.get(b"content-length", b"")
        if declared.isdigit() and (len(declared) > 18 or int(declared) > self._limit):
            raise self._too_large()
        try:
            async with asyncio.timeout(self._seconds):
                while await self._piece(receive):
                    pass
        except TimeoutError:
            raise SlowBodyError(
                f"{self._size} bytes of the body came in {self._seconds:g} s, expected all of it by then; send less, or faster"
            ) from None
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        content = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces = []
        accept = headers.get(b"accept", b"").decode("latin-1")
        return Body(content, content_type.partition(";")[0].strip().lower(), content_type, accept)

    async def _piece(self, receive: Receive) -> bool:
        """Read what comes next; tells whether more is to come."""
        message = await receive()
        if message["type"] == "http.disconnect":
            raise DisconnectedError(f"the caller went away after {self._size} bytes of the body")
        piece = message.get("body", b"")
        if self._size + len(piece) > self._limit:
            raise self._too_large()
        self._memory.take(len(piece))
        self._size += len(piece)
        self._pieces.append(piece)
        return bool(message.get("more_body", False))

    def _too_large(self) -> TooLargeError:
        return TooLargeError(f"the body is larger than {self._limit} bytes; send less, or raise TANDEM_MAX_BODY_BYTES on the server")


def expect_type(body: Body, accepted: Iterable[str]) -> None:
    """Refuse a body of a media type that is not taken; a missing Content-Type header counts as JSON.

    Raises:
        UnsupportedMediaError: The message gives what came and what is taken.
    """
    accepted = tuple(accepted)
    if body.media_type and body.media_type not in accepted:
        raise UnsupportedMediaError(f"Content-Type is {body.media_type[:80]!r}, expected {' or '.join(accepted)}")


def form_fields(body: Body, most: int = 1 << 16) -> list[tuple[str, bytes]]:
    """Take a multipart form apart: field names and contents, in order. No part reaches the disk.

    Args:
        body: The form.
        most: The most parts that are looked for; a form may have a hundred thousand, which takes seconds.

    Raises:
        InputError: The form has no boundary, is cut off, is malformed, or has too many parts.
    """
    _, options = parse_options_header(body.content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise InputError("the multipart Content-Type has no boundary, expected one; let the HTTP client set that header")
    parts = _Parts(most)
    try:
        parser = MultipartParser(boundary, parts.callbacks())  # type: ignore[arg-type]  # a TypedDict, filled by name
        parser.write(body.content)
        parser.finalize()
    except FormParserError as error:
        raise InputError(f"the multipart form is malformed ({error}), expected parts between lines of its boundary") from None
    if not parts.whole:
        raise InputError("the multipart form is cut off, expected its last boundary at the end; send it again")
    return parts.fields


class _Parts:
    """What the parser has met so far."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.fields: list[tuple[str, bytes]] = []
        self.whole = False
        self._header, self._value, self._name, self._content = bytearray(), bytearray(), "", bytearray()

    def callbacks(self) -> dict[str, Any]:
        """Name what the parser is to call."""
        return {
            "on_part_begin": self._begin,
            "on_part_data": lambda data, start, end: self._content.extend(memoryview(data)[start:end]),
            "on_part_end": lambda: self.fields.append((self._name, bytes(self._content))),
            "on_header_begin": self._begin_header,
            "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        if len(self.fields) >= self._most:
            raise InputError(f"the multipart form has more than {self._most} parts, expected at most that; send several requests")
        self._name, self._content = "", bytearray()

    def _begin_header(self) -> None:
        self._header, self._value = bytearray(), bytearray()

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(self._value.decode("latin-1"))
            self._name = options.get(b"name", b"").decode("utf-8", "replace")

    def _end(self) -> None:
        self.whole = True
