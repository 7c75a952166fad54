"""The wire codec: what is read from a request, and that messages come back as they went."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edge.contract import Graph, Tensor
from edge.errors import InputError
from edge.protocol import DATATYPES, HEADER_LENGTH, Message, decode_request, decode_response, encode_request, encode_response

IMAGE = Tensor("image", "uint8", ("batch", 2, 2, 1), "NHWC", (0, 255))
SCALE = Tensor("scale", "float32", ("batch",), "N", (0, 10))
LOGITS = Tensor("logits", "float32", ("batch", 3), "NC")
CLASSES = Tensor("class", "int64", ("batch",), "N")
ONE = Graph("main", (IMAGE,), (LOGITS, CLASSES))
TWO = Graph("main", (IMAGE, SCALE), (LOGITS,))
ALL = Graph("main", tuple(Tensor(f"t_{dtype}", dtype, ("batch", "n"), "NC") for dtype in DATATYPES), (LOGITS,))
GOOD = {"name": "image", "datatype": "UINT8", "shape": [1, 2, 2, 1], "data": [1, 2, 3, 4]}


def body(*entries: dict[str, Any], **fields: Any) -> bytes:
    return json.dumps({"inputs": list(entries), **fields}).encode()


def header_length(message: Message) -> str | None:
    return message.headers.get(HEADER_LENGTH)


@pytest.mark.parametrize("data", [[1, 2, 3, 4], [[[[1], [2]], [[3], [4]]]], [1.0, 2, 3.0, 4]], ids=["flat", "nested", "whole floats"])
def test_json_data_in_every_form_gives_the_same_array(data: Any) -> None:
    request = decode_request(body({**GOOD, "data": data}), ONE)
    assert request.inputs["image"].dtype == np.uint8
    assert request.inputs["image"].tolist() == [[[[1], [2]], [[3], [4]]]]
    assert (request.count, request.id, dict(request.outputs)) == (1, None, {"logits": False, "class": False})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"logits": False, "class": False}),
        ({"parameters": {"binary_data_output": True}}, {"logits": True, "class": True}),
        ({"outputs": [{"name": "class"}]}, {"class": False}),
        ({"outputs": [{"name": "class", "parameters": {"binary_data": True}}, {"name": "logits"}]}, {"class": True, "logits": False}),
        (
            {"parameters": {"binary_data_output": True}, "outputs": [{"name": "logits", "parameters": {"binary_data": False}}]},
            {"logits": False},
        ),
        ({"parameters": None, "outputs": None, "client": "extra fields are let pass"}, {"logits": False, "class": False}),
    ],
    ids=["all", "all binary", "one", "each its own", "one against the default", "nulls"],
)
def test_outputs_are_those_asked_for(fields: dict[str, Any], expected: dict[str, bool]) -> None:
    assert dict(decode_request(body(GOOD, **fields), ONE).outputs) == expected


def test_json_and_binary_tensors_may_be_mixed() -> None:
    scale = {"name": "scale", "datatype": "FP32", "shape": [1], "parameters": {"binary_data_size": 4}}
    head = body(scale, GOOD)
    request = decode_request(head + np.array([2.5], "<f4").tobytes(), TWO, len(head))
    assert request.inputs["scale"].tolist() == [2.5]
    assert request.inputs["image"].ravel().tolist() == [1, 2, 3, 4]


def rows(dtype: str) -> st.SearchStrategy[Any]:
    elements = {"allow_nan": False, "allow_infinity": False} if dtype == "float32" else {}
    return arrays.arrays(np.dtype(dtype), (2, 3), elements=elements)


TENSORS = st.fixed_dictionaries({f"t_{dtype}": rows(dtype) for dtype in DATATYPES})


@given(inputs=TENSORS, is_binary=st.booleans(), identifier=st.none() | st.text())
def test_requests_come_back_as_they_went(inputs: dict[str, Any], is_binary: bool, identifier: str | None) -> None:
    message = encode_request(inputs, binary=is_binary, id=identifier, outputs=["logits"])
    request = decode_request(message.body, ALL, header_length(message))
    assert (request.id, dict(request.outputs)) == (identifier, {"logits": is_binary})
    for name, array in inputs.items():
        assert request.inputs[name].dtype == array.dtype
        assert request.inputs[name].flags.aligned
        np.testing.assert_array_equal(request.inputs[name], array)


@given(logits=arrays.arrays(np.float32, (2, 3), elements={"allow_nan": False, "allow_infinity": False}), wanted=st.booleans())
def test_answers_come_back_as_they_went(logits: Any, wanted: bool) -> None:
    request = decode_request(body({**GOOD, "shape": [2, 2, 2, 1], "data": [0] * 8}, id="7", parameters={"binary_data_output": wanted}), ONE)
    message = encode_response("net", "1.0.0", {"logits": logits, "class": np.array([1, 2])}, request)
    assert (header_length(message) is not None) == wanted
    answer = decode_response(message.body, header_length(message))
    assert (answer.model_name, answer.model_version, answer.id) == ("net", "1.0.0", "7")
    np.testing.assert_array_equal(answer.outputs["logits"], logits)
    assert answer.outputs["class"].tolist() == [1, 2]


def test_nan_travels_as_bytes_and_not_as_json() -> None:
    outputs = {"logits": np.array([[np.nan, 1, 2]], np.float32), "class": np.array([0])}
    message = encode_response("net", "1.0.0", outputs, decode_request(body(GOOD, parameters={"binary_data_output": True}), ONE))
    assert np.isnan(decode_response(message.body, header_length(message)).outputs["logits"][0, 0])
    with pytest.raises(InputError, match="JSON cannot carry"):
        encode_response("net", "1.0.0", outputs, decode_request(body(GOOD), ONE))


@pytest.mark.parametrize("array", [np.zeros(2, np.float64), np.zeros(2, np.uint16), np.zeros(2, np.complex64)])
def test_a_dtype_without_a_name_on_the_wire_is_refused(array: Any) -> None:
    with pytest.raises(InputError, match="expected one of uint8"):
        encode_request({"x": array})


def test_objects_that_are_no_texts_are_refused() -> None:
    with pytest.raises(InputError, match="'x' holds None, expected a text"):
        encode_request({"x": np.array([None])})
