"""Requests whose JSON came before are read as others are."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge import layouts
from edge.contract import Graph, Tensor
from edge.errors import InputError
from edge.layouts import Layouts
from edge.protocol import HEADER_LENGTH, Message, decode_request, encode_request

GRAPH = Graph(
    "main",
    (Tensor("pixels", "uint8", ("batch", 2), "N2", range=(0, 200)), Tensor("weights", "float32", ("batch", 3), "N3")),
    (Tensor("y", "float32", ("batch", 1), "N1"),),
)


def message(pixels: list[int], weights: list[float], **options: object) -> tuple[bytes, str]:
    inputs = {"pixels": np.array([pixels], np.uint8), "weights": np.array([weights], np.float32)}
    made: Message = encode_request(inputs, **options)
    return made.body, made.headers.get(HEADER_LENGTH, "0")


@pytest.fixture
def known() -> Layouts:
    body, length = message([1, 2], [3, 4, 5], id="same")
    found = Layouts()
    assert found.read(body, length) is None
    found.learn(body, length, GRAPH, decode_request(body, GRAPH, length))
    return found


def test_other_values_are_read_as_without_it(known: Layouts) -> None:
    body, length = message([9, 8], [7, 6, 5.5], id="same")
    found, expected = known.read(body, length), decode_request(body, GRAPH, length)
    assert found is not None
    assert (list(found.inputs), found.outputs, found.id) == (list(expected.inputs), expected.outputs, "same")
    for name, array in expected.inputs.items():
        np.testing.assert_array_equal(found.inputs[name], array)
        assert found.inputs[name].dtype == array.dtype


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(message([1, 2], [3, 4, 5], id="other"), id="another id"),
        pytest.param(message([1, 2], [3, 4, 5]), id="no id"),
        pytest.param((message([1, 2], [3, 4, 5], id="same")[0] + b"x", message([1, 2], [3, 4, 5], id="same")[1]), id="more bytes"),
        pytest.param((message([1, 2], [3, 4, 5], id="same")[0][:-1], message([1, 2], [3, 4, 5], id="same")[1]), id="fewer bytes"),
        pytest.param((message([1, 2], [3, 4, 5], id="same")[0], "12"), id="another length"),
        pytest.param((message([1, 2], [3, 4, 5], id="same")[0], None), id="no length"),
        pytest.param((message([1, 2], [3, 4, 5], id="same")[0], "-3"), id="a length that is no number"),
    ],
)
def test_what_is_not_known_is_left_to_others(known: Layouts, sent: tuple[bytes, str]) -> None:
    assert known.read(*sent) is None


@pytest.mark.parametrize(
    ("pixels", "weights", "words"),
    [
        pytest.param([1, 201], [3, 4, 5], r"inputs\[0\] 'pixels' holds 201, expected values from 0 to 200", id="range"),
        pytest.param([1, 2], [3, np.nan, 5], r"inputs\[1\] 'weights' holds NaN or Infinity", id="nan"),
    ],
)
def test_values_are_held_against_the_contract(known: Layouts, pixels: list[int], weights: list[float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        known.read(*message(pixels, weights, id="same"))


def test_only_documents_without_values_are_kept() -> None:
    found = Layouts()
    body, _ = message([1, 2], [3, 4, 5], binary=False)
    for length in (None, str(len(body))):
        found.learn(body, length, GRAPH, decode_request(body, GRAPH, length))
        assert found.read(body, length) is None


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layouts, "MOST_KNOWN", 3)
    found = Layouts()
    sent = [message([1, 2], [3, 4, 5], id=str(number)) for number in range(4)]
    for body, length in sent:
        found.learn(body, length, GRAPH, decode_request(body, GRAPH, length))
    assert [found.read(*one) is not None for one in sent] == [False, False, False, True]


ONE = Graph("main", (Tensor("pixels", "uint8", ("batch", 3), "N3", range=(0, 250)),), GRAPH.outputs)
FORM = '{"inputs":[{"name":"pixels","datatype":"UINT8","shape":[1,3],"data":[%s]}],"parameters":{"binary_data_output":true}%s}'


@pytest.fixture
def numbers() -> Layouts:
    found = Layouts()
    body = (FORM % ("1,2,3", "")).encode()
    found.learn(body, None, ONE, decode_request(body, ONE))
    return found


def test_numbers_in_the_json_are_read_as_without_it(numbers: Layouts) -> None:
    found = numbers.read((FORM % ("10, 0,250", "")).encode(), None)
    assert found is not None
    assert (found.inputs["pixels"].tolist(), found.inputs["pixels"].dtype, found.outputs) == ([[10, 0, 250]], np.uint8, {"y": True})


@pytest.mark.parametrize(
    "text",
    ["1,2", "1,2,3,4", "01,2,3", "1,02,3", "1,,3", "1,2,", "1 2,3,4", "1,2,256", "1,2,-3", "1,2,3.0", "1,2,true", "[1,2,3]", "9" * 30],
)
def test_other_numbers_are_left_to_others(numbers: Layouts, text: str) -> None:
    assert numbers.read((FORM % (text, "")).encode(), None) is None


@settings(max_examples=300)
@given(
    text=st.lists(
        st.sampled_from(["0", "1", "25", "255", "7", ",", ", ", " ", "00", "-", ".5", "e3", "]", "99999999999999999999"]), max_size=9
    )
)
def test_what_is_read_is_what_others_read(text: list[str]) -> None:
    known, body = Layouts(), (FORM % ("1,2,3", "")).encode()
    known.learn(body, None, ONE, decode_request(body, ONE))
    sent = (FORM % ("".join(text), "")).encode()
    try:
        found = known.read(sent, None)
    except InputError as error:
        with pytest.raises(InputError, match=re.escape(str(error))):
            decode_request(sent, ONE)
        return
    if found is not None:
        expected = decode_request(sent, ONE)
        np.testing.assert_array_equal(found.inputs["pixels"], expected.inputs["pixels"])
        assert (found.outputs, found.id) == (expected.outputs, expected.id)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(FORM % ("1,2,3", ',"more":{"data":[1,2,3]}'), id="data twice"),
        pytest.param((FORM % ("1,2,3", ',"more":{"data":[1,2,3]}')).replace('"data"', r'"d\u0061ta"', 1), id="data under another spelling"),
        pytest.param(FORM.replace("[%s]", "[[1,2,3]]%s") % ("", ""), id="nested"),
    ],
)
def test_a_document_with_room_for_doubt_is_not_kept(body: str) -> None:
    found, sent = Layouts(), body.encode()
    found.learn(sent, None, ONE, decode_request(sent, ONE))
    assert found.read(sent, None) is None
