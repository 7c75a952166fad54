"""Predictions from plain text and from rows separated by commas: one input or many, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from edge.contract import Contract, Graph, Metric, Step, Tensor
from edge.errors import InputError, UnsupportedMediaError
from serving import inputs
from serving.bodies import Body

CSV = {"content-type": "text/csv"}
ROWS = "/predict/tiny_rows"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("1,2,3", [[1, 4, 9]]),
        ("1,2\n3,4\n", [[1, 4], [9, 16]]),
        ("\ufeff1, 2\r\n\r\n 3 ,4\r\n", [[1, 4], [9, 16]]),
        ('"1","2"', [[1, 4]]),
        ("-1,.5,1.,+2e1", [[1, 0.25, 1, 400]]),
    ],
    ids=["one row", "two rows", "byte order mark, blanks and an empty line", "quotes", "forms of numbers"],
)
def test_rows_are_inputs(client: TestClient, content: str, expected: Any) -> None:
    response = client.post(ROWS, content=content.encode(), headers={"content-type": "text/csv; charset=utf-8"})
    assert [prediction["result"] for prediction in response.json()["predictions"]] == expected


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (b"", 400, "there is no input"),
        (b"a,b\n1,2", 400, "row 1, column 1 is 'a', expected a number; leave a header line out"),
        (b"1,2\n1,nan", 400, "row 2, column 2 is 'nan'"),
        (b"1_000", 400, "row 1, column 1 is '1_000'"),
        (b"1,,2", 400, "row 1, column 2 is ''"),
        (b"1e39", 400, "beyond float32"),
        (b"1,2\n3", 400, "input 'x' comes in shapes"),
        (b"\xff", 400, "not UTF-8 at byte 0"),
        (b'"1', 400, "the body is no CSV"),
        (b"1\n" * 9, 400, "more than 8 inputs came, expected at most that"),
        (b"1\n" * 8 + b"never read\n", 400, "more than 8 inputs came, expected at most that"),
    ],
)
def test_what_is_no_row_is_refused(check_refusal: Callable[..., None], content: bytes, code: int, words: str) -> None:
    check_refusal("POST", ROWS, {"content": content, "headers": CSV}, code, words)


def test_rows_are_for_models_of_one_row_of_numbers(check_refusal: Callable[..., None]) -> None:
    for model, accepted in (("tiny_digits", "one of application/json, multipart/form-data"), ("tiny_pairs", "application/json")):
        check_refusal("POST", f"/predict/{model}", {"content": b"1", "headers": CSV}, 415, f"'text/csv', expected {accepted}")


def contract(*steps: Step) -> Contract:
    ids = Tensor("ids", "int32", ("batch", 4), "NL", (0, 99))
    return Contract(1, "net", "1.0.0", "test", (Graph("main", (ids,), (ids,)),), Metric("accuracy", "higher", None), preprocess=steps)


def values(content: bytes, kind: str, promise: Contract) -> list[Any]:
    return inputs.values(Body(content, kind, kind), promise, 8)


def test_text_goes_to_models_that_take_texts(tmp_path: Path) -> None:
    taking = contract(Step("tokenize", length=4))
    assert values("naïve café".encode(), "text/plain", taking) == ["naïve café"]
    assert values(b'{"inputs": ["a", "b"]}', "application/json", taking) == ["a", "b"]
    assert inputs.accepted_types(taking) == ("application/json", "text/plain")
    with pytest.raises(InputError, match="not UTF-8 at byte 1"):
        values(b"a\xff", "text/plain", taking)
    with pytest.raises(UnsupportedMediaError, match="expected application/json, text/csv"):
        values(b"a", "text/plain", contract())


def test_ranges_hold_for_rows_too() -> None:
    assert values(b"1,2,3,4\n5,6,7,99", "text/csv", contract())[1].tolist() == [5, 6, 7, 99]
    with pytest.raises(InputError, match="row 2 holds 100, expected values from 0 to 99"):
        values(b"1,2,3,4\n5,6,7,100", "text/csv", contract())
    with pytest.raises(InputError, match="row 1 holds 1.5, expected whole numbers"):
        values(b"1.5,2,3,4", "text/csv", contract())
