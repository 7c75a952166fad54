"""Requests to models that take a JSON object of their own, or a table of daily prices."""

import numpy as np
import pytest

from edge.contract import Contract, Graph, Metric, Step, Tensor
from edge.errors import InputError, UnsupportedMediaError
from serving.bodies import Body
from serving.inputs import accepted_types, values

JSON, CSV = "application/json", "text/csv"


def contract(tensor, *steps):
    graph = Graph("main", (tensor,), (Tensor("answer", "float32", ("batch", 1), "NC"),))
    return Contract(1, "a_model", "1.0.0", "a task", (graph,), Metric("mape", "lower", None), preprocess=steps)


FILMS = contract(Tensor("ratings", "uint8", ("batch", 3), "NC"), Step("read_json"), Step("rate"))
STOCK = contract(Tensor("bars", "float32", ("batch", 2, 5), "NLC", (0.0, 1e15)), Step("read_bars", days=2))
DAY = "[1, 2, 3, 4, 5]"


def ask(promise, content, kind=JSON):
    return values(Body(content, kind, kind), promise, 2)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b'{"user": 42, "n": 3}', [{"user": 42, "n": 3}], id="a question as it stands"),
        pytest.param(b'{"inputs": {"user": 42}}', [{"user": 42}], id="under inputs"),
        pytest.param(b'{"instances": [{"user": 1}, {"user": 2}]}', [{"user": 1}, {"user": 2}], id="two"),
    ],
)
def test_questions_are_taken_as_they_are(content, expected):
    assert ask(FILMS, content) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"[42]", "the question is 42, expected an object", id="a list of numbers"),
        pytest.param(b'{"instances": {"user": 1}}', "instances is .*, expected a list of objects", id="instances is no list"),
        pytest.param(b'{"instances": []}', "there is no input", id="none"),
        pytest.param(b'[{"user": 1}, {"user": 2}, {"user": 3}]', "3 inputs came, expected at most 2", id="too many"),
        pytest.param(b'{"user": NaN}', "NaN", id="not a number"),
    ],
)
def test_other_questions_are_refused(content, message):
    with pytest.raises(InputError, match=message):
        ask(FILMS, content)


def test_tables_go_on_as_text_and_numbers_as_arrays():
    assert accepted_types(STOCK) == (JSON, CSV)
    assert ask(STOCK, "日期,開盤價\n".encode("cp950"), CSV) == ["日期,開盤價\n"]
    [row] = ask(STOCK, f'{{"inputs": [{DAY}, {DAY}]}}'.encode())
    assert row.dtype == np.float32
    assert row.shape == (2, 5)
    assert len(ask(STOCK, f'{{"instances": [[{DAY}, {DAY}], [{DAY}, {DAY}]]}}'.encode())) == 2


@pytest.mark.parametrize(
    ("content", "kind", "error", "message"),
    [
        pytest.param(b"\xff\xfe\xff", CSV, InputError, "text of no encoding", id="no text"),
        pytest.param(b'{"inputs": [[1, "a", 3, 4, 5]]}', JSON, InputError, "holds 'a', expected numbers", id="a word"),
        pytest.param(b'{"inputs": [[1e99, 2, 3, 4, 5]]}', JSON, InputError, "beyond float32", id="a huge number"),
        pytest.param(b'{"inputs": [[-1, 2, 3, 4, 5]]}', JSON, InputError, "-1", id="a negative number"),
        pytest.param(b'{"inputs": [[1, 2], [1]]}', JSON, InputError, "ragged", id="ragged"),
        pytest.param(b"1,2", "text/plain", UnsupportedMediaError, "expected application/json, text/csv", id="another type"),
    ],
)
def test_other_tables_are_refused(content, kind, error, message):
    with pytest.raises(error, match=message):
        ask(STOCK, content, kind)
