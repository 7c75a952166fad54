"""Batches: how long they take, which size pays, and one bad request in a batch, which spoils no other."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from edge.errors import InputError
from serving.batching import Job, run_jobs
from serving.latency import best, measure

Array = np.ndarray[Any, Any]


def double(inputs: Mapping[str, Array]) -> dict[str, Array]:
    return {"y": inputs["x"] * 2}


def job(*values: float) -> Job:
    return Job({"x": np.array(values, np.float32)[:, None]}, len(values), 9, lambda outcome: None)


@pytest.mark.parametrize("bad", [{0}, {31}, {3, 17, 18}, set(range(32))], ids=["first", "last", "three", "all"])
def test_one_bad_request_in_a_batch_spoils_no_other(bad: set[int]) -> None:
    runs: dict[int, int] = dict.fromkeys(range(32), 0)

    def run(inputs: Mapping[str, Array]) -> dict[str, Array]:
        found = {int(value) for value in inputs["x"][:, 0]}
        for i in found:
            runs[i] += 1
        if found & bad:
            raise InputError("poison")
        return double(inputs)

    answers = run_jobs(run, [job(i) for i in range(32)])
    assert {i for i, answer in enumerate(answers) if isinstance(answer, InputError)} == bad
    assert [answer["y"].tolist() for i, answer in enumerate(answers) if i not in bad] == [[[2.0 * i]] for i in range(32) if i not in bad]
    assert max(runs.values()) <= 1 + math.log2(32)


def test_outputs_without_a_row_for_each_sample_are_an_error_of_the_model() -> None:
    [answer] = run_jobs(lambda inputs: {"y": np.zeros((3, 1))}, [job(1, 2)])
    assert "output 'y' has 3 rows for 2 samples" in str(answer)


@pytest.mark.parametrize(
    ("seconds", "limit"),
    [((1, 1, 1, 1), 8), ((1, 2, 4, 8), 1), ((1, 1.9, 3.7, 7.3), 1), ((1, 1.2, 2.35, 4.6), 2), ((1, 3, 2, 2), 8)],
    ids=["free", "no gain", "too little", "two are nearly the best", "one size is slow"],
)
def test_batching_is_used_where_it_pays(seconds: tuple[float, ...], limit: int) -> None:
    assert best((1, 2, 4, 8), seconds) == limit


def test_the_latency_is_measured_interpolated_and_corrected() -> None:
    times = iter([value for count in (1, 2, 4) for _ in range(7) for value in (0.0, 0.001 + 0.0001 * count)])
    sizes = []
    latency = measure(lambda inputs: sizes.append(len(inputs["x"])) or {}, {"x": np.zeros((1, 3))}, 5, lambda: next(times), 100)
    assert (latency.sizes, set(sizes), latency.limit) == ((1, 2, 4), {1, 2, 4}, 4)
    assert latency.predict(3) == pytest.approx(0.0013)
    assert latency.predict(8) == pytest.approx(0.0028)
    assert latency.gain == pytest.approx(0.0011 * 4 / 0.0014)
    for _ in range(200):
        latency.observe(3, 0.0026)
    assert latency.predict(1) == pytest.approx(0.0022, rel=0.01)
    latency.observe(1, 1e6)
    assert latency.predict(1) < 0.004


def test_sizes_that_take_long_are_not_tried() -> None:
    times = iter(np.arange(100) * 0.06)
    assert measure(lambda inputs: {}, {"x": np.zeros((1, 3))}, 64, lambda: float(next(times))).sizes == (1,)


def test_a_file_made_for_one_sample_is_not_batched() -> None:
    def run(inputs: Mapping[str, Array]) -> dict[str, Array]:
        if len(inputs["x"]) > 1:
            raise InputError("one at a time")
        return double(inputs)

    assert measure(run, {"x": np.zeros((1, 3))}, 8).sizes == (1,)
    with pytest.raises(InputError, match="one at a time"):
        measure(run, {"x": np.zeros((2, 3))}, 8)
