"""The client against a real server on a socket: every call, every way of sending, and what is said when it is refused."""

import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn

from edge.client import Client
from edge.errors import InputError, RemoteError, UsageError
from serving.app import create_app
from serving.settings import Settings


@pytest.fixture(scope="module")
def address(tiny_bundles: Path) -> Iterator[str]:
    """A server over the small models, on a thread."""
    app = create_app(Settings(tiny_bundles, device="cpu"))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with Client(url) as client:
            while not client.ready():
                pass
        yield url
        server.should_exit = True
        thread.join()


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    with Client(address) as client:
        yield client


def test_health_metadata_and_contract(client: Client) -> None:
    assert (client.live(), client.ready(), client.ready("tiny_rows"), client.ready("nobody")) == (True, True, True, False)
    assert client.server()["extensions"] == ["binary_tensor_data", "model_configuration", "model_repository", "statistics"]
    assert client.metadata("tiny_rows", "1.0.0")["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, -1]}]
    assert client.contract("tiny_digits").labels == tuple("0123456789")
    assert [model["state"] for model in client.models()] == ["READY"] * 3


@pytest.mark.parametrize("binary", [True, False])
def test_inference(client: Client, binary: bool) -> None:
    inputs = {"x": np.array([[1, 2], [3, 4]], np.float32)}
    answer = client.infer("tiny_rows", inputs, version="1.0.0", outputs=["y"], binary=binary, id="seven", deadline_ms=5000)
    assert (answer.id, answer.model_version, answer.outputs["y"].tolist()) == ("seven", "1.0.0", [[1, 4], [9, 16]])


def test_predictions_however_they_are_sent(client: Client, png: bytes, tmp_path: Path) -> None:
    (tmp_path / "seven.png").write_bytes(png)
    expected = client.predict("tiny_digits", png)
    assert client.predict("tiny_digits", tmp_path / "seven.png", deadline_ms=5000) == expected
    assert set(expected[0]) == {"label", "score", "ranking"}
    assert client.predict("tiny_rows", np.array([[1, 2], [3, 4]], np.float32)) == [{"result": [1, 4]}, {"result": [9, 16]}]
    assert client.predict("tiny_rows", [2.0]) == [{"result": [4]}]
    assert client.predict("tiny_pairs", {"ids": np.array([1, 2]), "mask": [True, False]}) == [{"result": [1, 0]}]


def test_a_refusal_has_status_reason_and_words(client: Client) -> None:
    with pytest.raises(RemoteError, match="answers 404: no model is called 'nobody'") as refused:
        client.predict("nobody", [1])
    assert (refused.value.status, refused.value.remote_reason, refused.value.retry_after) == (404, "unknown_model", None)
    with pytest.raises(RemoteError, match="answers 400: .*expected") as refused:
        client.infer("tiny_rows", {"x": np.ones((1, 1))[None].astype(np.float32)})
    assert refused.value.status == 400


def test_a_connection_that_the_server_closed_is_opened_again(client: Client) -> None:
    assert client.live()
    sock: Any = client._connection.sock
    sock.shutdown(socket.SHUT_RDWR)
    assert client.live()


class Other(http.server.BaseHTTPRequestHandler):
    """A server that is not ours: a refusal without JSON, then nothing."""

    def do_GET(self) -> None:
        self.send_response(429, "Busy")
        self.send_header("Retry-After", "7")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"no")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_refusals_of_other_servers_are_understood() -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), Other) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        with Client(f"http://127.0.0.1:{server.server_port}/prefix/") as client, pytest.raises(RemoteError, match="429: Busy") as refused:
            client.server()
        thread.join()
    assert refused.value.retry_after == 7


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(RemoteError, match="cannot be reached .*; check the address") as refused:
        Client(address).server()
    assert (refused.value.status, refused.value.exit_code) == (0, 6)
    assert not Client(address).live()
    with pytest.raises(InputError, match="cannot be read"):
        Client(address).predict("net", tmp_path / "nothing")
    for wrong in ("127.0.0.1:3000", "ftp://host", "http://"):
        with pytest.raises(UsageError, match="expected one such as http"):
            Client(wrong)
