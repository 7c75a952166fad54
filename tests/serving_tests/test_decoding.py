"""Requests that wait to be decoded: those that would be late are refused at once, and no answer waits behind them."""

import asyncio
import threading
from typing import Any

import pytest

from edge.errors import InputError
from serving import inference
from serving.decoding import Decoders
from serving.errors import DeadlineError
from tests.serving_tests.test_reloading import slowed


class Clock:
    """A time that stands still until a test moves it, and work that waits for the test."""

    def __init__(self) -> None:
        self.now, self.gate = 100.0, threading.Event()

    def __call__(self) -> float:
        return self.now

    def wait(self) -> str:
        assert self.gate.wait(30)
        return "done"


def run(test: Any, clock: Clock, threads: int = 1) -> None:
    async def main() -> None:
        decoders = Decoders(threads, clock)
        try:
            await test(decoders)
        finally:
            clock.gate.set()
        assert (decoders._ahead, decoders._waiting) == (0.0, 0)
        decoders.close()

    asyncio.run(main())


def test_what_would_be_late_is_refused_at_once() -> None:
    clock = Clock()

    async def test(decoders: Decoders) -> None:
        decoders._taken["m"] = 1.0
        asked = [asyncio.create_task(decoders.run("m", clock.now + 3.5, clock.wait)) for _ in range(12)]
        await asyncio.wait(asked, timeout=0.01)
        refused = [task.exception() for task in asked if task.done()]
        assert [str(error) for error in refused] == ["m: reading the request would take 4.000 s, 3.500 s are left; try later"] * 9
        clock.gate.set()
        assert await asyncio.gather(*asked[:3]) == ["done"] * 3

    run(test, clock)


def test_a_free_thread_is_always_tried_so_a_slow_spell_is_forgotten() -> None:
    clock = Clock()

    async def test(decoders: Decoders) -> None:
        decoders._taken["m"] = 1e9
        for _ in range(2):
            assert await decoders.run("m", clock.now + 1, lambda: 5) == 5
        assert decoders._taken["m"] < 1e9

    run(test, clock)


def test_what_a_thread_takes_up_too_late_is_not_begun() -> None:
    clock = Clock()

    async def test(decoders: Decoders) -> None:
        first = asyncio.create_task(decoders.run("m", clock.now + 9, clock.wait))
        second = asyncio.create_task(decoders.run("other", clock.now + 1, lambda: "begun"))
        await asyncio.sleep(0)
        clock.now += 2
        clock.gate.set()
        with pytest.raises(DeadlineError, match="the deadline passed before the request could be read"):
            await second
        assert await first == "done"
        assert decoders._taken == {"m": 2.0}

    run(test, clock)


def test_work_that_fails_is_counted_no_more() -> None:
    def fail() -> None:
        raise InputError("malformed")

    async def test(decoders: Decoders) -> None:
        with pytest.raises(InputError, match="malformed"):
            await decoders.run("m", 101.0, fail)
        assert decoders._taken == {}

    run(test, Clock(), threads=2)


def test_no_answer_waits_behind_requests_that_are_not_read_yet(direct: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, true_read = threading.Event(), inference.read_predict
    entered: list[int] = []

    def read(*args: Any) -> Any:
        entered.append(1)
        if len(entered) > 1:
            gate.wait(30)
        return true_read(*args)

    monkeypatch.setattr(inference, "read_predict", read)

    async def test(server: Any) -> None:
        slowed(server.lane(), 0.05)
        asked = asyncio.create_task(server.ask("/predict/tiny_rows", b'{"inputs": [3]}'))
        while not entered:
            await asyncio.sleep(0.005)
        others = [asyncio.create_task(server.ask("/predict/tiny_rows", b'{"inputs": [2]}')) for _ in range(8)]
        try:
            status, _, answer = await asyncio.wait_for(asked, 9)
        finally:
            gate.set()
        assert (status, answer["predictions"]) == (200, [{"result": [9.0]}])
        assert [other[0] for other in await asyncio.gather(*others)] == [200] * 8

    direct(test, timeout_ms=30_000)
