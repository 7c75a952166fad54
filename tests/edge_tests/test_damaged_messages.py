"""The wire codec over what nobody meant to send: malformed answers, and bytes and JSON of any kind, raise input errors only."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contract import Graph, Tensor
from edge.errors import InputError
from edge.protocol import HEADER_LENGTH, decode_request, decode_response, encode_request

IMAGE = Tensor("image", "uint8", ("batch", 2, 2, 1), "NHWC", (0, 255))
LOGITS = Tensor("logits", "float32", ("batch", 3), "NC")
CLASSES = Tensor("class", "int64", ("batch",), "N")
ONE = Graph("main", (IMAGE,), (LOGITS, CLASSES))
TOKENS = Graph("main", (Tensor("ids", "int32", ("batch", "length"), "NL"), Tensor("mask", "bool", ("batch", "length"), "NL")), (LOGITS,))
GOOD = {"name": "image", "datatype": "UINT8", "shape": [1, 2, 2, 1], "data": [1, 2, 3, 4]}


@given(content=st.binary(max_size=200), length=st.none() | st.integers(-2, 250) | st.text(max_size=5))
def test_arbitrary_bytes_raise_input_errors_only(content: bytes, length: Any) -> None:
    for decoder in (lambda: decode_request(content, TOKENS, length), lambda: decode_response(content, length)):
        with pytest.raises(InputError):
            decoder()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-300, 300) | st.floats() | st.text(max_size=4) | st.sampled_from(["image", "UINT8"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("name", "datatype", "shape", "data", "parameters")


@given(field=st.sampled_from(FIELDS), value=JSON, top=st.sampled_from(["inputs", "outputs", "parameters", "id", "other"]), junk=JSON)
def test_arbitrary_json_raises_input_errors_only(field: str, value: Any, top: str, junk: Any) -> None:
    for document in (
        {"inputs": [{**GOOD, field: value}]},
        {"inputs": [GOOD], top: junk},
        {"model_name": "m", "outputs": [{**GOOD, field: value}], top: junk},
    ):
        content = json.dumps(document).encode()
        for decoder in (lambda content=content: decode_request(content, ONE), lambda content=content: decode_response(content)):
            try:
                decoder()
            except InputError as error:
                assert str(error)  # noqa: PT017  # whether it is refused depends on the example; nothing else may be raised


@given(cut=st.integers(0, 400), flip=st.integers(0, 400), value=st.integers(0, 255))
def test_damaged_messages_raise_input_errors_only(cut: int, flip: int, value: int) -> None:
    message = encode_request({"ids": np.arange(6, dtype=np.int32).reshape(2, 3), "mask": np.ones((2, 3), bool)})
    content = bytearray(message.body)
    content[flip % len(content)] = value
    try:
        request = decode_request(bytes(content[: cut or None]), TOKENS, message.headers.get(HEADER_LENGTH))
    except InputError:
        return
    assert request.inputs["ids"].shape == (2, 3)


BAD_ANSWERS: list[tuple[str, dict[str, Any], str]] = [
    ("no outputs", {"model_name": "m"}, "outputs is None"),
    ("no model", {"outputs": [GOOD]}, "model_name is None"),
    ("version a number", {"model_name": "m", "model_version": 1, "outputs": [GOOD]}, "expected two strings"),
    ("name missing", {"model_name": "m", "outputs": [{**GOOD, "name": None}]}, "name is None"),
    ("an output twice", {"model_name": "m", "outputs": [GOOD, GOOD]}, "did not come before"),
    ("unknown datatype", {"model_name": "m", "outputs": [{**GOOD, "datatype": "FP64"}]}, "'FP64', expected one of UINT8"),
    ("shape of text", {"model_name": "m", "outputs": [{**GOOD, "shape": "4"}]}, "shape is '4'"),
    ("values missing", {"model_name": "m", "outputs": [{**GOOD, "data": [1]}]}, "1 values, expected 4"),
]


@pytest.mark.parametrize(("document", "words"), [case[1:] for case in BAD_ANSWERS], ids=[case[0] for case in BAD_ANSWERS])
def test_a_malformed_answer_is_refused_with_words(document: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as refused:
        decode_response(json.dumps(document).encode())
    assert words in str(refused.value)
