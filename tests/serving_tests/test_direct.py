"""The short way from the parser to inference and uvicorn's way give the same answers, headers and counts."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.client import TIMEOUT_HEADER
from edge.protocol import encode_request
from serving import keys

PATH = "/v2/models/tiny_rows/infer"


@pytest.fixture(scope="module")
def live(tiny_bundles: Path, start: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    """A server that asks for a token; gives its port and the token."""
    folder = tmp_path_factory.mktemp("direct")
    token = keys.create(folder / "keys", "someone")
    with start(tiny_bundles, folder, "--keys", str(folder / "keys")) as (port, _):
        yield port, token


def request(token: str, body: bytes, path: str = PATH, **headers: str) -> bytes:
    fields = {"Host": "tandem", "Authorization": f"Bearer {token}", "Content-Length": str(len(body)), "X-Request-Id": "one"}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in {**fields, **headers}.items()]
    return "\r\n".join([f"POST {path} HTTP/1.1", *lines, "", ""]).encode() + body


def read(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    response = HTTPResponse(connection)
    response.begin()
    return response.status, {name.lower(): value for name, value in response.getheaders() if name.lower() != "date"}, response.read()


def ask(port: int, *pieces: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send the pieces apart."""
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        for piece in pieces:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(piece)
            time.sleep(0.05)
        return read(connection)


def numbers(*values: float, binary: bool = False) -> tuple[bytes, dict[str, str]]:
    message = encode_request({"x": np.array([values], np.float32)}, binary=binary)
    return message.body, dict(message.headers)


JSON, BINARY = numbers(1, 2, 3), numbers(1, 2, 3, binary=True)
CASES = {
    "json": (JSON, PATH, {}, 200),
    "binary": (BINARY, PATH, {}, 200),
    "version": (JSON, "/v2/models/tiny_rows/versions/1.0.0/infer", {}, 200),
    "close": (JSON, PATH, {"Connection": "close"}, 200),
    "no json": ((b"{", {}), PATH, {}, 400),
    "empty": ((b"", {}), PATH, {}, 400),
    "type": (JSON, PATH, {"Content-Type": "text/html"}, 415),
    "model": (JSON, "/v2/models/nobody/infer", {}, 404),
    "deadline": (JSON, PATH, {TIMEOUT_HEADER: "soon"}, 400),
    "token": (JSON, PATH, {"Authorization": "Bearer wrong"}, 401),
}


@pytest.mark.parametrize(("sent", "path", "headers", "code"), CASES.values(), ids=CASES)
def test_both_ways_answer_the_same(live: tuple[int, str], sent: Any, path: str, headers: dict[str, str], code: int) -> None:
    port, token = live
    body, fields = sent
    whole = request(token, body, path, **{**fields, **headers})
    short, long = ask(port, whole), ask(port, whole[: len(whole) - max(len(body), 2) + 1], whole[len(whole) - max(len(body), 2) + 1 :])
    forwarded = ask(port, request(token, body, path, **{**fields, **headers, "X-Forwarded-Proto": "http"}))
    assert short[0] == code
    assert short == long == forwarded


def test_requests_sent_at_once_are_answered_in_order(live: tuple[int, str]) -> None:
    port, token = live
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        sent = [request(token, numbers(i)[0], X_Request_Id=str(i)) for i in range(5)]
        connection.sendall(b"".join(sent))
        got = b""
        while got.count(b"x-request-id") < 5 or not got.endswith(b"}"):
            got += connection.recv(1 << 16)
    heads = [line for line in got.decode().replace("}HTTP", "}\r\nHTTP").split("\r\n") if line.startswith(("x-request-id", "{"))]
    assert [line.partition(": ")[2] for line in heads[::2]] == [str(i) for i in range(5)]
    assert [json.loads(line)["outputs"][0]["data"] for line in heads[1::2]] == [[i * i] for i in range(5)]


def test_a_connection_is_kept(live: tuple[int, str]) -> None:
    port, token = live
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        for value, path in ((2, PATH), (3, "/predict/tiny_rows"), (4, PATH)):
            body = numbers(value)[0] if path == PATH else b'{"inputs": [3]}'
            connection.sendall(request(token, body, path, **{"Content-Type": "application/json"}))
            assert read(connection)[0] == 200
