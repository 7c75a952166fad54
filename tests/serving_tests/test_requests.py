"""The HTTP border: what is answered, and that everything malformed is a 4xx that says what was expected."""

import gzip
import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from starlette.testclient import TestClient

from edge.contract import Contract, Graph, Metric, Tensor
from edge.errors import InputError
from edge.model import Model
from edge.protocol import HEADER_LENGTH, decode_response, encode_request
from serving import inputs
from serving.app import create_app
from serving.bodies import Body
from serving.settings import Settings

DIGITS, INFER = "/predict/tiny_digits", "/v2/models/tiny_digits/infer"
JSON = {"content-type": "application/json"}
PNG = {"content-type": "image/png"}
damaged = pytest.mark.filterwarnings("ignore::UserWarning:PIL", "ignore::PIL.Image.DecompressionBombWarning")  # Pillow's remarks
BOUNDARY = "multipart/form-data; boundary=xyz"


def picture(kind: str = "PNG", size: tuple[int, int] = (30, 40), mode: str = "L") -> bytes:
    pixels = np.random.default_rng(3).integers(0, 256, (size[1], size[0], len(mode)), dtype=np.uint8).squeeze()
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def form(*parts: tuple[str, bytes], end: bytes = b"--xyz--\r\n") -> bytes:
    pieces = [b'--xyz\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), content) for name, content in parts]
    return b"".join(pieces) + end


def huge_png() -> bytes:
    """A few kB that unfold to 64 million pixels."""
    buffer = io.BytesIO()
    Image.new("1", (8000, 8000)).save(buffer, "PNG")
    return buffer.getvalue()


# ---------------------------------------------------------------- what is answered


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


def test_a_picture_gives_one_answer_however_it_is_sent(client: TestClient, tiny_bundles: Any) -> None:
    content = picture()
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


def test_several_pictures_give_answers_in_order(client: TestClient) -> None:
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


# ---------------------------------------------------------------- what is refused

V2 = "/v2/models/{}/infer"
OCTETS = {"content-type": "application/octet-stream"}
Refused = tuple[str, str, str, dict[str, Any], int, str]
REFUSED: list[Refused] = [
    ("unknown path", "GET", "/nowhere", {}, 404, "nothing is served at '/nowhere'"),
    ("unknown path below v2", "POST", "/v2/model/tiny_digits/infer", {}, 404, "/docs lists every path"),
    ("a path of odd bytes", "GET", "/%ff%00%0a", {}, 404, "nothing is served"),
    ("a path that climbs", "GET", "/v2/models/..%2f..%2fetc/contract", {}, 404, "nothing is served"),
    (
        "unknown model",
        "GET",
        "/v2/models/nobody",
        {},
        404,
        "no model is called 'nobody'; the models are tiny_digits, tiny_pairs, tiny_rows",
    ),
    ("unknown model to predict", "POST", "/predict/nobody", {}, 404, "no model is called 'nobody'"),
    ("unknown version", "POST", "/v2/models/tiny_digits/versions/2.0.0/infer", {}, 404, "not served in version '2.0.0'; there are 1.0.0"),
    ("wrong method to infer", "GET", INFER, {}, 405, "does not take GET, expected POST"),
    ("wrong method to predict", "PUT", DIGITS, {}, 405, "does not take PUT, expected POST"),
    ("wrong method to health", "POST", "/v2/health/live", {}, 405, "expected GET or HEAD"),
    ("an invented method", "BREW", "/v2", {}, 405, "does not take BREW"),
    ("wrong method to the host's route", "POST", "/livez", {}, 405, "/livez does not take POST, expected GET"),
    ("infer: empty", "POST", INFER, {"content": b""}, 400, "the body is empty"),
    ("infer: not JSON", "POST", INFER, {"content": b"picture=7", "headers": JSON}, 400, "not valid JSON"),
    (
        "infer: a form",
        "POST",
        INFER,
        {"data": {"a": "b"}},
        415,
        "'application/x-www-form-urlencoded', expected application/json or application/octet-stream",
    ),
    ("infer: a picture", "POST", INFER, {"content": b"x", "headers": PNG}, 415, "'image/png', expected application/json"),
    ("infer: text", "POST", INFER, {"content": b"{}", "headers": {"content-type": "text/plain"}}, 415, "'text/plain'"),
    (
        "infer: header length lies",
        "POST",
        INFER,
        {"content": b"{}", "headers": {HEADER_LENGTH: "7"}},
        400,
        "expected the length of the JSON",
    ),
    ("infer: octets without header length", "POST", INFER, {"content": b"\x00\x01\x02", "headers": OCTETS}, 400, "not valid JSON"),
    (
        "infer: float overflow",
        "POST",
        V2.format("tiny_rows"),
        {"json": {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [3e38]}]}},
        400,
        "NaN or Infinity",
    ),
    ("predict: empty", "POST", DIGITS, {"content": b"", "headers": JSON}, 400, "the body is empty"),
    ("predict: empty picture", "POST", DIGITS, {"content": b"", "headers": PNG}, 400, "the picture is empty"),
    (
        "predict: no picture",
        "POST",
        DIGITS,
        {"content": b"hello, this is text", "headers": PNG},
        415,
        "expected PNG, JPEG, WebP, GIF, BMP or TIFF",
    ),
    (
        "predict: PostScript",
        "POST",
        DIGITS,
        {"content": b"%!PS-Adobe-3.0 EPSF-3.0\n", "headers": OCTETS},
        415,
        "not a picture of a kind that is taken",
    ),
    ("predict: pickle", "POST", DIGITS, {"content": b"\x80\x04K\x01.", "headers": OCTETS}, 415, "not a picture"),
    ("predict: half a picture", "POST", DIGITS, {"content": picture()[:300], "headers": PNG}, 400, "the picture is damaged"),
    ("predict: only a signature", "POST", DIGITS, {"content": b"\x89PNG\r\n\x1a\n", "headers": PNG}, 415, "not a picture"),
    (
        "predict: a picture of 64 million pixels",
        "POST",
        DIGITS,
        {"content": huge_png(), "headers": PNG},
        413,
        "8000×8000 pixels, expected at most",
    ),
    (
        "predict: text",
        "POST",
        DIGITS,
        {"content": b"x", "headers": {"content-type": "text/plain"}},
        415,
        "'text/plain', expected one of application/json, multipart/form-data",
    ),
    ("predict: a url-encoded form", "POST", DIGITS, {"data": {"image": "x"}}, 415, "'application/x-www-form-urlencoded'"),
    (
        "predict: picture for numbers",
        "POST",
        "/predict/tiny_rows",
        {"content": b"x", "headers": PNG},
        415,
        "'image/png', expected application/json",
    ),
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
    ("predict: too many", "POST", "/predict/tiny_rows", {"json": {"instances": [[1]] * 9}}, 400, "9 inputs came, expected at most 8"),
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
    ("form: no boundary", "POST", DIGITS, {"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400, "no boundary"),
    ("form: empty", "POST", DIGITS, {"content": b"", "headers": {"content-type": BOUNDARY}}, 400, "the multipart form is cut off"),
    ("form: no part", "POST", DIGITS, {"content": b"--xyz--\r\n", "headers": {"content-type": BOUNDARY}}, 400, "there is no input"),
    (
        "form: malformed",
        "POST",
        DIGITS,
        {"content": b"abcdef", "headers": {"content-type": BOUNDARY}},
        400,
        "the multipart form is malformed",
    ),
    (
        "form: cut off",
        "POST",
        DIGITS,
        {"content": form(("image", picture()), end=b""), "headers": {"content-type": BOUNDARY}},
        400,
        "expected its last boundary",
    ),
    (
        "form: a boundary of a thousand letters",
        "POST",
        DIGITS,
        {"content": b"x", "headers": {"content-type": "multipart/form-data; boundary=" + "x" * 1000}},
        400,
        "malformed",
    ),
    ("form: another field", "POST", DIGITS, {"files": {"picture": picture()}}, 400, "a field 'picture', expected 'image' or 'file'"),
    (
        "form: a part without a name",
        "POST",
        DIGITS,
        {"content": b"--xyz\r\nX: y\r\n\r\nz\r\n--xyz--\r\n", "headers": {"content-type": BOUNDARY}},
        400,
        "a field ''",
    ),
    (
        "form: the second picture is none",
        "POST",
        DIGITS,
        {"files": [("image", picture()), ("image", b"")]},
        400,
        "input 1 of 2: the picture is empty",
    ),
    ("form: too many pictures", "POST", DIGITS, {"files": [("image", picture())] * 9}, 400, "9 inputs came, expected at most 8"),
    (
        "compressed",
        "POST",
        INFER,
        {"content": gzip.compress(b"{}"), "headers": {"content-encoding": "gzip"}},
        415,
        "'gzip', expected an uncompressed body",
    ),
    ("too large", "POST", INFER, {"content": b" " * 65537}, 413, "larger than 65536 bytes"),
    ("too large by its header", "POST", DIGITS, {"content": b"x", "headers": {"content-length": "9" * 30}}, 413, "larger than 65536 bytes"),
    ("too large in chunks", "POST", DIGITS, {"content": (b" " * 1000 for _ in range(66))}, 413, "larger than 65536 bytes"),
]


@pytest.mark.parametrize(("method", "path", "sent", "code", "words"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_is_malformed_is_refused_with_words(
    client: TestClient, method: str, path: str, sent: dict[str, Any], code: int, words: str
) -> None:
    response = client.request(method, path, **sent)
    assert (response.status_code, words in response.json()["error"]) == (code, True), response.text
    assert response.headers["content-type"] == "application/json"
    assert set(response.json()) == {"error", "reason", "request_id"}
    assert response.headers["x-request-id"] == response.json()["request_id"]
    assert "Traceback" not in response.text
    if code == 405:
        assert all(f" {method} " not in f" {allowed} " for allowed in response.headers["allow"].split(", "))


def test_a_body_of_just_the_limit_is_read(client: TestClient, infer_body: Callable[..., bytes]) -> None:
    content = infer_body()
    assert client.post(INFER, content=content + b" " * (65536 - len(content))).status_code == 200


REASONS = [
    (INFER, b"{", 400, "bad_input"),
    ("/predict/nobody", b"", 404, "unknown_model"),
    ("/x", b"", 404, "unknown_path"),
    ("/v2", b"", 405, "method_not_allowed"),
]


@pytest.mark.parametrize(("path", "content", "code", "reason"), REASONS)
def test_each_refusal_has_its_reason(client: TestClient, path: str, content: bytes, code: int, reason: str) -> None:
    response = client.post(path, content=content)
    assert (response.status_code, response.json()["reason"]) == (code, reason)


@damaged
@settings(max_examples=150)
@given(data=st.data())
def test_no_bytes_make_the_server_fail(client: TestClient, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([DIGITS, INFER, "/predict/tiny_rows", "/predict/tiny_pairs", "/v2/models/tiny_pairs/infer"]))
    kind = data.draw(
        st.sampled_from(
            ["application/json", "image/png", "application/octet-stream", BOUNDARY, "multipart/form-data; boundary=\xff", "x/y", ""]
        )
    )
    start = data.draw(
        st.sampled_from(
            [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"BM", b"II*\0", b'{"inputs":', b"--xyz\r\n", form(("image", b""))]
        )
    )
    headers = {"content-type": kind} if kind else {}
    length = data.draw(st.none() | st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=4))
    if length is not None:
        headers[HEADER_LENGTH] = length
    sent = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    response = client.post(path, content=start + data.draw(st.binary(max_size=80)), headers=list(sent.items()))
    assert 200 <= response.status_code < 500
    if response.status_code != 200:
        assert re.search("expected|; send ", response.json()["error"])


@damaged
@settings(max_examples=100)
@given(
    cut=st.integers(0, 2000),
    spots=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=4),
    kind=st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "WEBP"]),
)
def test_no_damaged_picture_makes_the_server_fail(client: TestClient, cut: int, spots: list[tuple[int, int]], kind: str) -> None:
    content = bytearray(picture(kind, mode="RGB"))
    for place, value in spots:
        content[place % 300] = value
    assert client.post(DIGITS, content=bytes(content[: cut or None]), headers=PNG).status_code in (200, 400, 413, 415)


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


