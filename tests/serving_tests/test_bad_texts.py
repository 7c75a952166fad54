"""What is no text for a model of texts is refused in words, whichever step reads it and whichever way it comes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from serving.settings import Settings
from tests.serving_tests.echo_models import ECHOES, write_echo

OTHER = "\u0442\u043e\u0432\u0430\u0440"
HALF = "a\ud83d"
LONG = "win " * 2_621_440  # 10 MB


@pytest.fixture(scope="module")
def echoes(tmp_path_factory: pytest.TempPathFactory, serve: Any) -> Iterator[TestClient]:
    root = tmp_path_factory.mktemp("echoes")
    for name in ECHOES:
        write_echo(root, name)
    with serve(Settings(root, device="cpu", max_batch=8)) as client:
        yield client


def plain(content: bytes) -> dict[str, Any]:
    return {"content": content, "headers": {"content-type": "text/plain"}}


def as_json(text: str) -> dict[str, Any]:
    return {"content": json.dumps({"inputs": [text]}).encode(), "headers": {"content-type": "application/json"}}


def v2(text: str) -> dict[str, Any]:
    document = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": [text]}]}
    return {"content": json.dumps(document).encode(), "headers": {"content-type": "application/json"}}


@pytest.mark.parametrize("model", ECHOES)
@pytest.mark.parametrize(
    ("route", "sent", "code", "words"),
    [
        pytest.param("predict", plain(b"\x89PNG\r\n\x1a\n"), 400, "not UTF-8 at byte 0, expected text", id="binary"),
        pytest.param("predict", plain(b"GIF89a\1\0\1\0"), 400, "it looks like binary content", id="binary that is UTF-8"),
        pytest.param("predict", as_json("GIF89a\1\0\1\0"), 400, "it looks like binary content", id="binary, JSON"),
        pytest.param("v2", v2("GIF89a\1\0\1\0"), 400, "it looks like binary content", id="binary, V2"),
        pytest.param("predict", plain(b"a\xed\xa0\xbd"), 400, "not UTF-8 at byte 1", id="half a character"),
        pytest.param("predict", as_json(HALF), 400, "half a character (a lone surrogate) at 1", id="half a character, JSON"),
        pytest.param("v2", v2(HALF), 400, "half a character (a lone surrogate)", id="half a character, V2"),
        pytest.param("predict", plain(b""), 400, "empty", id="empty"),
        pytest.param("predict", as_json(""), 400, "the text is empty, expected one", id="empty, JSON"),
        pytest.param("v2", v2(" "), 400, "the text is empty, expected one", id="empty, V2"),
        pytest.param("predict", plain(LONG.encode()), 413, "10485760 characters, expected at most 1000000", id="10 MB"),
        pytest.param("predict", as_json(LONG), 413, "10485760 characters, expected at most 1000000", id="10 MB, JSON"),
        pytest.param("v2", v2(LONG), 413, "10485760 characters, expected at most 1000000", id="10 MB, V2"),
    ],
)
def test_what_is_no_text_is_refused_in_words(
    echoes: TestClient, model: str, route: str, sent: dict[str, Any], code: int, words: str
) -> None:
    check_refusal(echoes, model, route, sent, code, words)


def check_refusal(client: TestClient, model: str, route: str, sent: dict[str, Any], code: int, words: str) -> None:
    path = f"/predict/{model}" if route == "predict" else f"/v2/models/{model}/infer"
    response = client.post(path, **sent)
    assert (response.status_code, words in response.json()["error"]) == (code, True), response.text[:300]
    assert "Traceback" not in response.text
    assert len(response.content) < 1000, "a refusal does not send the text back"


@pytest.mark.parametrize("model", ECHOES)
@pytest.mark.parametrize(
    ("route", "sent"),
    [
        pytest.param("predict", plain(OTHER.encode()), id="plain"),
        pytest.param("predict", as_json(OTHER), id="JSON"),
        pytest.param("v2", v2(OTHER), id="V2"),
    ],
)
def test_another_script_is_refused_or_answered_by_unknown_pieces(echoes: TestClient, model: str, route: str, sent: dict[str, Any]) -> None:
    if model == "echo_pieces":  # a tokenizer from elsewhere says itself what it does not know
        path = f"/predict/{model}" if route == "predict" else f"/v2/models/{model}/infer"
        answer = echoes.post(path, **sent).json()
        row = answer["predictions"][0]["result"] if route == "predict" else answer["outputs"][0]["data"]
        assert row == [2, 1, 3, 0, 0, 0, 0, 0]
        return
    words = f"the model does not know '{OTHER}'" if model == "echo_numbers" else "none of the text's letters"
    check_refusal(echoes, model, route, sent, 400, words)


def test_the_next_text_is_answered(echoes: TestClient) -> None:
    for model in ECHOES:
        assert echoes.post(f"/predict/{model}", **plain(b"win a prize")).status_code == 200
        if model != "echo_numbers":
            assert echoes.post(f"/predict/{model}", **as_json(f"win {OTHER}")).status_code == 200


def test_the_largest_text_is_answered(echoes: TestClient) -> None:
    check_refusal(echoes, "echo_numbers", "predict", plain(b"win " * 250_000), 400, "there are 250000 words, expected one")
    for model in set(ECHOES) - {"echo_numbers"}:
        assert echoes.post(f"/predict/{model}", **plain(b"win " * 250_000)).status_code == 200, model
