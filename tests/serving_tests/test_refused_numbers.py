"""The HTTP border: predictions from JSON that is malformed, or fits no input of the model, are a 4xx that says what was expected."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edge.contract import Contract, Graph, Metric, Tensor
from edge.errors import InputError
from serving import inputs
from serving.bodies import Body

DIGITS = "/predict/tiny_digits"
JSON = {"content-type": "application/json"}


REFUSED: list[tuple[str, str, str, dict[str, Any], int, str]] = [
    ("predict: empty", "POST", DIGITS, {"content": b"", "headers": JSON}, 400, "the body is empty"),
    (
        "predict: text",
        "POST",
        DIGITS,
        {"content": b"x", "headers": {"content-type": "text/plain"}},
        415,
        "'text/plain', expected one of application/json, multipart/form-data",
    ),
    ("predict: a url-encoded form", "POST", DIGITS, {"data": {"image": "x"}}, 415, "'application/x-www-form-urlencoded'"),
    ("predict: a list", "POST", DIGITS, {"json": [1]}, 400, '"inputs" (one or a batch) or "instances"'),
    ("predict: empty object", "POST", DIGITS, {"json": {}}, 400, "the body is [], expected an object"),
    ("predict: misspelt", "POST", DIGITS, {"json": {"input": [1]}}, 400, "the body is ['input'], expected an object"),
    ("predict: both", "POST", DIGITS, {"json": {"inputs": [], "instances": []}}, 400, "and nothing else"),
    ("predict: inputs null", "POST", DIGITS, {"json": {"inputs": None}}, 400, "inputs is None, expected a list of numbers"),
    (
        "predict: a path as input",
        "POST",
        DIGITS,
        {"json": {"inputs": "/etc/passwd"}},
        400,
        "inputs is '/etc/passwd', expected a list of numbers",
    ),
    (
        "predict: paths as instances",
        "POST",
        DIGITS,
        {"json": {"instances": ["/etc/passwd"]}},
        400,
        "instances[0] is '/etc/passwd', expected a list",
    ),
    ("predict: no inputs", "POST", DIGITS, {"json": {"instances": []}}, 400, "there is no input"),
    ("predict: instances an object", "POST", DIGITS, {"json": {"instances": {}}}, 400, "instances is {}, expected a list of inputs"),
    ("predict: rank 1", "POST", DIGITS, {"json": {"inputs": [1, 2, 3]}}, 400, "nested as [3], expected a picture [height][width]"),
    ("predict: rank 5", "POST", DIGITS, {"json": {"inputs": [[[[[1]]]]]}}, 400, "nested more than 4 deep"),
    (
        "predict: instance of rank 1",
        "POST",
        DIGITS,
        {"json": {"instances": [[1, 2]]}},
        400,
        "instances[0] is nested as [2], expected a picture",
    ),
    ("predict: instance of rank 4", "POST", DIGITS, {"json": {"instances": [[[[[1]]]]]}}, 400, "nested more than 3 deep"),
    ("predict: two channels", "POST", DIGITS, {"json": {"inputs": [[[1, 2]]]}}, 400, "shape (1, 1, 2)"),
    ("predict: no pixels", "POST", DIGITS, {"json": {"inputs": [[]]}}, 400, "shape (1, 0, 1)"),
    ("predict: floats", "POST", DIGITS, {"json": {"inputs": [[0.5]]}}, 400, "holds 0.5, expected whole numbers"),
    ("predict: beyond 255", "POST", DIGITS, {"json": {"inputs": [[256]]}}, 400, "holds 256, expected uint8"),
    ("predict: NaN", "POST", DIGITS, {"content": b'{"inputs": [[NaN]]}', "headers": JSON}, 400, "NaN, expected finite"),
    ("predict: ragged", "POST", DIGITS, {"json": {"inputs": [[1, 2], [3]]}}, 400, "ragged"),
    ("predict: unknown tensor", "POST", DIGITS, {"json": {"inputs": {"x": [1]}}}, 400, "inputs has 'x', expected image"),
    (
        "predict: row of another shape",
        "POST",
        DIGITS,
        {"json": {"inputs": {"image": [[[1]]]}}},
        400,
        "is uint8 (1, 1, 1), expected uint8 (28, 28, 1)",
    ),
    ("predict: too many", "POST", "/predict/tiny_rows", {"json": {"inputs": [[1]] * 9}}, 400, "9 inputs came, expected at most 8"),
    ("predict: none is read of too many", "POST", "/predict/tiny_rows", {"json": {"instances": ["x"] * 9}}, 400, "9 inputs came, expected"),
    (
        "predict: lengths that differ",
        "POST",
        "/predict/tiny_rows",
        {"json": {"instances": [[1], [1, 2]]}},
        400,
        "input 'x' comes in shapes [(1,), (2,)]",
    ),
    (
        "predict: float overflow",
        "POST",
        "/predict/tiny_rows",
        {"json": {"inputs": [3e38]}},
        400,
        "output 'y' is NaN or infinite for these inputs",
    ),
    ("predict: lists for two inputs", "POST", "/predict/tiny_pairs", {"json": {"inputs": [1]}}, 400, "one row for each of ids, mask"),
    ("predict: an input missing", "POST", "/predict/tiny_pairs", {"json": {"inputs": {"ids": [1]}}}, 400, "input 'mask' is missing"),
    (
        "predict: out of range",
        "POST",
        "/predict/tiny_pairs",
        {"json": {"inputs": {"ids": [100], "mask": [True]}}},
        400,
        "inputs.ids holds 100, expected values from 0 to 99",
    ),
    (
        "predict: lengths within one",
        "POST",
        "/predict/tiny_pairs",
        {"json": {"inputs": {"ids": [1, 2], "mask": [True]}}},
        400,
        "length is 1 in 'mask' and 2 in 'ids'",
    ),
    ("predict: rank of a row", "POST", "/predict/tiny_rows", {"json": {"inputs": [[[1]]]}}, 400, "nested more than 2 deep"),
]


@pytest.mark.parametrize(("method", "path", "sent", "code", "words"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_is_malformed_is_refused_with_words(
    check_refusal: Callable[..., None], method: str, path: str, sent: dict[str, Any], code: int, words: str
) -> None:
    check_refusal(method, path, sent, code, words)


def test_rows_of_any_rank_can_be_written_in_json() -> None:
    def contract(*shape: int | str) -> Contract:
        tensor = Tensor("x", "float32", ("batch", *shape), "N", (0, 10))
        return Contract(1, "net", "1.0.0", "test", (Graph("main", (tensor,), (tensor,)),), Metric("accuracy", "higher", None))

    def shapes(document: Any, *shape: int | str) -> list[tuple[int, ...]]:
        body = Body(json.dumps(document).encode(), "application/json", "application/json")
        return [np.shape(value) for value in inputs.values(body, contract(*shape), 8)]

    assert shapes({"inputs": [[1, 2], [3, 4]]}, 2, 2) == [(2, 2)]
    assert shapes({"inputs": [[[1, 2], [3, 4]]] * 3}, 2, 2) == [(2, 2)] * 3
    assert shapes({"inputs": [1, 2, 3]}) == [()] * 3
    refused = ({"inputs": [1]}, r"nested as \[1\], expected a row shaped \[2, 2\]"), ({"instances": [[1]]}, r"instances\[0\] is nested")
    for document, words in refused:
        with pytest.raises(InputError, match=words):
            shapes(document, 2, 2)
    with pytest.raises(InputError, match="inputs holds 11.0, expected values from 0 to 10"):
        shapes({"inputs": [1, 11]})