# ---------------------------------------------------------------- ids, logs, and what goes wrong inside


@pytest.mark.parametrize(("given_id", "kept"), [("abc-123", True), ("a b", False), ("x" * 129, False), ('"}', False)])
def test_a_harmless_request_id_is_kept(client: TestClient, given_id: str, kept: bool) -> None:
    response = client.get("/v2", headers={"x-request-id": given_id})
    assert (response.headers["x-request-id"] == given_id) == kept


@pytest.fixture
def broken(tiny_bundles: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A server whose models fail inside in a way that nobody foresaw."""
    app = create_app(Settings(tiny_bundles, device="cpu", models=("tiny_rows",), log_requests=True))
    with TestClient(app, raise_server_exceptions=False) as client:
        while client.get("/v2/health/ready").status_code != 200:
            pass
        monkeypatch.setattr(Model, "run", lambda self, inputs: {}["secret detail"])
        yield client


def test_an_unforeseen_error_is_a_500_whose_trace_stays_on_the_server(broken: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    response = broken.post("/predict/tiny_rows", json={"inputs": [1]}, headers={"x-request-id": "find-me"})
    assert (response.status_code, response.json()["reason"], response.json()["request_id"]) == (500, "internal", "find-me")
    assert "secret detail" not in response.text
    assert "request find-me failed" in caplog.text
    assert "KeyError: 'secret detail'" in caplog.text
    metrics = broken.get("/metrics").text
    assert 'tandem_errors_total{model="tiny_rows",reason="internal",route="/predict/{model}",version="1.0.0"} 1.0' in metrics


def test_requests_are_logged_in_one_line_without_their_payload(broken: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "bentoml.tandem")
    broken.post("/v2/models/tiny_rows/infer", content=b'{"inputs": "private"}', headers={"x-request-id": "r1"})
    [line] = [record.getMessage() for record in caplog.records if '"r1"' in record.getMessage()]
    logged = json.loads(line)
    assert logged.pop("ms") > 0
    assert logged == {
        "request": "r1",
        "method": "POST",
        "route": "/v2/models/{model}/infer",
        "model": "tiny_rows",
        "version": "1.0.0",
        "code": 400,
        "reason": "bad_input",
    }


def test_errors_of_our_own_with_500_are_logged(
    broken: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from edge.errors import ConversionError

    def fail(self: Model, inputs: Any) -> Any:
        raise ConversionError("the converter is gone")

    monkeypatch.setattr(Model, "run", fail)
    response = broken.post("/predict/tiny_rows", json={"inputs": [1]}, headers={"x-request-id": "r2"})
    assert (response.status_code, response.json()["reason"]) == (500, "conversion")
    assert "request r2: the converter is gone" in caplog.text


def test_a_caller_that_goes_away_is_counted_as_such(tiny_bundles: Any) -> None:
    app = create_app(Settings(tiny_bundles, device="cpu", models=("tiny_rows",)))
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def go_away() -> None:
        scope = {"type": "http", "method": "POST", "path": "/predict/tiny_rows", "headers": [], "query_string": b"", "root_path": ""}
        async with app.router.lifespan_context(app):
            while not messages or messages[0]["status"] == 503:
                messages.clear()
                await app(dict(scope), receive, send)
                await anyio.sleep(0.01)

    anyio.run(go_away)
    assert messages[0]["status"] == 499
    assert b'"disconnected"' in messages[1]["body"]
