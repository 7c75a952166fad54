"""Models that come and go while requests run: nothing accepted is lost, and the metrics say what is served."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.errors import TandemError
from edge.model import Model
from edge.protocol import encode_request
from serving import path, registry
from serving.latency import Latency
from serving.metrics import Metrics
from serving.registry import Registry
from serving.settings import Settings

ROWS = "/v2/models/tiny_rows/infer"
BODY = encode_request({"x": np.ones((1, 1), np.float32)}, binary=False).body
OLD = 'model="tiny_digits",version="1.0.0"'


def slowed(lane: Any, seconds: float) -> None:
    """Let each run of a queue take so long, on a thread, one request at a time."""
    true = lane.run

    def run(inputs: Any) -> Any:
        time.sleep(seconds)
        return true(inputs)

    lane.run, lane.latency = run, Latency((1,), (seconds,))


def test_what_waits_longer_than_a_server_may_drain_is_answered(direct: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(path, "DRAIN_S", 0.01)

    async def test(server: Any) -> None:
        slowed(server.lane(), 0.1)
        asked = [asyncio.create_task(server.ask(ROWS, BODY)) for _ in range(3)]
        await asyncio.sleep(0.02)
        await server.app.inference.retire("tiny_rows", "1.0.0")
        assert [answer[0] for answer in await asyncio.wait_for(asyncio.gather(*asked), 5)] == [200] * 3
        assert server.app.inference.scheduler.lanes == []

    direct(test)


def test_a_model_may_be_loaded_again_while_it_is_being_unloaded(direct: Any) -> None:
    async def test(server: Any) -> None:
        inference, models = server.app.inference, server.app.inference.border.registry
        slowed(server.lane(), 0.1)
        asked = [asyncio.create_task(server.ask(ROWS, BODY)) for _ in range(3)]
        await asyncio.sleep(0.02)
        models.remove("tiny_rows")
        unloading = asyncio.create_task(inference.retire("tiny_rows", "1.0.0"))
        await asyncio.to_thread(models.reload, "tiny_rows")
        assert (await server.ask(ROWS, BODY))[0] == 200
        assert len(inference.scheduler.lanes) == 2
        await unloading
        assert [answer[0] for answer in await asyncio.gather(*asked)] == [200] * 3
        await asyncio.gather(*inference._ending)
        assert inference.scheduler.lanes == [server.lane()]
        assert (await server.ask(ROWS, BODY))[0] == 200

    direct(test)


@pytest.fixture
def digits(tmp_path: Path, digits_writer: Callable[..., Path]) -> Path:
    digits_writer(tmp_path)
    return tmp_path


def loaded(bundles: Path) -> tuple[Registry, Metrics]:
    metrics = Metrics()
    models = Registry(Settings(bundles, device="cpu"), metrics)
    models.load()
    return models, metrics


def test_a_version_that_was_replaced_is_not_said_to_answer(digits: Path, digits_writer: Callable[..., Path]) -> None:
    models, metrics = loaded(digits)
    digits_writer(digits, version="1.1.0")
    models.reload("tiny_digits")
    told = metrics.exposition().decode()
    assert f"tandem_model_ready{{{OLD}}} 0.0" in told
    assert 'tandem_model_device{asked="cpu",model="tiny_digits",taken="cpu",version="1.0.0"} 0.0' in told
    assert f"tandem_model_ready{{{OLD.replace('1.0.0', '1.1.0')}}} 1.0" in told
    assert 'tandem_model_device{asked="cpu",model="tiny_digits",taken="cpu",version="1.1.0"} 1.0' in told


def test_a_version_that_serves_on_is_not_said_to_fail(digits: Path) -> None:
    models, metrics = loaded(digits)
    (digits / "tiny_digits" / "1.0.0" / "extra.txt").write_text("?")
    with pytest.raises(TandemError, match="was not loaded"):
        models.reload("tiny_digits")
    assert models.ready
    assert f"tandem_model_ready{{{OLD}}} 1.0" in metrics.exposition().decode()


def test_what_is_unloaded_while_it_loads_is_not_said_to_answer(digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = Metrics()
    models, true_open = Registry(Settings(digits, device="cpu"), metrics), Model.open

    def opened(path: Path, **options: Any) -> Model:
        models.remove("tiny_digits")
        return true_open(path, **options)

    monkeypatch.setattr(registry.Model, "open", opened)
    models.load()
    assert models.entries == []
    assert f"tandem_model_ready{{{OLD}}} 0.0" in metrics.exposition().decode()


def test_a_server_that_stops_while_models_load_waits_for_one_of_them(tiny_bundles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models, true_open = Registry(Settings(tiny_bundles, device="cpu"), Metrics()), Model.open

    def opened(path: Path, **options: Any) -> Model:
        models.stop()
        return true_open(path, **options)

    monkeypatch.setattr(registry.Model, "open", opened)
    models.load()
    assert [entry.state for entry in models.entries] == ["READY", "LOADING", "LOADING"]
