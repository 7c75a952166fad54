"""Pickles of plain data are read, and a hostile one is refused without anything of it being run."""

import os
import pickle
import subprocess
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.errors import InputError
from training.data import plain_pickle

ROWS = np.arange(24, dtype=np.uint8).reshape(4, 6)


class Runs:
    """Runs a function when it is unpickled."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.way = (function, arguments)

    def __reduce__(self) -> Any:
        return self.way


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_data_come_back(protocol: int) -> None:
    batch = {b"data": ROWS, b"labels": [1, 2, 3, 4], "names": ["a", b"b"], "none": None, "share": 0.5}
    read = plain_pickle.loads(pickle.dumps(batch, protocol), "batch")
    np.testing.assert_array_equal(read.pop(b"data"), ROWS)
    assert read == {key: value for key, value in batch.items() if key != b"data"}


def test_a_pickle_of_python_2_comes_back() -> None:
    head = b"\x80\x02}q\x00(U\x06labelsq\x01]q\x02(K\x06K\te"
    array = (
        b"U\x04dataq\x03cnumpy.core.multiarray\n_reconstruct\nq\x04cnumpy\nndarray\nq\x05K\x00\x85q\x06U\x01bq\x07\x87q\x08Rq\t"
        b"(K\x01K\x01K\x02\x86q\ncnumpy\ndtype\nq\x0bU\x02u1q\x0cK\x00K\x01\x87q\rRq\x0e(K\x03U\x01|q\x0fNNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK\x00tq\x10b\x89U\x02\x07\xffq\x11tq\x12bu."
    )
    read = plain_pickle.loads(head + array, "data_batch_1")
    assert read[b"labels"] == [6, 9]
    assert read[b"data"].tolist() == [[7, 255]]


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(Runs(os.system, "touch {made}"), id="a command"),
        pytest.param(Runs(subprocess.call, ["touch", "{made}"]), id="a process"),
        pytest.param(Runs(eval, "open('{made}', 'w')"), id="an expression"),
        pytest.param(Runs(getattr, [], "append"), id="an attribute"),
        pytest.param(OrderedDict(a=1), id="a class of the standard library"),
        pytest.param(np.array([{}], object), id="an array of objects"),
        pytest.param(np.zeros(3, np.float32), id="an array of other numbers"),
        pytest.param(Runs(np.load, "{made}"), id="another function of numpy"),
    ],
)
def test_a_hostile_pickle_is_refused_and_not_run(hostile: Any, tmp_path: Path) -> None:
    made = tmp_path / "made"
    with pytest.raises(InputError, match="batch: not a pickle of plain data .*nothing of it was run"):
        plain_pickle.loads(pickle.dumps({b"data": hostile}, 2).replace(b"{made}", os.fsencode(made)), "batch")
    assert not made.exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", pickle.dumps(ROWS)[:-9], b"\x80\x02cnumpy\nndarray\n(J\xff\xff\xff\x7ftR."],
    ids=["empty", "no pickle", "cut", "huge"],
)
def test_what_is_damaged_is_told(content: bytes) -> None:
    with pytest.raises(InputError, match="not a pickle of plain data"):
        plain_pickle.loads(content, "batch")
