"""The HTTP border: unknown paths, wrong methods, malformed V2 requests and bodies that are too large are a 4xx with words."""

import gzip
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from edge.protocol import HEADER_LENGTH

DIGITS = "/predict/tiny_digits"
INFER = "/v2/models/tiny_digits/infer"
JSON = {"content-type": "application/json"}
PNG = {"content-type": "image/png"}
OCTETS = {"content-type": "application/octet-stream"}


REFUSED: list[tuple[str, str, str, dict[str, Any], int, str]] = [
    ("unknown path", "GET", "/nowhere", {}, 404, "nothing is served at '/nowhere'"),
    ("unknown path below v2", "POST", "/v2/model/tiny_digits/infer", {}, 404, "/docs lists every path"),
    ("a path of odd bytes", "GET", "/%ff%00%0a", {}, 404, "nothing is served"),
    ("a path that climbs", "GET", "/v2/models/..%2f..%2fetc/contract", {}, 404, "nothing is served"),
    (
        "unknown model",
        "GET",
        "/v2/models/nobody",
        {},
        404,
        "no model is called 'nobody'; the models are tiny_digits, tiny_pairs, tiny_rows",
    ),
    ("unknown model to predict", "POST", "/predict/nobody", {}, 404, "no model is called 'nobody'"),
    ("unknown version", "POST", "/v2/models/tiny_digits/versions/2.0.0/infer", {}, 404, "not served in version '2.0.0'; there are 1.0.0"),
    ("wrong method to infer", "GET", INFER, {}, 405, "does not take GET, expected POST"),
    ("wrong method to predict", "PUT", DIGITS, {}, 405, "does not take PUT, expected POST"),
    ("wrong method to health", "POST", "/v2/health/live", {}, 405, "expected GET or HEAD"),
    ("an invented method", "BREW", "/v2", {}, 405, "does not take BREW"),
    ("wrong method to the host's route", "POST", "/livez", {}, 405, "/livez does not take POST, expected GET"),
    ("infer: empty", "POST", INFER, {"content": b""}, 400, "the body is empty"),
    ("infer: not JSON", "POST", INFER, {"content": b"picture=7", "headers": JSON}, 400, "not valid JSON"),
    (
        "infer: a form",
        "POST",
        INFER,
        {"data": {"a": "b"}},
        415,
        "'application/x-www-form-urlencoded', expected application/json or application/octet-stream",
    ),
    ("infer: a picture", "POST", INFER, {"content": b"x", "headers": PNG}, 415, "'image/png', expected application/json"),
    ("infer: text", "POST", INFER, {"content": b"{}", "headers": {"content-type": "text/plain"}}, 415, "'text/plain'"),
    (
        "infer: header length lies",
        "POST",
        INFER,
        {"content": b"{}", "headers": {HEADER_LENGTH: "7"}},
        400,
        "expected the length of the JSON",
    ),
    ("infer: octets without header length", "POST", INFER, {"content": b"\x00\x01\x02", "headers": OCTETS}, 400, "not valid JSON"),
    (
        "infer: float overflow",
        "POST",
        "/v2/models/tiny_rows/infer",
        {"json": {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [3e38]}]}},
        400,
        "NaN or Infinity",
    ),
    (
        "compressed",
        "POST",
        INFER,
        {"content": gzip.compress(b"{}"), "headers": {"content-encoding": "gzip"}},
        415,
        "'gzip', expected an uncompressed body",
    ),
    ("too large", "POST", INFER, {"content": b" " * 65537}, 413, "larger than 65536 bytes"),
    ("too large by its header", "POST", DIGITS, {"content": b"x", "headers": {"content-length": "9" * 30}}, 413, "larger than 65536 bytes"),
    ("too large in chunks", "POST", DIGITS, {"content": (b" " * 1000 for _ in range(66))}, 413, "larger than 65536 bytes"),
]


@pytest.mark.parametrize(("method", "path", "sent", "code", "words"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_is_malformed_is_refused_with_words(
    check_refusal: Callable[..., None], method: str, path: str, sent: dict[str, Any], code: int, words: str
) -> None:
    check_refusal(method, path, sent, code, words)


def test_a_body_of_just_the_limit_is_read(client: TestClient, infer_body: Callable[..., bytes]) -> None:
    content = infer_body()
    assert client.post(INFER, content=content + b" " * (65536 - len(content))).status_code == 200


REASONS = [
    (INFER, b"{", 400, "bad_input"),
    ("/predict/nobody", b"", 404, "unknown_model"),
    ("/x", b"", 404, "unknown_path"),
    ("/v2", b"", 405, "method_not_allowed"),
]


@pytest.mark.parametrize(("path", "content", "code", "reason"), REASONS)
def test_each_refusal_has_its_reason(client: TestClient, path: str, content: bytes, code: int, reason: str) -> None:
    response = client.post(path, content=content)
    assert (response.status_code, response.json()["reason"]) == (code, reason)
