"""A device with a real server behind it, which is stopped and started again in the middle; and how often a request goes out."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from edge import Model, Router
from edge.breaker import Allowance, Breaker
from edge.client import Client
from edge.errors import RemoteError
from edge.pair import Figures, Pair, half

FIGURES = Figures(50, 0.9, 0.95, 0.95, 0.1, 0.0, (0.0, 0.0))
PICTURES = np.random.default_rng(11).integers(0, 256, (40, 30, 28, 1), np.uint8)


@dataclass(frozen=True)
class Two:
    """A small model opened here, a large one to be served, and a pair that sends half of the pictures."""

    device: Model
    server: Model
    bundles: Path
    pair: Pair


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, digits_writer: Callable[..., Path]) -> Iterator[Two]:
    root = tmp_path_factory.mktemp("pair")
    digits_writer(root / "device", "small_digits")
    large = digits_writer(root / "server", "large_digits", version="1.2.0")
    with Model.open(root / "device" / "small_digits", target="server") as device, Model.open(large, target="server") as server:
        middle = float(np.median([device.predict(picture).score for picture in PICTURES]))
        halves = [half(model.bundle, model.variant, "onnxruntime") for model in (device, server)]
        yield Two(device, server, root / "server", Pair(1, *halves, middle, 1.0, 0.0, "noise", FIGURES, FIGURES, ()))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_the_server_is_stopped_and_started_in_the_middle(
    two: Two, start: Callable[..., AbstractContextManager[tuple[int, Path]]], tmp_path: Path
) -> None:
    port = free_port()
    breaker, plenty = Breaker(failures=2, first_s=0.05, most_s=0.2), Allowance(1000, 1000)
    with Router(two.device, f"http://127.0.0.1:{port}", pair=two.pair, deadline_ms=5000, breaker=breaker, allowance=plenty) as router:
        before = [router.predict(picture) for picture in PICTURES]
        assert {answer.source for answer in before} == {"device"}
        assert sum(answer.offline for answer in before) == 20, "half are sure, the others would have been sent"
        for _ in range(2):  # the second time it was there before, and the kept connection is a dead one
            with start(two.bundles, tmp_path, "--port", str(port)):
                wait_for(router, "server")
                answers = [router.predict(picture) for picture in PICTURES]
                assert sum(answer.source == "server" for answer in answers) == 20
                assert not any(answer.offline for answer in answers)
                for answer, picture in zip(answers, PICTURES, strict=True):
                    if answer.source == "server":
                        assert [item.index for item in answer.ranking] == [item.index for item in two.server.predict(picture).ranking]
                assert router.check().version == "1.2.0"
            started = time.monotonic()
            gone = [router.predict(picture) for picture in PICTURES]
            assert {answer.source for answer in gone} == {"device"}
            assert sum(answer.offline for answer in gone) == 20
            assert time.monotonic() - started < 5, "a server that has gone does not hold the device up"
    assert not [thread for thread in threading.enumerate() if thread.name == "tandem-router"]


def wait_for(router: Router, source: str) -> None:
    """Ask until the circuit has closed again."""
    unsure = min(PICTURES, key=lambda picture: router.model.predict(picture).score)
    until = time.monotonic() + 10
    while router.predict(unsure).source != source:
        assert time.monotonic() < until
        time.sleep(0.02)


class Rude:
    """A server that gives one answer to everything, or hangs up where that is empty; it counts."""

    def __init__(self, answer: bytes = b"") -> None:
        self.requests, self.answer = 0, answer
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection:
                while connection.recv(65536):
                    self.requests += 1
                    if not self.answer:
                        break
                    connection.sendall(self.answer)

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(b"", "unreachable", id="hangs up"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<h1>Login</h1", "unreachable", id="a login page"),
        pytest.param(b"HTTP/1.1 503 Busy\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n", "unreachable", id="busy"),
        pytest.param(b"nonsense\r\n\r\n", "unreachable", id="nonsense"),
    ],
)
def test_a_bad_server_is_asked_once_for_each_input_until_the_circuit_opens(two: Two, answer: bytes, reason: str) -> None:
    rude = Rude(answer)
    try:
        with Router(two.device, rude.url, pair=two.pair, breaker=Breaker(failures=3, first_s=60)) as router:
            answers = [router.predict(picture) for picture in PICTURES]
            asked = 1 if b"Retry-After" in answer else 3
            assert rude.requests == asked
            assert [one.reason for one in answers if one.reason != "sure"] == [reason] * asked + ["waiting"] * (20 - asked)
            assert router.breaker.wait_s >= 29
    finally:
        rude.close()


def test_a_client_may_forbid_to_send_again() -> None:
    """The first request is answered and the connection kept; then the server hangs up whenever something is asked."""
    for resend, most in ((True, 3), (False, 2)):
        rude = Rude(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        try:
            with Client(rude.url, resend=resend) as client:
                assert client.server() == {}
                rude.answer = b""
                with pytest.raises(RemoteError, match="cannot be reached"):
                    client.server()
            assert rude.requests == most
        finally:
            rude.close()
