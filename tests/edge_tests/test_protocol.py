"""The wire codec: round trips, and every way in which a request can be wrong."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edge import metric_names
from edge.contract import Graph, Tensor
from edge.errors import InputError, TandemError
from edge.json_tensors import dumps, to_array
from edge.protocol import DATATYPES, HEADER_LENGTH, Message, decode_request, decode_response, encode_request, encode_response

IMAGE = Tensor("image", "uint8", ("batch", 2, 2, 1), "NHWC", (0, 255))
SCALE = Tensor("scale", "float32", ("batch",), "N", (0, 10))
LOGITS = Tensor("logits", "float32", ("batch", 3), "NC")
CLASSES = Tensor("class", "int64", ("batch",), "N")
ONE = Graph("main", (IMAGE,), (LOGITS, CLASSES))
TWO = Graph("main", (IMAGE, SCALE), (LOGITS,))
TOKENS = Graph("main", (Tensor("ids", "int32", ("batch", "length"), "NL"), Tensor("mask", "bool", ("batch", "length"), "NL")), (LOGITS,))
ALL = Graph("main", tuple(Tensor(f"t_{dtype}", dtype, ("batch", "n"), "NC") for dtype in DATATYPES), (LOGITS,))
NUMBERS = Graph("main", (Tensor("x", "float32", ("batch", 2), "NC"),), (LOGITS,))
LONGS = Graph("main", (Tensor("x", "int64", ("batch", 2), "NC"),), (LOGITS,))
GOOD = {"name": "image", "datatype": "UINT8", "shape": [1, 2, 2, 1], "data": [1, 2, 3, 4]}


def body(*entries: dict[str, Any], **fields: Any) -> bytes:
    return json.dumps({"inputs": list(entries), **fields}).encode()


def changed(**changes: Any) -> bytes:
    return body({key: value for key, value in {**GOOD, **changes}.items() if value is not ...})


def numbers(data: str, datatype: str = "FP32") -> bytes:
    return b'{"inputs": [{"name": "x", "datatype": "%s", "shape": [1, 2], "data": %s}]}' % (datatype.encode(), data.encode())


def header_length(message: Message) -> str | None:
    return message.headers.get(HEADER_LENGTH)


def binary(size: Any, extra: bytes = b"\1\2\3\4", **changes: Any) -> tuple[bytes, str]:
    entry = {
        key: value for key, value in {**GOOD, "data": ..., "parameters": {"binary_data_size": size}, **changes}.items() if value is not ...
    }
    head = body(entry)
    return head + extra, str(len(head))


@pytest.mark.parametrize("data", [[1, 2, 3, 4], [[[[1], [2]], [[3], [4]]]], [1.0, 2, 3.0, 4]], ids=["flat", "nested", "whole floats"])
def test_json_data_in_every_form_gives_the_same_array(data: Any) -> None:
    request = decode_request(changed(data=data), ONE)
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


MALFORMED: list[tuple[str, bytes, Graph, str]] = [
    ("empty", b"", ONE, "is empty"),
    ("blank", b" \n", ONE, "is empty"),
    ("not JSON", b"{", ONE, "not valid JSON"),
    ("not UTF-8", b'{"id": "\xff"}', ONE, "not UTF-8 at byte 8"),
    ("two documents", b"{} {}", ONE, "not valid JSON"),
    ("byte order mark", b"\xef\xbb\xbf{}", ONE, "not valid JSON"),
    ("a list", b"[]", ONE, "expected a JSON object"),
    ("null", b"null", ONE, "expected a JSON object"),
    ("deep nesting", b'{"inputs":' + b"[" * 100_000, ONE, "nested too deeply"),
    ("deep data", body({**GOOD, "data": [[[[[1]]]]]}), ONE, "nested more than 4 deep"),
    ("a key twice", b'{"inputs": [], "inputs": []}', ONE, "'inputs' twice"),
    ("no inputs", b"{}", ONE, "inputs is None, expected a list of tensors: 'image'"),
    ("inputs empty", body(), ONE, "inputs is []"),
    ("inputs an object", b'{"inputs": {"image": [1]}}', ONE, "expected a list of tensors"),
    ("an input is a number", b'{"inputs": [7]}', ONE, "inputs[0] is 7, expected an object"),
    ("no name", changed(name=...), ONE, "name is None, expected one of 'image'"),
    ("a name that is a list", changed(name=["image"]), ONE, "name is ['image']"),
    ("unknown input", changed(name="picture"), ONE, "name is 'picture', expected one of 'image'"),
    ("unknown second input", body(GOOD, {**GOOD, "name": "x"}), ONE, "inputs[1]: name is 'x'"),
    ("an input twice", body(GOOD, GOOD), ONE, "expected each input once"),
    ("an input missing", body(GOOD), TWO, "'scale' is missing, expected 'image', 'scale'"),
    ("wrong datatype", changed(datatype="FP32"), ONE, "datatype is 'FP32', expected 'UINT8'"),
    ("numpy's name of a datatype", changed(datatype="uint8"), ONE, "expected 'UINT8'"),
    ("no datatype", changed(datatype=...), ONE, "datatype is None"),
    ("datatype an object", changed(datatype={}), ONE, "datatype is {}"),
    ("no shape", changed(shape=...), ONE, "shape is None, expected [batch, 2, 2, 1]"),
    ("shape a number", changed(shape=4), ONE, "shape is 4"),
    ("shape of text", changed(shape=["1", 2, 2, 1]), ONE, "shape is ['1', 2, 2, 1]"),
    ("shape of floats", changed(shape=[1.0, 2, 2, 1]), ONE, "shape is [1.0, 2, 2, 1]"),
    ("shape of booleans", changed(shape=[True, 2, 2, 1]), ONE, "shape is [True, 2, 2, 1]"),
    ("rank too low", changed(shape=[2, 2]), ONE, "shape is [2, 2], expected [batch, 2, 2, 1]"),
    ("rank too high", changed(shape=[1, 2, 2, 1, 1]), ONE, "expected [batch, 2, 2, 1]"),
    ("equal size, other shape", changed(shape=[1, 1, 4, 1]), ONE, "shape is [1, 1, 4, 1], expected [batch, 2, 2, 1]"),
    ("equal size, channels first", changed(shape=[1, 1, 2, 2]), ONE, "expected [batch, 2, 2, 1]"),
    ("batch 0", changed(shape=[0, 2, 2, 1], data=[]), ONE, "sizes of at least 1"),
    ("batch -1", changed(shape=[-1, 2, 2, 1]), ONE, "sizes of at least 1"),
    ("batch above the limit", changed(shape=[5, 2, 2, 1], data=[0] * 20), ONE, "the batch is 5, expected at most 4"),
    ("huge batch", changed(shape=[10**12, 2, 2, 1]), ONE, "expected at most 4"),
    ("huge size", changed(shape=[10**40, 2, 2, 1]), ONE, "sizes of at least 1"),
    (
        "batches that differ",
        body(GOOD, {"name": "scale", "datatype": "FP32", "shape": [2], "data": [1, 2]}),
        TWO,
        "batch 1 as in the other inputs",
    ),
    (
        "lengths that differ",
        body(
            {"name": "ids", "datatype": "INT32", "shape": [1, 3], "data": [1, 2, 3]},
            {"name": "mask", "datatype": "BOOL", "shape": [1, 2], "data": [True, True]},
        ),
        TOKENS,
        "length 3 as in the other inputs",
    ),
    ("no data", changed(data=...), ONE, "data is missing, expected 4 values"),
    ("data null", changed(data=None), ONE, "data is None, expected a list"),
    ("data a number", changed(data=7), ONE, "data is 7"),
    ("data text", changed(data="1234"), ONE, "data is '1234'"),
    ("data an object", changed(data={"0": 1}), ONE, "expected a list"),
    ("too few values", changed(data=[1, 2, 3]), ONE, "data is 3 values, expected 4"),
    ("too many values", changed(data=[1, 2, 3, 4, 5]), ONE, "data is 5 values"),
    ("no values", changed(data=[]), ONE, "data is 0 values"),
    (
        "nested in another shape",
        changed(data=[[[[1, 2]], [[3, 4]]]]),
        ONE,
        "nested as [1, 2, 1, 2], expected 4 values, flat or nested as [1, 2, 2, 1]",
    ),
    ("half nested", changed(data=[[1, 2], [3, 4]]), ONE, "nested as [2, 2]"),
    ("ragged", changed(data=[[1, 2, 3], [4]]), ONE, "ragged: lists of 1 and of 3"),
    ("a number beside lists", changed(data=[[1], 2]), ONE, "2 beside lists"),
    ("a list beside numbers", changed(data=[1, [2], 3, 4]), ONE, "holds [2], expected numbers"),
    ("text among numbers", changed(data=[1, 2, 3, "4"]), ONE, "holds '4', expected numbers (uint8)"),
    ("true among numbers", changed(data=[1, 2, 3, True]), ONE, "holds True, expected numbers"),
    ("null among numbers", changed(data=[1, 2, 3, None]), ONE, "holds None"),
    ("not whole", changed(data=[1, 2, 3, 3.5]), ONE, "holds 3.5, expected whole numbers (uint8)"),
    ("above uint8", changed(data=[1, 2, 3, 256]), ONE, "holds 256, expected uint8, 0 to 255"),
    ("below uint8", changed(data=[1, 2, 3, -1]), ONE, "holds -1"),
    ("a very large whole number", changed(data=[1, 2, 3, 10**4000]), ONE, "expected uint8"),
    ("a number of 5,000 digits", changed(data=...)[:-3] + b', "data": [' + b"9" * 5000 + b"]}]}", ONE, "not valid JSON"),
    ("above int64", numbers("[1, 9223372036854775808]", "INT64"), LONGS, "holds 9223372036854775808"),
    ("infinity by exponent for whole numbers", numbers("[1, 1e999]", "INT64"), LONGS, "holds inf, expected whole numbers"),
    ("NaN", numbers("[1, NaN]"), NUMBERS, "NaN, expected finite"),
    ("Infinity", numbers("[1, Infinity]"), NUMBERS, "Infinity, expected finite"),
    ("-Infinity", numbers("[1, -Infinity]"), NUMBERS, "-Infinity, expected finite"),
    ("infinity by exponent", numbers("[1, 1e999]"), NUMBERS, "beyond float32"),
    ("beyond FP32", numbers("[1, 3.5e38]"), NUMBERS, "holds 3.5e+38, beyond float32"),
    ("a whole number beyond FP32", numbers("[1, 1" + "0" * 400 + "]"), NUMBERS, "beyond float32"),
    (
        "numbers for BOOL",
        body({"name": "mask", "datatype": "BOOL", "shape": [1, 1], "data": [1]}),
        TOKENS,
        "holds 1, expected true or false",
    ),
    (
        "out of the contract's range",
        body(GOOD, {"name": "scale", "datatype": "FP32", "shape": [1], "data": [10.5]}),
        TWO,
        "'scale' holds 10.5, expected values from 0 to 10",
    ),
    ("id a number", body(GOOD, id=7), ONE, "id is 7, expected a string"),
    ("parameters a list", body(GOOD, parameters=[1]), ONE, "parameters is [1], expected an object"),
    ("parameters of an input", changed(parameters="x"), ONE, "parameters is 'x'"),
    (
        "a flag that is text",
        body(GOOD, parameters={"binary_data_output": "yes"}),
        ONE,
        "binary_data_output is 'yes', expected true or false",
    ),
    ("outputs empty", body(GOOD, outputs=[]), ONE, "outputs is [], expected a list of tensors: 'logits', 'class'"),
    ("outputs of names", body(GOOD, outputs=["logits"]), ONE, "outputs[0] is 'logits', expected an object"),
    ("unknown output", body(GOOD, outputs=[{"name": "softmax"}]), ONE, "name is 'softmax', expected one of 'logits', 'class'"),
    ("an output twice", body(GOOD, outputs=[{"name": "class"}] * 2), ONE, "expected each output once"),
    (
        "a flag of an output",
        body(GOOD, outputs=[{"name": "class", "parameters": {"binary_data": 1}}]),
        ONE,
        "outputs[0].parameters.binary_data is 1",
    ),
    (
        "bytes announced without a header",
        body({**GOOD, "data": ..., "parameters": {"binary_data_size": 4}} | {"data": 0}),
        ONE,
        "4 bytes should follow",
    ),
]


@pytest.mark.parametrize(("content", "graph", "words"), [case[1:] for case in MALFORMED], ids=[case[0] for case in MALFORMED])
def test_a_malformed_request_is_refused_with_words(content: bytes, graph: Graph, words: str) -> None:
    with pytest.raises(InputError) as refused:
        decode_request(content, graph, max_batch=4)
    assert words in str(refused.value)
    assert len(str(refused.value)) < 400


LYING: list[tuple[str, tuple[bytes, Any], str]] = [
    ("header length above the body", (body(GOOD), "9999"), f"{HEADER_LENGTH} is '9999', expected the length of the JSON"),
    ("header length 0", (body(GOOD), "0"), "is '0'"),
    ("header length negative", (body(GOOD), "-5"), "is '-5'"),
    ("header length of words", (body(GOOD), "ten"), "is 'ten'"),
    ("header length empty", (body(GOOD), ""), "is ''"),
    ("header length in other digits", (body(GOOD), "١٢"), "expected the length"),
    ("header length of many digits", (body(GOOD), "9" * 5000), "expected the length"),
    ("header length within the JSON", (body(GOOD), "10"), "not valid JSON"),
    ("header length beyond the JSON", (lambda b, n: (b, str(int(n) + 2)))(*binary(4)), "not "),
    ("too few bytes", binary(4, b"\1\2"), "4 bytes should follow the JSON, but 2 are left"),
    ("no bytes", binary(4, b""), "0 are left"),
    ("trailing bytes", binary(4, b"\1\2\3\4\5"), "1 bytes follow the last tensor, expected none"),
    ("bytes behind JSON tensors", (body(GOOD) + b"\0", str(len(body(GOOD)))), "1 bytes follow"),
    ("size too small", binary(3), "binary_data_size is 3, expected 4 bytes"),
    ("size too large", binary(5, b"12345"), "binary_data_size is 5, expected 4"),
    ("size negative", binary(-4), "binary_data_size is -4"),
    ("size of text", binary("4"), "binary_data_size is '4'"),
    ("size true", binary(True), "binary_data_size is True"),
    ("size huge", binary(10**30), "expected 4 bytes"),
    ("size for a huge shape", binary(10**12, shape=[10**11, 2, 2, 1]), "expected 400000000000 bytes"),
    ("data and bytes", binary(4, data=[1, 2, 3, 4]), "has data and binary_data_size"),
]


@pytest.mark.parametrize(("came", "words"), [case[1:] for case in LYING], ids=[case[0] for case in LYING])
def test_binary_lengths_that_lie_are_refused(came: tuple[bytes, Any], words: str) -> None:
    with pytest.raises(InputError) as refused:
        decode_request(came[0], ONE, came[1])
    assert words in str(refused.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_binary_floats_are_finite(value: float) -> None:
    message = encode_request({"x": np.array([[0, value]], np.float32)})
    with pytest.raises(InputError, match="NaN or Infinity"):
        decode_request(message.body, NUMBERS, header_length(message))


def test_binary_switches_are_0_or_1() -> None:
    message = encode_request({"ids": np.ones((1, 2), np.int32), "mask": np.ones((1, 2), bool)})
    with pytest.raises(InputError, match=r"byte 2, expected 0 or 1"):
        decode_request(message.body[:-1] + b"\2", TOKENS, header_length(message))


def test_binary_values_are_held_to_the_range() -> None:
    message = encode_request({"image": np.ones((1, 2, 2, 1), np.uint8), "scale": np.array([-1], np.float32)})
    with pytest.raises(InputError, match="expected values from 0 to 10"):
        decode_request(message.body, TWO, header_length(message))


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


@pytest.mark.parametrize("array", [np.zeros(2, np.float64), np.zeros(2, np.uint16), np.array(["a"]), np.array([None])])
def test_a_dtype_without_a_name_on_the_wire_is_refused(array: Any) -> None:
    with pytest.raises(InputError, match="expected one of uint8"):
        encode_request({"x": array})


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
        request = decode_request(bytes(content[: cut or None]), TOKENS, header_length(message))
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


def test_a_long_list_is_not_written_into_a_message() -> None:
    with pytest.raises(InputError) as refused:
        to_array({"x": list(range(100_000))}, "uint8", "data")
    assert len(str(refused.value)) < 150


def test_lone_surrogates_stay_valid_json() -> None:
    assert json.loads(dumps({"é": "\ud800"})) == {"é": "\ud800"}


def test_the_vocabulary_of_metrics_is_whole() -> None:
    def reasons(error: type[TandemError]) -> set[str]:
        return {error.reason}.union(*(reasons(child) for child in error.__subclasses__()))

    assert reasons(TandemError) <= set(metric_names.REASONS)
    assert set(metric_names.HELP) == set(metric_names.LABELS)
    assert metric_names.BUCKETS[0] == 0.0001
    assert metric_names.BUCKETS[-1] == 10
    assert list(metric_names.BUCKETS) == sorted(set(metric_names.BUCKETS))
    assert metric_names.reason_label("invented") == metric_names.OTHER
