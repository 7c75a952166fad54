"""Requests that are right, and small changes that make them wrong: bytes, JSON values, lengths and words of the protocol."""

from __future__ import annotations

import functools
import io
import json
import random
from typing import Any

import numpy as np
from PIL import Image

from edge.protocol import InferRequest, encode_request, encode_response

_FORM = "multipart/form-data; boundary=xyz"
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 255, 256, 1 << 31, 1 << 48, 1 << 63, 1 << 64, 10**400, 0.5, -0.0, 1e308, 3.5e38, "", "x", "NaN"),
    *(
        [],
        {},
        [[]],
        [1, [2]],
        [[1], [2, 3]],
        [True, 1],
        [None],
        ["1"],
        {"binary_data_size": 1},
        {"binary_data": 1},
        "\ud800",
        "é",
        "/etc/passwd",
    ),
    *("UINT8", "FP32", "BOOL", "BYTES", "INT64", "FP16", [1, 1], [1, 4, 4, 1], [0, 0], [-1, 3], [1 << 40, 1 << 40], [1] * 40, [[[[[1]]]]]),
)
_PIECES: tuple[bytes, ...] = (
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"1e999",
    b"null",
    b"true",
    b'"',
    b"[",
    b"]",
    b"{",
    b"}",
    b",",
    b":",
    b"\\ud800",
    b"\xff",
    b"\0",
)
_PIECES += (
    b'"inputs":',
    b'"data":',
    b'"shape":',
    b'"parameters":',
    b"--xyz\r\n",
    b"--xyz--\r\n",
    b"\r\n\r\n",
    b"[" * 2000,
    b"9" * 5000,
    b" " * 64,
)
_PIECES += (
    b"\x00\x00\xc0\x7f",
    b"\x00\x00\x80\x7f",
    b"\xff\xff\xff\x7f",
    b"\xff\xff\xff\xff",
    b"IDAT",
    b"IEND",
    b"acTL",
    b"zTXt",
    b"\xff\xd9",
    b"\xff\xe1",
)
_TYPES = (
    "",
    "application/json",
    "image/png",
    "application/octet-stream",
    "text/csv",
    "text/plain",
    _FORM,
    "multipart/form-data",
    "x",
    "image/*",
)


_PICTURES = (
    *(("PNG", "RGB"), ("PNG", "P"), ("PNG", "I;16"), ("PNG", "LA"), ("JPEG", "L"), ("JPEG", "CMYK")),
    *(("GIF", "P"), ("BMP", "RGB"), ("BMP", "1"), ("WEBP", "RGBA"), ("TIFF", "RGB"), ("TIFF", "F")),
)


@functools.cache
def seeds(reader: str) -> list[tuple[str, bytes]]:
    """Give requests that are right for a reader, each with its header: the JSON's length, or the content type."""
    kind, _, name = reader.partition(" ")
    if kind == "predict":
        return _predictions(name)
    arrays: dict[str, dict[str, Any]] = {
        "pixels": {"image": np.arange(32, dtype=np.uint8).reshape(2, 4, 4, 1)},
        "rows": {"x": np.array([[1, 2.5, -3]], np.float32)},
        "pairs": {"ids": np.array([[1, 2, 99]], np.int32), "mask": np.array([[True, False, True]])},
        "": {"y": np.array([[1, 2]], np.float32), "z": np.array([3], np.int64)},
    }
    messages = []
    for binary in (True, False):
        if kind == "answer":
            messages.append(encode_response("m", "1.0.0", arrays[name], InferRequest({}, dict.fromkeys(arrays[name], binary), "seven")))
        else:
            messages += [
                encode_request(arrays[name], binary=binary, id="seven"),
                encode_request(arrays[name], binary=binary, outputs=["y"]),
            ]
    return [(next((value for key, value in m.headers.items() if key != "Content-Type"), ""), m.body) for m in messages]


def _predictions(name: str) -> list[tuple[str, bytes]]:
    if name == "rows":
        documents = [{"inputs": [1, 2.5]}, {"inputs": [[1, 2], [3, 4]]}, {"instances": [[1], {"x": [2]}]}]
        return [("application/json", json.dumps(d).encode()) for d in documents] + [("text/csv", b"1,2\n3.5,-4e1\n")]
    if name == "pairs":
        row = {"ids": [1, 2], "mask": [True, False]}
        return [("application/json", json.dumps(document).encode()) for document in ({"inputs": row}, {"instances": [row, row]})]
    found = [("application/json", b'{"inputs": [[0, 255], [7, 8]]}'), ("application/json", b'{"instances": [[[1]], [[[1, 2, 3]]]]}')]
    for kind, mode in _PICTURES:
        picture = _picture(kind, mode)
        found.append(("image/*", picture))
        if mode == "RGB":
            part = b'--xyz\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n' + picture + b"\r\n"
            found += [(_FORM, part + b"--xyz--\r\n"), (_FORM, part + part + b"--xyz--\r\n")]
    return found


def _picture(kind: str, mode: str) -> bytes:
    pixels = Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).convert("L" if mode == "I;16" else mode)
    buffer = io.BytesIO()
    (pixels.convert("I;16") if mode == "I;16" else pixels).save(buffer, kind)
    return buffer.getvalue()


class Mutator:
    """Changes requests as a seeded generator says."""

    def __init__(self, rng: random.Random) -> None:
        """Draw from `rng` alone."""
        self._rng = rng

    def header(self, header: str) -> str:
        """Change a length or a content type, mostly not."""
        if self._rng.random() < 0.9:
            return header
        if header.isdigit() or (not header and self._rng.random() < 0.5):
            return self._rng.choice(
                (str(int(header or 0) + self._rng.randint(-3, 3)), "", "0", "-1", "9" * 30, "1.5", "٣", "x", " 7 ", "1e2")
            )
        return self._rng.choice(_TYPES)

    def body(self, body: bytes) -> bytes:
        """Change a body in one to four places."""
        rng = self._rng
        if body[:1] == b"{" and rng.random() < 0.6:
            body = self._in_json(body)
            if rng.random() < 0.7:
                return body
        changed = bytearray(body)
        for _ in range(rng.choice((0, 1, 1, 1, 2, 3, 4))):
            place = rng.randrange(len(changed) + 1)
            what = rng.random()
            if what < 0.45 and place < len(changed):
                changed[place] = rng.choice((rng.randrange(256), changed[place] ^ 1 << rng.randrange(8), 0, 255))
            elif what < 0.6:
                del changed[place : place + rng.choice((1, 1, 2, 4, 16, 100000))]
            elif what < 0.85:
                changed[place:place] = rng.choice(_PIECES)
            else:
                changed[place:place] = changed[place : place + rng.randrange(1, 64)]
        return bytes(changed)

    def _in_json(self, body: bytes) -> bytes:
        """Put another value at one place of the JSON, or take a place out, keeping what follows the document."""
        document, end = json.JSONDecoder().raw_decode(body.decode("latin-1"))
        holder: Any = document
        while True:
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            if not keys:
                return body
            key = self._rng.choice(keys)
            if not isinstance(holder[key], (dict, list)) or self._rng.random() < 0.35:
                break
            holder = holder[key]
        if self._rng.random() < 0.15:
            del holder[key]
        elif isinstance(holder, list) and self._rng.random() < 0.3:
            holder.append(holder[key])
        else:
            holder[key] = self._rng.choice(_VALUES)
        return json.dumps(document).encode() + body[end:]
