"""The short way from the parser to inference and uvicorn's way give the same answers, headers and counts."""

import json
import logging
import socket
import time
from collections.abc import Callable, Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from edge.client import TIMEOUT_HEADER
from edge.protocol import HEADER_LENGTH, encode_request
from serving import keys
from serving.direct import KEEP_ALIVE_S, DirectProtocol

ASKED = b"POST /v2/models/m/infer HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
LENGTH = HEADER_LENGTH.lower()
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


def test_the_short_way_is_taken(live: tuple[int, str]) -> None:
    port, token = live
    raw = request(token, BINARY[0], **BINARY[1])
    for sent, last in ((raw, True), (raw.replace(b"Host: tandem", b"Host: tandem\r\nX-Forwarded-For: 10.1.1.1"), False)):
        with socket.create_connection(("127.0.0.1", port), 30) as connection:
            connection.sendall(sent)
            response = HTTPResponse(connection)
            response.begin()
            assert (list(response.headers)[-1].lower() == "content-length") is last, "uvicorn writes it elsewhere"


def test_a_head_that_came_before_brings_what_follows_it_this_time(live: tuple[int, str]) -> None:
    port, token = live
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        for values, pieces in (((1, 2), 1), ((3, 4), 1), ((5, 6, 7), 1), ((8, 9), 1), ((2, 3), 2), ((4, 5), 1)):
            body, headers = numbers(*values, binary=True)
            sent = request(token, body, **headers)
            for piece in (sent,) if pieces == 1 else (sent[:-5], sent[-5:]):
                connection.sendall(piece)
                time.sleep(0.05)
            code, fields, answered = read(connection)
            assert code == 200
            assert np.frombuffer(answered[int(fields[LENGTH]) :], "<f4").tolist() == [value * value for value in values]
        connection.sendall(request("wrong", BINARY[0], **BINARY[1]))
        assert read(connection)[0] == 401


def test_a_connection_that_answered_the_short_way_is_closed_when_it_idles(monkeypatch: pytest.MonkeyPatch) -> None:
    now, alarms, wire = [100.0], [], Mock(is_closing=lambda: False, get_extra_info=lambda *_: None)
    loop = Mock(time=lambda: now[0], call_later=lambda delay, call: alarms.append((delay, call)) or Mock())
    logging.getLogger("uvicorn.access").addHandler(quiet := logging.NullHandler())  # as where a host logs
    try:
        protocol = DirectProtocol(Config(Mock(), http=DirectProtocol, ws="none"), ServerState(), {}, loop)
    finally:
        logging.getLogger("uvicorn.access").removeHandler(quiet)
    way = Mock(answer=lambda asked, url, headers, content, caller, reply: reply(200, b"", content))
    monkeypatch.setattr(DirectProtocol, "way", way)
    protocol.connection_made(wire)
    for now[0] in (100.0, 103.0):
        protocol.data_received(ASKED)
    assert (wire.write.call_count, protocol.server_state.total_requests, len(alarms)) == (2, 2, 1)
    now[0] = 103.0 + KEEP_ALIVE_S - 3
    alarms[0][1]()  # the last answer was three seconds too late for it
    assert (wire.close.called, alarms[1][0]) == (False, pytest.approx(3.0))
    way.answer = lambda *_: None
    now[0] += 2
    protocol.data_received(ASKED)
    now[0] += 3
    alarms[1][1]()
    assert not wire.close.called, "a request is being answered"
    protocol.cycle.response_complete = True
    now[0] += KEEP_ALIVE_S
    alarms[2][1]()
    assert wire.close.called


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
