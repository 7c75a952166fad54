"""From the body of `POST /v1/systems/<name>` to what a system is asked."""

from __future__ import annotations

from typing import Any

from edge.errors import InputError, UnsupportedMediaError
from edge.json_tensors import parse, shown
from edge.systems import JSON, PICTURE, TEXT, Request, System
from serving.bodies import BINARY_TYPES, FORM_TYPE, JSON_TYPES, Body, form_fields
from serving.csv_rows import text
from serving.inputs import PICTURE_FIELDS, TEXT_TYPE, check_pixels, encoded_picture

MOST_PARTS = 32
MOST_FIELD_BYTES = 64 << 10  # of a form's text field; a long text is sent as JSON or as it stands


def accepted_types(system: type[System]) -> tuple[str, ...]:
    """List the content types that a system takes."""
    kinds = {JSON: JSON_TYPES, TEXT: (TEXT_TYPE,), PICTURE: (FORM_TYPE, "image/*", *BINARY_TYPES)}
    return tuple(name for kind in (JSON, TEXT, PICTURE) if kind in system.TAKES for name in kinds[kind])


def read(body: Body, system: type[System], max_pixels: int) -> Request:
    """Read what a system is asked.

    Raises:
        InputError: The body is malformed.
        UnsupportedMediaError: The content type, or a picture's, is not taken.
        TooLargeError: Pictures unfold to more pixels, together, than a request may have.
    """
    request = _read(body, body.media_type or JSON_TYPES[0], system)
    check_pixels(list(request.pictures), max_pixels)
    return request


def _read(body: Body, kind: str, system: type[System]) -> Request:
    if kind in JSON_TYPES and JSON in system.TAKES:
        return Request(_object(parse(body.content)))
    if kind == TEXT_TYPE and TEXT in system.TAKES:
        return Request({"text": text(body.content)})
    if PICTURE in system.TAKES:
        if kind == FORM_TYPE:
            return _form(body)
        if kind.startswith("image/") or kind in BINARY_TYPES:
            return Request(pictures=(encoded_picture(body.content),))
    raise UnsupportedMediaError(f"Content-Type is {kind[:80]!r}, expected one of {', '.join(accepted_types(system))}")


def _object(document: Any) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise InputError(f"the body is {shown(document)}, expected a JSON object")
    return document


def _form(body: Body) -> Request:
    fields: dict[str, Any] = {}
    pictures: list[bytes] = []
    for name, content in form_fields(body, MOST_PARTS):
        if name in PICTURE_FIELDS:
            pictures.append(encoded_picture(content))
        elif name in fields:
            raise InputError(f"the form has the field {shown(name)} twice, expected it once")
        elif len(content) > MOST_FIELD_BYTES:
            raise InputError(f"the field {shown(name)} has {len(content)} bytes, expected at most {MOST_FIELD_BYTES}")
        else:
            fields[name] = text(content)
    return Request(fields, tuple(pictures))
