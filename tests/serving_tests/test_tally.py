"""Counts in bulk are those one by one."""

from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram

from serving.metrics import Metrics
from serving.tally import MOST_ROWS, Tally


@pytest.fixture
def metrics() -> Any:
    registry = CollectorRegistry()
    made = {
        "requests": Counter("requests", "r", ("model", "version", "route", "code"), registry=registry),
        "errors": Counter("errors", "e", ("model", "version", "route", "reason"), registry=registry),
        "stages": Histogram("stages", "s", ("model", "version", "stage"), buckets=(0.25, 0.5, 1), registry=registry),
        "batches": Histogram("batches", "b", ("model", "version"), buckets=(1, 2, 4), registry=registry),
    }
    return registry, made


def test_a_histogram_in_bulk_is_one_that_observed_each(metrics: Any) -> None:
    registry, made = metrics
    tally = Tally(**made)
    values = [0.0, 0.25, 0.250001, 0.5, 0.7, 1.0, 1.5, 9.0]  # on the bounds, between and beyond them
    other = CollectorRegistry()
    single = Histogram("stages", "s", ("model", "version", "stage"), buckets=(0.25, 0.5, 1), registry=other)
    for value in values:
        tally.stages("m", "1", 2, {"queue": value})
        single.labels("m", "1", "queue").observe(value)
    tally.carry()
    labels = {"model": "m", "version": "1", "stage": "queue"}
    for name in ("stages_bucket", "stages_count", "stages_sum"):
        for bound in ("0.25", "0.5", "1.0", "+Inf") if name == "stages_bucket" else (None,):
            asked = labels if bound is None else {**labels, "le": bound}
            assert registry.get_sample_value(name, asked) == pytest.approx(other.get_sample_value(name, asked)), (name, bound)
    assert registry.get_sample_value("batches_sum", {"model": "m", "version": "1"}) == 2 * len(values)


def test_counts_are_carried_over_once(metrics: Any) -> None:
    registry, made = metrics
    tally = Tally(**made)
    for _ in range(3):
        tally.request("m", "1", "/infer", 200)
    tally.error("m", "1", "/infer", "queue_full")
    for _ in range(2):
        tally.carry()
    labels = {"model": "m", "version": "1", "route": "/infer"}
    assert registry.get_sample_value("requests_total", {**labels, "code": "200"}) == 3
    assert registry.get_sample_value("errors_total", {**labels, "reason": "queue_full"}) == 1


def test_memory_is_bounded(metrics: Any) -> None:
    registry, made = metrics
    tally = Tally(**made)
    for value in np.linspace(0, 1, 3 * MOST_ROWS + 5):
        tally.stages("m", "1", 0, {"total": float(value)})
    assert len(tally._rows) == 5
    assert registry.get_sample_value("stages_count", {"model": "m", "version": "1", "stage": "total"}) == 3 * MOST_ROWS
    assert registry.get_sample_value("batches_count", {"model": "m", "version": "1"}) is None, "no batch, nothing to count"


def test_reading_the_metrics_leaves_the_counting_to_the_event_loop() -> None:
    """They are read on threads, and two that carried at once would count twice."""
    metrics = Metrics()
    metrics.request("m", "1", "/infer", 200)
    labels = 'tandem_requests_total{code="200",model="m",route="/infer",version="1"}'
    assert labels not in metrics.exposition().decode()
    metrics.carry()
    assert f"{labels} 1.0" in metrics.exposition().decode()
