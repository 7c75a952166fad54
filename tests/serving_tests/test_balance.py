"""Connections are shared evenly by servers that listen on one socket, and a worker that is gone or silent keeps nobody waiting."""

import errno
import http.client
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import uvicorn
from uvicorn.server import ServerState

from serving.balance import FULL_S, SILENT_S, BalancedServer, Table


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Answer any request."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


def test_a_table_knows_the_living(tmp_path: Path) -> None:
    now = [10.0]
    first, second, third = (Table(tmp_path / "table", row, lambda: now[0]) for row in range(3))
    first.tell(5)
    second.tell(2)
    third.tell(9)
    assert [table.fewest_elsewhere() for table in (first, second, third)] == [2, 5, 2]
    now[0] += SILENT_S + 0.1
    third.tell(9)
    assert first.fewest_elsewhere() == 9
    assert third.fewest_elsewhere() == float("inf")


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[list[BalancedServer], int]]:
    """Two servers on one listening socket, each on a thread, and their port."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    made, threads = [], []
    for row in range(2):
        server = BalancedServer(uvicorn.Config(answer, log_level="error", lifespan="off", ws="none"))
        server.table = Table(tmp_path / "connections", row)
        threads.append(threading.Thread(target=server.run, kwargs={"sockets": [listening.dup()]}))
        made.append(server)
    for thread in threads:
        thread.start()
    while not all(server.started for server in made):
        pass
    yield made, listening.getsockname()[1]
    listening.close()
    for server in made:
        server.should_exit = True
    for thread in threads:
        thread.join()


def connect(port: int) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/")
    assert connection.getresponse().read() == b"ok"
    return connection


def test_connections_are_shared_evenly(servers: tuple[list[BalancedServer], int]) -> None:
    made, port = servers
    open_ = [connect(port) for _ in range(16)]
    shares = [len(server.server_state.connections) for server in made]
    assert sum(shares) == 16
    assert min(shares) >= 7, shares
    for connection in open_:
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"ok"
        connection.close()


def test_a_worker_that_takes_nothing_keeps_nobody_waiting(servers: tuple[list[BalancedServer], int]) -> None:
    (busy, other), port = servers
    asleep = threading.Event()

    def sleep() -> None:  # it lives, and accepts nothing
        busy._loop.remove_reader(next(iter(busy._pauses)).fileno())
        asleep.set()

    busy._loop.call_soon_threadsafe(sleep)
    assert asleep.wait(20)
    open_ = [connect(port) for _ in range(6)]
    assert len(other.server_state.connections) == 6
    assert not busy.server_state.connections
    for connection in open_:
        connection.close()


def test_a_worker_without_a_file_to_spare_tries_again_later_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    def accept() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    listening, server = Mock(accept=accept, fileno=lambda: 7), object.__new__(BalancedServer)
    server._loop, server._opening, server._pauses = Mock(), set(), {listening: 0}
    server.server_state, server.table = ServerState(), Mock(fewest_elsewhere=lambda: float("inf"))
    server._accept(listening)
    server._loop.remove_reader.assert_called_once_with(7)
    server._loop.call_later.assert_called_once_with(FULL_S, server._resume, listening)
    assert "no connection can be accepted for 1 s: Too many open files" in caplog.text
