"""Requests to models that take texts: strings, one or many; never a path, never a number."""

from pathlib import Path

import pytest

from edge.contract import Contract, Graph, Metric, Step, Tensor
from edge.errors import InputError, UnsupportedMediaError
from serving.bodies import Body
from serving.inputs import values

GRAPH = Graph("main", (Tensor("ids", "int32", ("batch", 4), "NL"),), (Tensor("logits", "float32", ("batch", 2), "NC"),))
CONTRACT = Contract(1, "a_text", "1.0.0", "text", (GRAPH,), Metric("accuracy", "higher", None), preprocess=(Step("tokenize", length=4),))


def ask(content, kind="application/json"):
    return values(Body(content, kind, kind), CONTRACT, 8)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b'{"inputs": "a text"}', ["a text"], id="one"),
        pytest.param(b'{"inputs": ["a", "b"]}', ["a", "b"], id="a batch"),
        pytest.param(b'{"instances": ["a", "b"]}', ["a", "b"], id="instances"),
        pytest.param(b'{"inputs": "/etc/passwd"}', ["/etc/passwd"], id="what looks like a path stays a text"),
    ],
)
def test_texts_are_taken(content, expected):
    found = ask(content)
    assert found == expected
    assert not any(isinstance(value, Path) for value in found)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b'{"inputs": 3}', "inputs is 3, expected a text", id="a number"),
        pytest.param(b'{"inputs": ["a", 3]}', r"inputs\[1\] is 3, expected a text", id="a number in a batch"),
        pytest.param(b'{"instances": [["a"]]}', r"instances\[0\] is \['a'\], expected a text", id="a list in a list"),
        pytest.param(b'{"inputs": []}', "there is no input", id="none"),
    ],
)
def test_what_is_no_text_is_refused(content, message):
    with pytest.raises(InputError, match=message):
        ask(content)


def test_a_picture_is_refused():
    with pytest.raises(UnsupportedMediaError):
        ask(b"\x89PNG", "image/png")
