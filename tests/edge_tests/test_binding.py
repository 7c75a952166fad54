"""I/O binding on the CPU: the path that a GPU takes gives the answers that the plain one gives, batch by batch."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from edge.model import Model
from edge.runtimes.binding import MOST_KEPT, Binding, bucket, pinned
from edge.runtimes.onnx import OnnxRuntime
from tests.edge_tests.step_models import WIDTH, step, write_writer


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    """A model of two inputs and two outputs, opened."""
    with Model.open(write_writer(tmp_path_factory.mktemp("binding"))) as model:
        yield model


def inputs(count: int, seed: int = 0) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    memory = random.normal(size=(count, WIDTH)).astype(np.float32)
    return {"token": random.integers(0, 9, count).astype(np.int32), "memory": memory}


@pytest.mark.parametrize(("count", "size"), [(1, 1), (2, 2), (3, 4), (32, 32), (33, 64), (256, 256), (257, 257)])
def test_batches_are_filled_up_to_a_bucket(count: int, size: int) -> None:
    assert bucket(count) == size


def test_bound_runs_give_what_plain_runs_give(writer: Model) -> None:
    runtime = writer.runtime
    assert isinstance(runtime, OnnxRuntime)
    plain = {count: writer.run(inputs(count, count)) for count in (1, 3, 4, 7, 2, 300)}
    runtime.bind(onnxruntime)
    kept = {count: writer.run(inputs(count, count)) for count in plain}
    for count, answers in plain.items():
        for name, array in answers.items():
            assert kept[count][name].shape == array.shape
            assert np.allclose(kept[count][name], array, atol=1e-6), "an answer was overwritten by a later run, or padding shows"
            assert np.allclose(array, step(inputs(count, count))[name], atol=1e-5)


def test_callers_on_several_threads_keep_their_own_answers(writer: Model) -> None:
    writer.runtime.bind(onnxruntime)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda seed: writer.run(inputs(1 + seed % 3, seed))["scores"], range(60)))
    for seed, scores in enumerate(found):
        assert np.allclose(scores, step(inputs(1 + seed % 3, seed))["scores"], atol=1e-5)


def test_a_file_for_one_sample_is_not_filled_up(writer: Model) -> None:
    bound = Binding(onnxruntime, writer.runtime._session, "CPUExecutionProvider", padded=False)
    answer = bound.run(["scores"], inputs(3))
    assert answer[0].shape == (3, 9)
    assert [key[0] for key in bound._kept] == [3]


def test_the_buffers_that_are_kept_are_bounded(writer: Model) -> None:
    bound = Binding(onnxruntime, writer.runtime._session, "CPUExecutionProvider", padded=False)
    for count in range(1, MOST_KEPT + 10):
        bound.run(["scores"], inputs(count))
    assert len(bound._kept) == MOST_KEPT
    assert MOST_KEPT + 9 in [key[0] for key in bound._kept]


def test_memory_that_both_sides_reach_is_found_where_there_is_some() -> None:
    def device(name: str, info: Any) -> Any:
        return SimpleNamespace(ep_name=name, memory_info=lambda _: info)

    devices = [device("CPUExecutionProvider", "wrong"), device("CUDAExecutionProvider", None), device("CUDAExecutionProvider", "pinned")]
    playing = SimpleNamespace(get_ep_devices=lambda: devices)
    assert pinned(playing, "CUDAExecutionProvider") == "pinned"
    assert pinned(playing, "OtherExecutionProvider") is None
    assert pinned(SimpleNamespace(), "CUDAExecutionProvider") is None
    assert pinned(onnxruntime, "CPUExecutionProvider") is None
