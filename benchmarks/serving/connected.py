"""The whole way of a small request: from the bytes that a socket gives to the bytes that go back, over many connections and no socket."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from benchmarks.serving import questions
from benchmarks.serving.models import Bundle
from serving.app import create_app
from serving.direct import DirectProtocol
from serving.settings import Settings

CONNECTIONS = (1, 8, 32)
ROUNDS = 16


class Wire(asyncio.Transport):
    """The far end of a connection: counts what is written."""

    def __init__(self) -> None:
        """Begin with nothing written."""
        super().__init__()
        self.answers, self.last = 0, b""

    def write(self, data: Any) -> None:
        """Take an answer."""
        self.answers, self.last = self.answers + 1, bytes(data)

    def is_closing(self) -> bool:
        """Tell that it stays open."""
        return False

    def resume_reading(self) -> None:
        """Go on."""


class Callers:
    """Connections that ask the same at once, and again when all of them have their answers."""

    def __init__(self, app: Any, question: bytes, count: int) -> None:
        """Connect."""
        config, state = uvicorn.Config(app, log_level="error", ws="none"), ServerState()
        state.default_headers = [(b"date", b"Sat, 01 Jan 2000 00:00:00 GMT")]
        self._question, self._ends = question, []
        for _ in range(count):
            protocol, wire = DirectProtocol(config, state, {}), Wire()
            protocol.connection_made(wire)
            self._ends.append((protocol, wire))

    async def ask(self) -> bytes:
        """Ask once over each connection; give the last answer."""
        waited = [wire.answers + 1 for _, wire in self._ends]
        for protocol, _ in self._ends:
            protocol.data_received(self._question)
        while any(wire.answers < count for (_, wire), count in zip(self._ends, waited, strict=True)):
            await asyncio.sleep(0)
        return self._ends[-1][1].last


async def measure(made: Bundle, kind: str, blocks: int) -> dict[int, list[float]]:
    """Give processor seconds of an answer, by number of connections, one value a block."""
    app = create_app(Settings(made.root, device="cpu", models=(made.name,)))
    question = questions.request(questions.tandem(made.question, kind))
    async with app.web.router.lifespan_context(app.web):
        DirectProtocol.way = app.short
        found = {}
        for count in CONNECTIONS:
            callers = Callers(app, question, count)
            while not (await callers.ask()).startswith(b"HTTP/1.1 200"):
                await asyncio.sleep(0.01)
            rounds = max(1, ROUNDS // count)
            found[count] = [await _block(callers, rounds) / count for _ in range(blocks)]
    return found


async def _block(callers: Callers, rounds: int) -> float:
    start = time.process_time()
    for _ in range(rounds):
        await callers.ask()
    return (time.process_time() - start) / rounds
