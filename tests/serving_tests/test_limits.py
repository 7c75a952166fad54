"""The limits of the request path: time, room and order, each refused with its status, its reason and a count."""

import asyncio
import threading
from typing import Any

import numpy as np
import pytest

from edge.client import TIMEOUT_HEADER as TIMEOUT
from edge.errors import InputError
from edge.protocol import encode_request
from serving import path as request_path

ROWS = "/v2/models/tiny_rows/infer"


def body(*values: float) -> bytes:
    return encode_request({"x": np.array([values], np.float32)}, binary=False).body


class Gate:
    """A model that waits until it is let go, on its thread."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, direct: Any) -> None:
        self.opened, self.begun = threading.Event(), threading.Event()
        self.sizes: list[int] = []
        lane, run = direct.lane(), direct.lane().run

        def wait(inputs: Any) -> Any:
            self.begun.set()
            self.sizes.append(len(inputs["x"]))
            assert self.opened.wait(10)
            return run(inputs)

        monkeypatch.setattr(lane, "run", wait)
        monkeypatch.setattr(request_path.Threads, "start", lambda threads, work, done, expected: threads._work.put((work, done)))


async def begun(gate: Gate) -> None:
    while not gate.begun.is_set():
        await asyncio.sleep(0.001)


def test_what_came_while_a_batch_ran_goes_together(direct: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(server: Any) -> None:
        gate = Gate(monkeypatch, server)
        server.lane().latency.limit = 4
        first = asyncio.create_task(server.ask(ROWS, body(1)))
        await begun(gate)
        others = [asyncio.create_task(server.ask(ROWS, body(i))) for i in range(2, 8)]
        await asyncio.sleep(0.01)
        gate.opened.set()
        answers = await asyncio.gather(first, *others)
        assert [answer["outputs"][0]["data"] for _, _, answer in answers] == [[i * i] for i in range(1, 8)]
        assert gate.sizes == [1, 4, 2]

    direct(test)


def test_a_full_queue_is_429_and_says_when_to_come_back(direct: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(server: Any) -> None:
        gate = Gate(monkeypatch, server)
        waiting = [asyncio.create_task(server.ask(ROWS, body(1)))]
        await begun(gate)
        waiting += [asyncio.create_task(server.ask(ROWS, body(1))) for _ in range(2)]
        await asyncio.sleep(0.01)
        server.app.inference.sample_load()
        metrics = server.app.inference._metrics.exposition().decode()
        assert 'tandem_queue_requests{model="tiny_rows",version="1.0.0"} 2.0' in metrics
        assert 'tandem_in_flight_requests{model="tiny_rows",version="1.0.0"} 3.0' in metrics
        status, headers, answer = await server.ask(ROWS, body(1))
        assert (status, answer["reason"], headers["retry-after"]) == (429, "queue_full", "1")
        assert "2 requests wait, the most that may; send it again in 1 s" in answer["error"]
        gate.opened.set()
        assert [status for status, _, _ in await asyncio.gather(*waiting)] == [200] * 3

    direct(test, queue_requests=2)


def test_bodies_beyond_the_memory_are_429(direct: Any) -> None:
    async def test(server: Any) -> None:
        slow = asyncio.create_task(server.ask(ROWS, b" " * 900, body(1), pause=0.05))
        await asyncio.sleep(0.01)
        status, headers, answer = await server.ask(ROWS, b" " * 200)
        assert (status, answer["reason"], headers["retry-after"]) == (429, "queue_full", "1")
        assert "requests with 900 bytes are being worked on, 1024 may be" in answer["error"]
        assert (await slow)[0] == 200
        assert server.app.inference.memory.held == 0

    direct(test, queue_bytes=1024)


def test_a_body_that_does_not_come_is_408(direct: Any) -> None:
    async def test(server: Any) -> None:
        status, _, answer = await server.ask(ROWS, b"{", b"}", pause=1)
        assert (status, answer["reason"]) == (408, "slow_body")
        assert "1 bytes of the body came in 0.02 s, expected all of it by then" in answer["error"]

    direct(test, body_timeout_ms=20)


def test_a_deadline_that_passes_in_the_queue_is_504_on_time(direct: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(server: Any) -> None:
        gate = Gate(monkeypatch, server)
        first = asyncio.create_task(server.ask(ROWS, body(1)))
        await begun(gate)
        status, _, answer = await server.ask(ROWS, body(1), **{TIMEOUT: "40"})
        assert (status, answer["reason"]) == (504, "deadline")
        assert "the deadline passed after 0.0" in answer["error"]
        assert not gate.opened.is_set()
        gate.opened.set()
        assert (await first)[0] == 200

    direct(test)


def test_a_deadline_that_cannot_be_met_is_504_at_once(direct: Any) -> None:
    async def test(server: Any) -> None:
        server.lane().latency.scale *= 1e6
        status, _, answer = await server.ask(ROWS, body(1), **{TIMEOUT: "5"})
        assert (status, answer["reason"]) == (504, "deadline")
        assert "allow more time, or try later" in answer["error"]

    direct(test)


@pytest.mark.parametrize("given", ["0", "-1", "1.5", "soon", "", "1" * 10])
def test_a_malformed_deadline_is_named(direct: Any, given: str) -> None:
    async def test(server: Any) -> None:
        status, _, answer = await server.ask(ROWS, body(1), **{TIMEOUT: given})
        assert (status, answer["error"][:30]) == (400, f"{TIMEOUT} is {given!r}, expected whole"[:30])

    direct(test)


def test_a_deadline_is_capped(direct: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(server: Any) -> None:
        gate = Gate(monkeypatch, server)
        first = asyncio.create_task(server.ask(ROWS, body(1)))
        await begun(gate)
        assert (await server.ask(ROWS, body(1), **{TIMEOUT: "999999"}))[0] == 504
        gate.opened.set()
        await first

    direct(test, max_timeout_ms=30)


def test_a_server_that_stops_finishes_what_it_accepted_and_takes_no_more(direct: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks: list[Any] = []

    async def test(server: Any) -> None:
        gate = Gate(monkeypatch, server)
        tasks.append(asyncio.create_task(server.ask(ROWS, body(3))))
        await begun(gate)

        async def late() -> Any:
            await asyncio.sleep(0.05)
            answer = await server.ask(ROWS, body(1))
            gate.opened.set()
            return answer

        tasks.append(asyncio.create_task(late()))

    direct(test)
    status, _, answer = tasks[0].result()
    assert (status, answer["outputs"][0]["data"]) == (200, [9])
    status, _, answer = tasks[1].result()
    assert (status, answer["reason"]) == (503, "draining")


def test_one_poisoned_request_among_thirty_two(direct: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(server: Any) -> None:
        gate = Gate(monkeypatch, server)
        lane, run = server.lane(), server.lane().run
        lane.latency.limit = 32

        def poisoned(inputs: Any) -> Any:
            if (inputs["x"] == 13).any():
                raise InputError("model.onnx: onnxruntime refuses the input (thirteen)")
            return run(inputs)

        monkeypatch.setattr(lane, "run", poisoned)
        asked = [asyncio.create_task(server.ask(ROWS, body(i))) for i in range(32)]
        gate.opened.set()
        answers = await asyncio.gather(*asked)
        assert [status for status, _, _ in answers] == [400 if i == 13 else 200 for i in range(32)]
        assert "thirteen" in answers[13][2]["error"]
        assert max(gate.sizes) >= 8

    direct(test)


def test_large_bodies_are_read_on_threads(direct: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []
    read = request_path.inference.read_infer
    monkeypatch.setattr(request_path.inference, "read_infer", lambda *args: names.append(threading.current_thread().name) or read(*args))

    async def test(server: Any) -> None:
        names.clear()
        assert (await server.ask(ROWS, body(*range(1000))))[0] == 200
        assert (await server.ask(ROWS, body(1)))[0] == 200
        assert [name.partition("_")[0] for name in names] == ["decode", "MainThread"]

    direct(test)
