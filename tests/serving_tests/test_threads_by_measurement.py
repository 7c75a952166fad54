"""Processor threads that are chosen by measurement: tried where a model is slow, kept where they are much quicker, and told."""

from pathlib import Path
from typing import Any

import pytest

from serving import registry as module
from serving.latency import Latency
from serving.metrics import Metrics
from serving.registry import Registry
from serving.settings import Settings


def loaded(bundles: Path, monkeypatch: pytest.MonkeyPatch, seconds: dict[int, float], **options: Any) -> tuple[Registry, list[int]]:
    """Load one model whose time for a sample depends on its threads; gives the threads that were tried."""
    tried: list[int] = []
    plain = module.Model.open

    def opened(path: Path, **given: Any) -> Any:
        tried.append(given["threads"])
        return plain(path, **given)

    monkeypatch.setattr(module.Model, "open", opened)
    monkeypatch.setattr(module, "measure", lambda *_: Latency((1,), (seconds[tried[-1]],)))
    monkeypatch.setattr(module, "processors", lambda: 4)
    registry = Registry(Settings(bundles, device="cpu", models=("tiny_rows",), **options), Metrics())
    registry.load()
    return registry, tried


@pytest.mark.parametrize(
    ("seconds", "options", "tried", "taken"),
    [
        pytest.param({1: 0.01, 4: 0.004}, {"threads": 0}, [1, 4], 4, id="much quicker"),
        pytest.param({1: 0.01, 4: 0.009}, {"threads": 0}, [1, 4], 1, id="little gain"),
        pytest.param({1: 0.001}, {"threads": 0}, [1], 1, id="quick anyway"),
        pytest.param({1: 0.01, 2: 0.005}, {"threads": 0, "workers": 2}, [1, 2], 2, id="shared among workers"),
        pytest.param({1: 0.01}, {"threads": 0, "workers": 4}, [1], 1, id="one processor each"),
        pytest.param({3: 0.01}, {"threads": 3}, [3], 3, id="as was said"),
    ],
)
def test_threads_are_tried_and_kept_where_they_pay(
    tiny_bundles: Path,
    monkeypatch: pytest.MonkeyPatch,
    seconds: dict[int, float],
    options: dict[str, int],
    tried: list[int],
    taken: int,
) -> None:
    registry, found = loaded(tiny_bundles, monkeypatch, seconds, **options)
    [entry] = registry.entries
    assert (found, entry.threads, entry.latency.predict(1)) == (tried, taken, seconds[taken])
    labels = (("model", "tiny_rows"), ("version", "1.0.0"))
    assert registry._metrics.sums()["tandem_model_threads", labels] == taken


def test_auto_is_a_word_of_the_setting() -> None:
    assert Settings.from_environment({"TANDEM_THREADS": "auto"}).threads == 0
    assert Settings.from_environment({}).threads == 1
