"""Keep-alive connections without a framework: one request is out on each, answers are told apart by their Content-Length.

A client in Python must cost little beside the servers it measures, so sockets are read as epoll names them, and nothing of
an answer is looked at but its status, its length and the time.
"""

from __future__ import annotations

import select
import socket
import time
from dataclasses import dataclass, field

CHUNK = 1 << 18
MILLISECOND = 0.001  # epoll counts in these, and would sleep for too long
HEAD_END = b"\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


@dataclass(slots=True)
class Connection:
    """One socket. `due` is when the request should have been sent, from where its latency counts."""

    socket: socket.socket
    unsent: memoryview = field(default_factory=lambda: memoryview(b""))
    due: float = 0.0
    parts: list[bytes] = field(default_factory=list)
    got: int = 0
    length: int = -1
    busy: bool = False


class Connections:
    """Connections to one port of this machine, and what waits on them."""

    def __init__(self, port: int) -> None:
        if not hasattr(select, "epoll"):
            raise SystemExit("this benchmark needs Linux (epoll, processor affinity)")
        self._port = port
        self._epoll = select.epoll()
        self._open: dict[int, Connection] = {}
        self.failures = 0

    def __len__(self) -> int:
        return len(self._open)

    @property
    def busy(self) -> int:
        """Connections on which an answer is awaited."""
        return sum(connection.busy for connection in self._open.values())

    def connect(self) -> Connection:
        """Open one more."""
        link = socket.create_connection(("127.0.0.1", self._port), timeout=10)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.setblocking(False)
        connection = Connection(link)
        self._open[link.fileno()] = connection
        self._epoll.register(link.fileno(), select.EPOLLIN)
        return connection

    def send(self, connection: Connection, request: bytes, due: float) -> None:
        """Send a request on a connection where none is out."""
        connection.due, connection.length, connection.got, connection.busy = due, -1, 0, True
        connection.parts.clear()
        try:
            sent = connection.socket.send(request)
        except BlockingIOError:
            sent = 0
        if sent < len(request):
            connection.unsent = memoryview(request)[sent:]
            self._epoll.modify(connection.socket.fileno(), select.EPOLLIN | select.EPOLLOUT)

    def poll(self, seconds: float) -> list[tuple[Connection, int, float]]:
        """Wait at most so long; gives the connections whose answer is whole, with its status and the time (0: it was cut off)."""
        answered = []
        for number, event in self._epoll.poll(seconds if seconds >= MILLISECOND else 0):
            connection = self._open[number]
            if event & select.EPOLLOUT:
                self._send_rest(connection)
            if event & ~select.EPOLLOUT:
                status = self._receive(connection)
                if status >= 0:
                    connection.busy = False
                    answered.append((connection, status, time.perf_counter()))
        return answered

    def replace(self, connection: Connection) -> Connection:
        """Close a connection that broke, and open another."""
        self.failures += 1
        self._close(connection)
        return self.connect()

    def close(self) -> None:
        """Close everything."""
        for connection in list(self._open.values()):
            self._close(connection)
        self._epoll.close()

    def _close(self, connection: Connection) -> None:
        number = connection.socket.fileno()
        self._epoll.unregister(number)
        del self._open[number]
        connection.socket.close()

    def _send_rest(self, connection: Connection) -> None:
        try:
            connection.unsent = connection.unsent[connection.socket.send(connection.unsent) :]
        except BlockingIOError:
            return
        except OSError:
            connection.unsent = memoryview(b"")  # the answer, or its absence, tells why
        if not connection.unsent:
            self._epoll.modify(connection.socket.fileno(), select.EPOLLIN)

    def _receive(self, connection: Connection) -> int:
        """Read what has come; gives the status of a whole answer, 0 where the peer closed, -1 where more is to come."""
        try:
            data = connection.socket.recv(CHUNK)
        except BlockingIOError:
            return -1
        except OSError:
            return 0
        if not data:
            return 0
        connection.parts.append(data)
        connection.got += len(data)
        if connection.length < 0:
            whole = data if len(connection.parts) == 1 else b"".join(connection.parts)
            connection.length = answer_length(whole)
        if connection.length < 0 or connection.got < connection.length:
            return -1
        return int(connection.parts[0][9:12])


def answer_length(data: bytes) -> int:
    """Give the bytes of an HTTP answer, head and body, of which the beginning has come; -1 while that cannot be told."""
    end = data.find(HEAD_END)
    if end < 0:
        return -1
    head = data[:end].lower()
    _, found, rest = head.partition(b"\r\ncontent-length:")
    if found:
        return end + 4 + int(rest.partition(b"\r\n")[0])
    if b"\r\ntransfer-encoding: chunked" in head:
        return len(data) if data.endswith(LAST_CHUNK) else -1
    return end + 4
