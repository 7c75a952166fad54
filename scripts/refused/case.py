"""One thing that a caller may do wrong, and what such requests are made of."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

DIGITS, ROWS, PAIRS = (f"/predict/tiny_{name}" for name in ("digits", "rows", "pairs"))
INFER = "/v2/models/tiny_digits/infer"
LENGTH, TIMEOUT, TYPE = "Inference-Header-Content-Length", "X-Request-Timeout-Ms", "Content-Type"
JSON, OCTETS, PNG = ({TYPE: kind} for kind in ("application/json", "application/octet-stream", "image/png"))
FORM = {TYPE: "multipart/form-data; boundary=xyz"}
MAX_BODY_BYTES, MAX_BATCH, MAX_PIXELS, BODY_TIMEOUT_MS, QUEUE_BYTES, BURST = 65536, 8, 4_000_000, 300, 100_000, 300


@dataclass(frozen=True)
class Case:
    """One fault.

    `raw` is sent as it stands, where an HTTP client would not send such a thing; then the token is added to its head. `held`
    is sent before, on a connection that stays open. `repeat` sends the request until the answer comes. An empty reason
    means that the HTTP parser answers, before there is a request.
    """

    fault: str
    code: int
    reason: str
    words: str
    path: str = INFER
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"
    key: str | None = "plain"
    admin_port: bool = False
    raw: bytes | None = None
    held: bytes | None = None
    repeat: int = 1


def tensor(**changes: Any) -> bytes:
    """Write a V2 request for the digits, with fields of its only tensor changed, or taken out by `...`."""
    entry = {"name": "image", "datatype": "UINT8", "shape": [1, 28, 28, 1], "data": [7] * 784, **changes}
    return json.dumps({"inputs": [{key: value for key, value in entry.items() if value is not ...}]}).encode()


def binary(
    size: int, tail: bytes, length: int = 0, datatype: str = "UINT8", name: str = "image", shape: Sequence[int] = (1, 28, 28, 1)
) -> Any:
    """Write a request with a binary tensor; gives its body and headers, the length of the JSON wrong by `length`."""
    entry = {"name": name, "datatype": datatype, "shape": list(shape), "parameters": {"binary_data_size": size}}
    head = json.dumps({"inputs": [entry]}).encode()
    return {"body": head + tail, "headers": {**OCTETS, LENGTH: str(len(head) + length)}}


def picture(mode: str, size: int, kind: str = "PNG") -> bytes:
    """Write an empty picture."""
    buffer = io.BytesIO()
    Image.new(mode, (size, size)).save(buffer, kind)
    return buffer.getvalue()


def text_bomb() -> bytes:
    """Put a compressed text of 30 MB into the head of a PNG."""
    plain = picture("L", 8)
    content = b"zTXtComment\0\0" + zlib.compress(bytes(30 << 20), 9)
    chunk = (len(content) - 4).to_bytes(4, "big") + content + zlib.crc32(content).to_bytes(4, "big")
    return plain[:33] + chunk + plain[33:]


def head(path: str, *lines: str) -> bytes:
    """Write the head of a POST request as it goes over the wire."""
    return "\r\n".join((f"POST {path} HTTP/1.1", "Host: tandem", *lines, "", "")).encode()


PART = b'--xyz\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
NAN = np.array([np.nan], "<f4").tobytes()
_SMALL = np.random.default_rng(0).integers(0, 256, (40, 30), dtype=np.uint8)
_BUFFER = io.BytesIO()
Image.fromarray(_SMALL).save(_BUFFER, "PNG")
PICTURE = _BUFFER.getvalue()
ADMIN: dict[str, Any] = {"path": "/v2/repository/models/tiny_rows/unload", "admin_port": True}
PARSER = "Invalid HTTP request received."
TOO_LARGE = f"larger than {MAX_BODY_BYTES} bytes"
