"""Both clients against a real server on a socket: the asynchronous one says and understands what the other does, and texts stream."""

import asyncio
import http.server
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn

from edge.async_client import AsyncClient
from edge.calls import Events
from edge.client import Client
from edge.errors import InputError, RemoteError, RuntimeMissingError, UsageError
from edge.generation import Generation, Order, StepModel, written
from edge.json_tensors import dumps
from serving.app import create_app
from serving.settings import Settings
from tests.edge_tests.step_models import contract, step, write_writer
from tests.serving_tests.conftest import write_digits, write_rows

ORDER: dict[str, Any] = {"length": 40, "temperature": 0.0, "top_k": 3, "seed": 5}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server over small models, one of which writes texts, on a thread."""
    root = tmp_path_factory.mktemp("streams")
    for write in (write_writer, write_rows, write_digits):
        write(root)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(create_app(Settings(root, device="cpu")), log_level="error", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with Client(url) as client:
            while not client.ready():
                pass
        yield url
        server.should_exit = True
        thread.join()


def expected() -> list[str]:
    return [piece.text for piece in written(step, Generation(StepModel.of(contract()), Order.of("abc", **ORDER)))]


def test_texts_stream_to_both_clients(address: str) -> None:
    with Client(address) as client:
        assert [piece.text for piece in client.generate("tiny_writer", "abc", **ORDER)] == expected()
        assert next(client.generate("tiny_writer", "abc", **ORDER)).place == 0  # stops early; the next call is none the worse
        assert client.predict("tiny_rows", [2.0]) == [{"result": [4]}]
        with pytest.raises(RemoteError, match="the prompt has 'x' at 0") as refused:
            list(client.generate("tiny_writer", "x"))
        assert refused.value.status == 400

    async def stream() -> list[str]:
        async with AsyncClient(address) as client:
            with pytest.raises(RemoteError, match="answers 404"):
                [piece async for piece in client.generate("nobody", "abc")]
            return [piece.text async for piece in client.generate("tiny_writer", "abc", **ORDER, deadline_ms=9000)]

    assert asyncio.run(stream()) == expected()


def test_the_asynchronous_client_does_what_the_other_does(address: str, png: bytes) -> None:
    async def use() -> None:
        async with AsyncClient(address + "/", token="unused") as client:
            assert (await client.live(), await client.ready(), await client.ready("nobody")) == (True, True, False)
            assert "model_repository" in (await client.server())["extensions"]
            assert [model["state"] for model in await client.models()] == ["READY"] * 3
            assert (await client.metadata("tiny_rows", "1.0.0"))["inputs"][0]["name"] == "x"
            assert (await client.contract("tiny_writer")).labels == contract().labels
            rows = [np.array([[i, 2]], np.float32) for i in range(20)]
            answers = await asyncio.gather(*(client.infer("tiny_rows", {"x": row}, binary=i % 2 == 0) for i, row in enumerate(rows)))
            assert [answer.outputs["y"].tolist() for answer in answers] == [[[i * i, 4]] for i in range(20)]
            assert set((await client.predict("tiny_digits", png, deadline_ms=5000))[0]) == {"label", "score", "ranking"}
            with pytest.raises(RemoteError, match="answers 400: .*expected") as refused:
                await client.infer("tiny_rows", {"x": np.ones((1, 1, 1), np.float32)})
            assert (refused.value.status, refused.value.remote_reason) == (400, "bad_input")

    asyncio.run(use())


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"

    async def use() -> None:
        async with AsyncClient(url) as client:
            assert not await client.live()
            with pytest.raises(RemoteError, match="cannot be reached .*; check the address"):
                await client.server()
            with pytest.raises(RemoteError, match="cannot be reached"):
                [piece async for piece in client.generate("net", "a")]
        with pytest.raises(UsageError, match="expected one such as http"):
            AsyncClient("ftp://host")

    asyncio.run(use())
    with pytest.raises(RemoteError, match="cannot be reached"):
        list(Client(url).generate("net", "a"))


def test_without_httpx_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(RuntimeMissingError, match="install the extra async of tandem-edge"):
        AsyncClient("http://127.0.0.1:1")


class CutOff(http.server.BaseHTTPRequestHandler):
    """A server that goes away in the middle of a text."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'id: 0\ndata: {"token":1,"text":"b"}\n\nid: 1\ndata: {"tok')

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_text_that_is_cut_off_is_no_whole_text() -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), CutOff) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        found = []
        with pytest.raises(RemoteError, match="cut off before its end"):
            found.extend(Client(f"http://127.0.0.1:{server.server_port}").generate("net", "a"))
        thread.join()


SIGNS = ["a\u2028b", "c\x85d", "e\x0b\x1cf", "g\r\nh"]


class Signs(CutOff):
    """A server whose text holds what Python, and no event stream, takes for the ends of lines."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        for i, text in enumerate(SIGNS):
            self.wfile.write(b"id: %d\r\ndata: " % i + dumps({"token": i, "text": text}) + b"\r\n\r\n")
        self.wfile.write(b"event: done\ndata: {}\n\n")


def test_a_text_may_hold_every_sign() -> None:
    async def use(url: str) -> list[str]:
        async with AsyncClient(url) as client:
            return [piece.text async for piece in client.generate("net", "a")]

    with http.server.HTTPServer(("127.0.0.1", 0), Signs) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=lambda: [server.handle_request() for _ in range(2)])
        thread.start()
        assert [piece.text for piece in Client(url).generate("net", "a")] == SIGNS
        assert asyncio.run(use(url)) == SIGNS
        thread.join()


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize("token", ["", "a b", "read from a file\n", "caf\u00e9", "\u559c"])
def test_a_token_that_no_header_can_hold_is_refused(kind: Any, token: str) -> None:
    with pytest.raises(UsageError, match="the token is empty, or holds"):
        kind("http://127.0.0.1:1", token=token)


def test_a_name_that_cannot_be_looked_up_is_named() -> None:
    with pytest.raises(UsageError, match="expected one such as http"):
        Client("http://a b")
    with Client("http://a..b:1") as client, pytest.raises(RemoteError, match="cannot be reached"):
        client.server()


@pytest.mark.parametrize(
    ("lines", "error", "words"),
    [
        (["event: error", 'data: {"error": "too late", "reason": "deadline"}', ""], RemoteError, "answers 200: too late"),
        (["data: {", ""], InputError, "not valid JSON"),
        (["id: 1", 'data: {"token": 1}', ""], InputError, "expected a token and its text"),
    ],
)
def test_what_goes_wrong_in_a_stream_is_told(lines: list[str], error: type[Exception], words: str) -> None:
    events = Events("here")
    assert list(events.feed(": a comment")) == []
    with pytest.raises(error, match=words):
        [piece for line in lines for piece in events.feed(line)]
