"""Every way in which a request of the wire codec can be wrong: each is refused with words that say what was expected."""

import json
from typing import Any

import numpy as np
import pytest

from edge.contract import Graph, Tensor
from edge.errors import InputError
from edge.protocol import HEADER_LENGTH, Message, decode_request, encode_request

IMAGE = Tensor("image", "uint8", ("batch", 2, 2, 1), "NHWC", (0, 255))
SCALE = Tensor("scale", "float32", ("batch",), "N", (0, 10))
LOGITS = Tensor("logits", "float32", ("batch", 3), "NC")
CLASSES = Tensor("class", "int64", ("batch",), "N")
ONE = Graph("main", (IMAGE,), (LOGITS, CLASSES))
TWO = Graph("main", (IMAGE, SCALE), (LOGITS,))
TOKENS = Graph("main", (Tensor("ids", "int32", ("batch", "length"), "NL"), Tensor("mask", "bool", ("batch", "length"), "NL")), (LOGITS,))
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
