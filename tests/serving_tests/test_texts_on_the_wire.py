"""V2's BYTES tensors, Triton's configuration and statistics, and the OpenAPI document of models that take or write texts."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from edge.errors import InputError
from edge.protocol import HEADER_LENGTH, decode_request, decode_response, encode_request
from serving.settings import Settings
from tests.edge_tests.step_models import contract, write_writer
from tests.serving_tests.conftest import write_rows
from tests.serving_tests.text_models import TEXTS, write_letters

INFER = "/v2/models/tiny_texts/infer"


@pytest.fixture(scope="module")
def texts_client(tmp_path_factory: pytest.TempPathFactory, serve: Any) -> Iterator[TestClient]:
    root = tmp_path_factory.mktemp("texts")
    for write in (write_letters, write_writer, write_rows):
        write(root)
    with serve(Settings(root, device="cpu", max_batch=8)) as client:
        yield client


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("kind", [np.object_, np.str_, np.bytes_])
def test_texts_become_tensors_on_the_server(texts_client: TestClient, binary: bool, kind: Any) -> None:
    texts = np.array([text.encode() if kind is np.bytes_ else text for text in TEXTS], dtype=kind)
    answers = []
    for shape in ((3,), (3, 1)):
        message = encode_request({"text": texts.reshape(shape)}, binary=binary)
        response = texts_client.post(INFER, content=message.body, headers=dict(message.headers))
        assert response.status_code == 200, response.text
        answers.append(decode_response(response.content, response.headers.get(HEADER_LENGTH)).outputs["logits"])
    labels = [answer["label"] for answer in texts_client.post("/predict/tiny_texts", json={"inputs": list(TEXTS)}).json()["predictions"]]
    assert [("low", "high")[i] for i in answers[0].argmax(1)] == labels
    assert np.array_equal(*answers)


GRAPH = contract().main


def document(**changes: Any) -> bytes:
    entry = {"name": "text", "datatype": "BYTES", "shape": [2], "data": ["a", "b"], **changes}
    return json.dumps({"inputs": [{key: value for key, value in entry.items() if value is not ...}]}).encode()


def binary(tail: bytes, size: Any = None, shape: Any = (2,)) -> tuple[bytes, int]:
    head = document(shape=list(shape), data=..., parameters={"binary_data_size": len(tail) if size is None else size})
    return head + tail, len(head)


WHOLE = struct.pack("<I", 1) + b"a" + struct.pack("<I", 2) + "\u00e9".encode()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (document(shape=[3]), "holds 2 texts, expected 3"),
        (document(shape=[2, 2]), r"shape is \[2, 2\], expected \[batch\] or \[batch, 1\]"),
        (document(shape=[0]), r"shape is \[0\]"),
        (document(shape=[True, 1]), r"shape is \[True, 1\]"),
        (document(shape="2"), "shape is '2'"),
        (document(shape=[9], data=["a"] * 9), "the batch is 9, expected at most 8"),
        (document(data=["a", 3]), "data holds 3, expected a text"),
        (document(data=[["a"], "b"]), r"data holds \['a'\], expected a text"),
        (document(data=...), "data is None, expected a list of texts"),
        (document(data=["a", "\ud800"]), "half a character"),
        (document(parameters={"binary_data_size": 4}), "has data and binary_data_size"),
        (binary(WHOLE[:-1]), "a text should have 2 bytes, 1 are left"),
        (binary(WHOLE[:7]), "the bytes end within a length"),
        (binary(WHOLE[:5]), "holds 1 texts, expected 2"),
        (binary(WHOLE + WHOLE), "11 bytes follow the last of 2 texts"),
        (binary(WHOLE, size=5), "6 bytes follow the last tensor|holds 1 texts"),
        (binary(WHOLE, size=500), "500 bytes should follow the JSON"),
        (binary(WHOLE, size=-1), "binary_data_size is -1"),
        (binary(struct.pack("<I", 1) + b"\xff" + struct.pack("<I", 0)), "not UTF-8 at byte 0"),
        (binary(struct.pack("<I", 0xFFFFFFFF)), "a text should have 4294967295 bytes"),
    ],
)
def test_malformed_texts_are_refused(body: Any, words: str) -> None:
    content, length = body if isinstance(body, tuple) else (body, None)
    with pytest.raises(InputError, match=words):
        decode_request(content, GRAPH, length, max_batch=8, texts=True)


def test_models_without_texts_take_none(texts_client: TestClient) -> None:
    refused = texts_client.post("/v2/models/tiny_rows/infer", content=document(name="x"))
    assert (refused.status_code, "datatype is 'BYTES', expected 'FP32'" in refused.json()["error"]) == (400, True)
    spaces = texts_client.post(INFER, content=document(data=["a", " "]))
    assert (spaces.status_code, "input 1 of 2: the text is empty" in spaces.json()["error"]) == (400, True)


@given(texts=st.lists(st.text(), min_size=1, max_size=8), raw=st.booleans())
def test_any_text_survives_the_wire(texts: list[str], raw: bool) -> None:
    if any("\ud800" <= letter <= "\udfff" for text in texts for letter in text):
        return
    array = np.empty(len(texts), dtype=np.object_)
    array[:] = texts
    message = encode_request({"text": array}, binary=raw)
    assert decode_request(message.body, GRAPH, message.headers.get(HEADER_LENGTH), texts=True).texts == texts


@given(tail=st.binary(max_size=40), size=st.integers(-2, 50))
def test_arbitrary_bytes_are_read_or_refused(tail: bytes, size: int) -> None:
    content, length = binary(tail, size)
    try:
        found = decode_request(content, GRAPH, length, texts=True).texts
    except InputError:
        return
    assert found is not None
    assert len(found) == 2


def test_answers_of_other_servers_may_hold_texts() -> None:
    entry = {"name": "label", "datatype": "BYTES", "shape": [2, 1], "data": ["a", "b"]}
    body = json.dumps({"model_name": "net", "outputs": [entry]}).encode()
    assert decode_response(body).outputs["label"].tolist() == [["a"], ["b"]]


def test_every_example_of_every_content_type_runs(texts_client: TestClient) -> None:
    found = texts_client.get("/openapi.json").json()
    ran = []
    for path, methods in found["paths"].items():
        for kind, content in methods.get("post", {}).get("requestBody", {}).get("content", {}).items():
            for name, example in content.get("examples", {}).items():
                value = example["value"] if isinstance(example["value"], str) else json.dumps(example["value"])
                answer = texts_client.post(path, content=value.encode(), headers={"content-type": kind})
                assert answer.status_code == 200, (path, kind, name, answer.text)
                ran.append((path, kind, name))
    assert ("/predict/tiny_texts", "text/plain", "one text") in ran
    assert ("/predict/tiny_rows", "text/csv", "two lines") in ran
    assert (INFER, "application/json", "a text") in ran
    assert ("/generate/tiny_writer", "application/json", "eight tokens") in ran
    assert len(ran) == 15
    for path in [path for path, methods in found["paths"].items() if "get" in methods]:
        assert texts_client.get(path).status_code == 200, path


def test_configuration_and_statistics_in_tritons_form(texts_client: TestClient) -> None:
    config = texts_client.get("/v2/models/tiny_rows/config").json()
    assert (config["name"], config["max_batch_size"], config["platform"]) == ("tiny_rows", 8, "onnxruntime_onnx")
    assert config["input"] == [{"name": "x", "data_type": "TYPE_FP32", "dims": [-1]}]
    assert config["instance_group"][0]["kind"] == "KIND_CPU"
    path = "/v2/models/tiny_rows/versions/1.0.0/stats"
    [before] = texts_client.get(path).json()["model_stats"]
    for value in ([1, 2], [3, 4]):
        texts_client.post("/predict/tiny_rows", json={"inputs": value})
    texts_client.post("/predict/tiny_rows", json={"inputs": "no"})
    [after] = texts_client.get(path).json()["model_stats"]
    assert after["execution_count"] - before["execution_count"] == 2
    assert after["inference_count"] - before["inference_count"] == 2
    for phase in ("success", "queue", "compute_input", "compute_infer", "compute_output"):
        assert after["inference_stats"][phase]["count"] - before["inference_stats"][phase]["count"] == 2
        assert after["inference_stats"][phase]["ns"] > before["inference_stats"][phase]["ns"]
    assert after["inference_stats"]["fail"]["count"] - before["inference_stats"]["fail"]["count"] == 1
    names = [model["name"] for model in texts_client.get("/v2/models/stats").json()["model_stats"]]
    assert names == ["tiny_rows", "tiny_texts", "tiny_writer"]
    assert Path(config["default_model_filename"]).suffix == ".onnx"
