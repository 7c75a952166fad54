"""`tandem run` on files for models without a step that reads them: the numbers of a .npy file; a path for all others."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from edge.commands.run import _input
from edge.contract import Contract, Graph, Metric, Step, Tensor
from edge.errors import InputError

GRAPH = Graph("main", (Tensor("point", "float32", ("batch", 2), "NC"),), (Tensor("logits", "float32", ("batch", 2), "NC"),))


def model(*steps):
    return SimpleNamespace(contract=Contract(1, "a", "1.0.0", "points", (GRAPH,), Metric("accuracy", "higher", None), preprocess=steps))


def test_numbers_come_in_the_dtype_of_the_contract(tmp_path):
    np.save(tmp_path / "point.npy", np.array([1.5, 2.0]))
    found = _input(model(), tmp_path / "point.npy")
    assert found.dtype == np.float32
    assert found.tolist() == [1.5, 2.0]


def test_a_path_stays_one_where_a_step_reads_it():
    assert _input(model(Step("read_bars")), Path("days.csv")) == Path("days.csv")


@pytest.mark.parametrize(
    "content",
    [pytest.param(b"1,2", id="no array"), pytest.param(b"\x93NUMPY", id="a broken array"), pytest.param(None, id="no file")],
)
def test_other_files_are_refused_in_words(tmp_path, content):
    if content is not None:
        (tmp_path / "point.npy").write_bytes(content)
    with pytest.raises(InputError, match=r"point.npy: cannot be read as float32 .*; write it with numpy.save"):
        _input(model(), tmp_path / "point.npy")


def test_words_are_no_numbers(tmp_path):
    np.save(tmp_path / "point.npy", np.array(["a", "b"]))
    with pytest.raises(InputError, match="cannot be read as float32"):
        _input(model(), tmp_path / "point.npy")
