"""Faults of requests with texts: V2's BYTES tensors, texts that a model reads on, and texts that it is to write."""

from __future__ import annotations

import json
import struct
from typing import Any

from refused.case import JSON, LENGTH, OCTETS, TIMEOUT, TYPE, Case

READER, INFER, WRITER = "/predict/tiny_texts", "/v2/models/tiny_texts/infer", "/generate/tiny_writer"
BAD = (400, "bad_input")
TEXT = {TYPE: "text/plain"}
WHOLE = struct.pack("<I", 1) + b"a" + struct.pack("<I", 1) + b"b"


def entry(**changes: Any) -> bytes:
    """Write a V2 request of two texts, with fields of its only tensor changed."""
    return json.dumps({"inputs": [{"name": "text", "datatype": "BYTES", "shape": [2], "data": ["a", "b"], **changes}]}).encode()


def behind(tail: bytes) -> Any:
    """Write a request whose two texts follow the JSON; gives its body and headers."""
    tensor = {"name": "text", "datatype": "BYTES", "shape": [2], "parameters": {"binary_data_size": len(tail)}}
    head = json.dumps({"inputs": [tensor]}).encode()
    return {"body": head + tail, "headers": {**OCTETS, LENGTH: str(len(head))}}


def order(**fields: Any) -> Any:
    """Write an order for a text; gives its body and headers."""
    return {"body": json.dumps({"prompt": "a", **fields}).encode(), "headers": JSON}


TEXTS = (
    Case("an empty text", *BAD, "the text is empty", READER, b" \n", TEXT),
    Case("a text that is not UTF-8", *BAD, "not UTF-8", READER, b"\xff\xfe\x00", TEXT),
    Case("half a character in a text", *BAD, "half a character", READER, b'{"inputs": ["\\ud800"]}', JSON),
    Case("a text for a model of numbers", 415, "unsupported_media", "expected application/json", "/predict/tiny_rows", b"win", TEXT),
    Case("texts fewer than the shape says", *BAD, "holds 2 texts, expected 3", INFER, entry(shape=[3]), JSON),
    Case("a number among texts", *BAD, "data holds 3, expected a text", INFER, entry(data=["a", 3]), JSON),
    Case("texts for a model of numbers", *BAD, "datatype is 'BYTES'", "/v2/models/tiny_rows/infer", entry(name="x"), JSON),
    Case("a text longer than the bytes that are left", *BAD, "should have 4294967295 bytes", INFER, **behind(b"\xff\xff\xff\xff")),
    Case("bytes behind the last text", *BAD, "follow the last of 2 texts", INFER, **behind(WHOLE * 2)),
    Case("a text of other bytes than UTF-8", *BAD, "not UTF-8 at byte 0", INFER, **behind(struct.pack("<I", 1) + b"\xff" + bytes(4))),
    Case(
        "a text to be written without a prompt", *BAD, "and where wanted length, temperature, top_k, seed", WRITER, b'{"length": 3}', JSON
    ),
    Case("a prompt with letters that the model does not know", *BAD, "the prompt has 'x'", WRITER, **order(prompt="abx")),
    Case("a text longer than may be asked for", *BAD, "expected a whole number of tokens", WRITER, **order(length=5000)),
    Case("a temperature that is no number", *BAD, "temperature is 'hot'", WRITER, **order(temperature="hot")),
    Case("an option that there is not", *BAD, "the body has 'top_p'", WRITER, **order(top_p=1)),
    Case("a prompt that is no JSON", 415, "unsupported_media", "expected application/json", WRITER, b"a", TEXT),
    Case("a text asked of a model that writes none", 400, "usage", "does not write texts", "/generate/tiny_rows", **order()),
    Case(
        "a deadline in words, for a text",
        *BAD,
        "expected whole milliseconds",
        WRITER,
        order()["body"],
        {**JSON, TIMEOUT: "soon"},
    ),
)
