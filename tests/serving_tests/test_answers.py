"""The HTTP border: what is answered to a request that is right."""

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from edge.model import Model
from edge.protocol import HEADER_LENGTH, decode_response, encode_request

DIGITS = "/predict/tiny_digits"
PNG = {"content-type": "image/png"}


def test_metadata_names_tensors_as_v2_does(client: TestClient) -> None:
    assert client.get("/v2").json() == client.get("/v2/").json()
    assert client.get("/v2").json()["name"] == "tandem"
    for path in ("/v2/models/tiny_digits", "/v2/models/tiny_digits/versions/1.0.0"):
        assert client.get(path).json() == {
            "name": "tiny_digits",
            "versions": ["1.0.0"],
            "platform": "onnxruntime_onnx",
            "inputs": [{"name": "image", "datatype": "UINT8", "shape": [-1, 28, 28, 1]}],
            "outputs": [{"name": "logits", "datatype": "FP32", "shape": [-1, 10]}],
        }
        assert client.get(f"{path}/ready").json() == {"name": "tiny_digits", "version": "1.0.0", "ready": True}
        assert client.get(f"{path}/contract").json()["labels"] == list("0123456789")


def test_readiness_names_file_runtime_and_provider(client: TestClient) -> None:
    ready = client.get("/v2/health/ready")
    assert ready.status_code == 200
    state = ready.json()["models"][0]
    assert (state["name"], state["ready"], state["file"], state["provider"]) == ("tiny_digits", True, "model.onnx", "CPUExecutionProvider")
    assert state["runtime"].startswith("onnxruntime ")


@pytest.fixture(scope="module")
def golden(tiny_bundles: Any) -> Any:
    return Model.open(tiny_bundles / "tiny_digits", target="server").bundle.golden


@pytest.mark.parametrize("binary", [False, True], ids=["JSON", "binary"])
def test_inference_gives_the_golden_answers(client: TestClient, golden: Any, binary: bool) -> None:
    message = encode_request(dict(golden.inputs), binary=binary, id="seven")
    response = client.post("/v2/models/tiny_digits/versions/1.0.0/infer", content=message.body, headers=dict(message.headers))
    assert response.status_code == 200
    assert response.headers["content-type"] == ("application/octet-stream" if binary else "application/json")
    answer = decode_response(response.content, response.headers.get(HEADER_LENGTH))
    assert (answer.model_name, answer.model_version, answer.id) == ("tiny_digits", "1.0.0", "seven")
    np.testing.assert_allclose(answer.outputs["logits"], golden.outputs["logits"], atol=1e-4)


def test_several_inputs_are_inferred_together(client: TestClient) -> None:
    ids, mask = np.array([[5, 6], [7, 8]], np.int32), np.array([[True, False], [False, True]])
    message = encode_request({"mask": mask, "ids": ids})
    response = client.post("/v2/models/tiny_pairs/infer", content=message.body, headers=dict(message.headers))
    assert decode_response(response.content, response.headers[HEADER_LENGTH]).outputs["kept"].tolist() == [[5, 0], [0, 8]]


def answers(client: TestClient, **sent: Any) -> list[Any]:
    response = client.post(DIGITS, **sent)
    assert response.status_code == 200, response.text
    assert (response.json()["model"], response.json()["version"]) == ("tiny_digits", "1.0.0")
    found: list[Any] = response.json()["predictions"]
    return found


def test_a_picture_gives_one_answer_however_it_is_sent(client: TestClient, tiny_bundles: Any, png: bytes) -> None:
    content = png
    expected = Model.open(tiny_bundles / "tiny_digits", target="server").predict(content).to_dict()
    pixels = np.asarray(Image.open(io.BytesIO(content)))
    sent: list[dict[str, Any]] = [
        {"content": content, "headers": PNG},
        {"content": content, "headers": {"content-type": "application/octet-stream"}},
        {"content": content, "headers": {"content-type": "IMAGE/X-anything; q=1"}},
        {"files": {"image": content}},
        {"files": {"file": ("seven.png", content, "image/png")}},
        {"json": {"inputs": pixels.tolist()}},
        {"json": {"inputs": pixels[..., None].tolist()}},
        {"json": {"inputs": pixels[None, ..., None].tolist()}},
        {"json": {"instances": [pixels.tolist()]}},
    ]
    for how in sent:
        assert answers(client, **how) == [expected]
    assert expected["label"] == expected["ranking"][0]["label"]
    assert len(expected["ranking"]) == 3


def test_several_pictures_give_answers_in_order(client: TestClient, picture: Callable[..., bytes]) -> None:
    contents = [
        picture("PNG"),
        picture("JPEG", (28, 28)),
        picture("BMP", mode="RGB"),
        picture("WEBP", mode="RGB"),
        picture("GIF"),
        picture("TIFF"),
    ]
    singles = [answers(client, content=content, headers=PNG)[0] for content in contents]
    assert answers(client, files=[("image", content) for content in contents]) == singles
    assert len({json.dumps(single) for single in singles}) > 1


@pytest.mark.parametrize(
    ("model", "document", "expected"),
    [
        ("tiny_rows", {"inputs": [1, 2, 3]}, [[1, 4, 9]]),
        ("tiny_rows", {"inputs": [[1, 2], [3, 4]]}, [[1, 4], [9, 16]]),
        ("tiny_rows", {"instances": [[1], {"x": [2]}]}, [[1], [4]]),
        ("tiny_rows", {"inputs": {"x": [5]}}, [[25]]),
        ("tiny_pairs", {"instances": [{"ids": [1, 2], "mask": [True, False]}, {"mask": [True, True], "ids": [3, 4]}]}, [[1, 0], [3, 4]]),
    ],
)
def test_numbers_give_the_raw_result(client: TestClient, model: str, document: Any, expected: Any) -> None:
    response = client.post(f"/predict/{model}", json=document)
    assert [prediction["result"] for prediction in response.json()["predictions"]] == expected


def test_a_mapping_goes_past_the_steps(client: TestClient) -> None:
    row = np.full((28, 28, 1), 7)
    assert answers(client, json={"inputs": {"image": row.tolist()}}) == answers(client, json={"inputs": row.tolist()})
