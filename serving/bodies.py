"""Request bodies: read up to a limit, of the content types that are taken, with multipart forms held in memory."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from edge.errors import InputError, TooLargeError, UnsupportedMediaError
from serving.errors import DisconnectedError

JSON_TYPES = ("application/json",)
BINARY_TYPES = ("application/octet-stream",)
FORM_TYPE = "multipart/form-data"
logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it warns about every malformed form, which the caller is told


@dataclass(frozen=True)
class Body:
    """A body that came whole, its media type in lower case without parameters, and its whole Content-Type header."""

    content: bytes
    media_type: str
    content_type: str


async def read(request: Request, limit: int) -> Body:
    """Read a body.

    Args:
        request: The request; nothing of its body was read before.
        limit: The most bytes that are taken.

    Raises:
        TooLargeError: It is longer; no more than the limit was kept.
        UnsupportedMediaError: It is compressed.
        DisconnectedError: The caller went away.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise UnsupportedMediaError(f"Content-Encoding is {encoding[:40]!r}, expected an uncompressed body; send it without that header")
    declared = request.headers.get("content-length", "")
    too_large = TooLargeError(f"the body is larger than {limit} bytes; send less, or raise TANDEM_MAX_BODY_BYTES on the server")
    if declared.isascii() and declared.isdigit() and (len(declared) > 18 or int(declared) > limit):
        raise too_large
    pieces, size = [], 0
    try:
        async for piece in request.stream():
            size += len(piece)
            if size > limit:
                raise too_large
            pieces.append(piece)
    except ClientDisconnect:
        raise DisconnectedError(f"the caller went away after {size} bytes of the body") from None
    content_type = request.headers.get("content-type", "")
    return Body(b"".join(pieces), content_type.partition(";")[0].strip().lower(), content_type)


def expect_type(body: Body, accepted: Iterable[str]) -> None:
    """Refuse a body of a media type that is not taken; a missing Content-Type header counts as JSON.

    Raises:
        UnsupportedMediaError: The message gives what came and what is taken.
    """
    accepted = tuple(accepted)
    if body.media_type and body.media_type not in accepted:
        raise UnsupportedMediaError(f"Content-Type is {body.media_type[:80]!r}, expected {' or '.join(accepted)}")


def form_fields(body: Body) -> list[tuple[str, bytes]]:
    """Take a multipart form apart: field names and contents, in order. No part reaches the disk.

    Raises:
        InputError: The form has no boundary, is cut off, or is malformed.
    """
    _, options = parse_options_header(body.content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise InputError("the multipart Content-Type has no boundary, expected one; let the HTTP client set that header")
    parts = _Parts()
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

    def __init__(self) -> None:
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
        self._name, self._content = "", bytearray()

    def _begin_header(self) -> None:
        self._header, self._value = bytearray(), bytearray()

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(self._value.decode("latin-1"))
            self._name = options.get(b"name", b"").decode("utf-8", "replace")

    def _end(self) -> None:
        self.whole = True
