"""Even load over several worker processes: of those that share a listening socket, the one with the fewest connections accepts.

Left alone, the worker that wakes first takes every connection that waits, and others stay idle: what the kernel wakes first
is no fair choice. Here each worker tells the others, in a small shared table, how many connections it has, accepts one at a
time, and lets the others go first where they have fewer.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn

MOST_WORKERS = 256
PAUSE_S, MOST_PAUSES = 0.002, 5  # a worker lets others go first for so long, then it accepts: they may be busy
BEAT_S, SILENT_S = 0.1, 1.0  # a worker that has not told for so long does not count
FULL_S = 1.0  # until a worker that could accept no more tries again
logger = logging.getLogger("bentoml.tandem")


class Table:
    """Connections of each worker, in memory that all of them map; each writes its own row alone."""

    def __init__(self, path: Path, row: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Map the table, which is made where it is missing, and begin with no connection in a row."""
        self._row, self._clock = row, clock
        size = MOST_WORKERS * 2 * 8
        with contextlib.suppress(FileExistsError), path.open("xb") as file:
            file.truncate(size)
        descriptor = os.open(path, os.O_RDWR)
        try:
            os.ftruncate(descriptor, size)  # no change, but where another worker has just made the file
        finally:
            os.close(descriptor)
        self._rows = np.memmap(path, dtype=np.float64, mode="r+", shape=(MOST_WORKERS, 2))
        self.tell(0)

    def tell(self, connections: int) -> None:
        """Say how many connections this worker has."""
        self._rows[self._row] = connections, self._clock()

    def fewest_elsewhere(self) -> float:
        """Give the fewest connections that another living worker has; infinity where there is none."""
        counts, times = self._rows[:, 0].copy(), self._rows[:, 1]
        counts[(self._clock() - times > SILENT_S) | (times > self._clock())] = np.inf
        counts[self._row] = np.inf
        return float(counts.min())


class BalancedServer(uvicorn.Server):
    """uvicorn's server, which accepts connections itself where it is given a listening socket that others share."""

    table: Table

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start as usual, then accept one connection at a time."""
        await super().startup([] if sockets else sockets)
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Future[Any]] = set()
        self._pauses: dict[socket.socket, int] = {}
        for listening in sockets or []:
            listening.setblocking(False)
            listening.listen(self.config.backlog)
            self._pauses[listening] = 0
            self._loop.add_reader(listening.fileno(), self._accept, listening)
        self._beat()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more, then stop as usual."""
        for listening in self._pauses:
            self._loop.remove_reader(listening.fileno())
        self._pauses.clear()
        self._timer.cancel()
        await super().shutdown(sockets)

    @property
    def _connections(self) -> int:
        return len(self.server_state.connections) + len(self._opening)

    def _beat(self) -> None:
        self.table.tell(self._connections)
        self._timer = self._loop.call_later(BEAT_S, self._beat)

    def _accept(self, listening: socket.socket) -> None:
        """Take one connection, or let a worker that has fewer go first for a moment."""
        if listening not in self._pauses:
            return
        if self._connections > self.table.fewest_elsewhere() and self._pauses[listening] < MOST_PAUSES:
            self._pauses[listening] += 1
            self._loop.remove_reader(listening.fileno())
            self._loop.call_later(PAUSE_S, self._resume, listening)
            return
        self._pauses[listening] = 0
        try:
            connection, _ = listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):  # another worker was quicker
            return
        except OSError as error:  # as many files are open as may be: asked again at once, it would be so without end
            logger.error("no connection can be accepted for %g s: %s", FULL_S, error.strerror)
            self._loop.remove_reader(listening.fileno())
            self._loop.call_later(FULL_S, self._resume, listening)
            return
        task = asyncio.ensure_future(self._open(connection))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)
        self.table.tell(self._connections)

    def _resume(self, listening: socket.socket) -> None:
        if listening in self._pauses:
            self._loop.add_reader(listening.fileno(), self._accept, listening)

    async def _open(self, connection: socket.socket) -> None:
        """Hand a connection to uvicorn's protocol; one that breaks off meanwhile is nobody's business."""
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError):
            await self._loop.connect_accepted_socket(self._protocol, connection, ssl=self.config.ssl)

    def _protocol(self) -> asyncio.Protocol:
        make: Any = self.config.http_protocol_class
        protocol: asyncio.Protocol = make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)
        return protocol


def install(folder: str, row: int) -> None:
    """Let the server that this process is about to start be a balanced one.

    Args:
        folder: One that all workers of this server share, and no other.
        row: Which of them this is, from 0.
    """
    BalancedServer.table = Table(Path(folder) / "connections", row)
    uvicorn.Server = BalancedServer  # type: ignore[misc]  # BentoML makes one by this name, after it has loaded the service
