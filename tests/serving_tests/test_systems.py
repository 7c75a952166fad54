"""Systems over HTTP: there while their models are, every kind of body, bounded, refused in words, counted, described."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from edge import systems
from serving.settings import Settings
from tests.serving_tests.echo_system import Echo

Serve = Callable[[Settings], AbstractContextManager[TestClient]]
ECHO = "/v1/systems/echo"


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Echo]]:
    """The system of tests, listed."""
    monkeypatch.setitem(systems.SYSTEMS, "echo", "tests.serving_tests.echo_system")
    monkeypatch.setattr(Echo, "gate", threading.Event())
    Echo.gate.set()
    Echo.made = 0
    yield Echo
    Echo.gate.set()


@pytest.fixture
def asked(echo: type[Echo], tiny_bundles: Path, serve: Serve, tmp_path: Path) -> Iterator[TestClient]:
    """A server that has it, with a folder for what it is told and limits that tests can reach."""
    with serve(Settings(tiny_bundles, device="cpu", max_body_bytes=64 << 10, keep=tmp_path)) as client:
        yield client


def test_every_kind_of_body_is_answered(asked: TestClient, png: bytes, tmp_path: Path) -> None:
    told = asked.post(ECHO, json={"rows": [1, 2, 3]}).json()
    assert told["squares"] == [1, 4, 9]
    assert told["parts"] == ["digits", "squares"], "an optional model that is served plays, one that is not is left out"
    assert told["keep"] == str(tmp_path / "echo")
    assert asked.post(ECHO, content="héllo", headers={"Content-Type": "text/plain"}).json()["fields"] == {"text": "héllo"}
    assert asked.post(ECHO, content=png, headers={"Content-Type": "image/png"}).json()["sizes"] == [[40, 30, 3]]
    form = asked.post(ECHO, files={"image": ("a.png", png)}, data={"name": "Ann"}).json()
    assert (form["sizes"], form["fields"]) == ([[40, 30, 3]], {"name": "Ann"})
    assert Echo.made == 1, "put together once"


@pytest.mark.parametrize(
    ("sent", "code", "words"),
    [
        pytest.param({"content": b""}, 400, "is empty", id="nothing"),
        pytest.param({"content": b"[1]"}, 400, "expected a JSON object", id="a list"),
        pytest.param({"content": b'{"a": 1'}, 400, "not valid JSON", id="JSON cut off"),
        pytest.param({"content": b"x", "headers": {"Content-Type": "video/mp4"}}, 415, "expected one of application/json", id="a video"),
        pytest.param({"content": b"x", "headers": {"Content-Type": "image/png"}}, 415, "not a picture", id="no picture"),
        pytest.param({"content": b"\xff", "headers": {"Content-Type": "text/plain"}}, 400, "not UTF-8", id="no text"),
        pytest.param({"files": {"image": b"GIF87a"}, "data": {"a": ["1", "2"]}}, 400, "twice", id="a field twice"),
        pytest.param({"files": {"a": b"x" * 70_000}}, 413, "larger than 65536", id="more than a body may have"),
        pytest.param({"json": {"refuse": 1}}, 400, "nothing of that kind", id="the system refuses"),
        pytest.param({"json": {"fail": 1}}, 500, "the server failed", id="the system has a defect"),
        pytest.param({"json": {}, "headers": {"X-Request-Timeout-Ms": "soon"}}, 400, "whole milliseconds", id="a deadline in words"),
        pytest.param({"json": {}, "headers": {"Origin": "http://evil.example"}}, 403, "another origin", id="a page of another origin"),
        pytest.param({"json": {}, "headers": {"Origin": "http://["}}, 403, "another origin", id="an origin that is no address"),
        pytest.param({"json": {}, "headers": {"Origin": "null", "Host": ""}}, 403, "another origin", id="neither origin nor host"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(asked: TestClient, sent: dict[str, Any], code: int, words: str) -> None:
    response = asked.post(ECHO, **sent)
    assert (response.status_code, words in response.json()["error"]) == (code, True), response.text
    assert set(response.json()) == {"error", "reason", "request_id"}


def test_pages_of_this_server_and_of_allowed_origins_may_ask(echo: type[Echo], tiny_bundles: Path, serve: Serve) -> None:
    from serving.safety import Safety

    with serve(Settings(tiny_bundles, device="cpu", safety=Safety(origins=("https://ours.example",)))) as client:
        for origin in ("http://testserver", "https://ours.example"):
            assert client.post(ECHO, json={}, headers={"Origin": origin}).status_code == 200
        assert client.post(ECHO, json={}).json()["keep"] is None, "without a folder nothing is kept"


def test_a_system_is_listed_described_and_counted(asked: TestClient) -> None:
    [found] = [item for item in asked.get("/v1/systems").json()["systems"] if item["name"] == "echo"]
    assert (found["ready"], found["needs"]) == (True, {"squares": "tiny_rows"})
    page = asked.get(ECHO)
    assert page.status_code == 200
    assert "<h1>echo</h1>" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert not [word for word in ("http://", "https://", "src=", "@import", "@NAME@") if word in page.text]
    described = asked.get("/openapi.json").json()["paths"][ECHO]
    assert set(described) == {"get", "post"}
    examples = described["post"]["requestBody"]["content"]["application/json"]["examples"]
    assert asked.post(ECHO, json=examples["two numbers"]["value"]).json()["squares"] == [1, 4]
    assert asked.delete(ECHO).headers["allow"] == "GET, HEAD, POST"
    text = asked.get("/metrics").text
    assert f'tandem_requests_total{{code="200",model="",route="{ECHO}",version=""}}' in text
    assert 'tandem_stage_seconds_count{model="echo",stage="total",version=""} 1.0' in text


def test_a_system_without_its_models_is_not_there(echo: type[Echo], tiny_bundles: Path, serve: Serve) -> None:
    with serve(Settings(tiny_bundles, device="cpu", models=("tiny_digits",))) as client:
        for response in (client.get(ECHO), client.post(ECHO, json={})):
            assert (response.status_code, "tiny_rows is not served" in response.json()["error"]) == (404, True)
        assert ECHO not in client.get("/openapi.json").json()["paths"]
        assert [item["message"] for item in client.get("/v1/systems").json()["systems"] if item["name"] == "echo"] == [
            "tiny_rows is not served"
        ]
        assert client.post("/v1/systems/none", json={}).status_code == 404
    assert Echo.made == 0


def test_what_waits_is_bounded_and_late_answers_are_not_begun(echo: type[Echo], tiny_bundles: Path, serve: Serve) -> None:
    settings = Settings(tiny_bundles, device="cpu", queue_requests=1)
    answers: list[int] = []
    with serve(settings) as client:
        most = client.app.systems._threads + 1  # type: ignore[attr-defined]
        echo.gate.clear()

        def ask(timeout: str) -> None:
            answers.append(client.post(ECHO, json={}, headers={"X-Request-Timeout-Ms": timeout}).status_code)

        threads = [threading.Thread(target=ask, args=("9000" if i < most - 1 else "50",)) for i in range(most)]
        for i, thread in enumerate(threads):
            thread.start()
            while client.app.systems._accepted <= i:  # type: ignore[attr-defined]
                pass
        refused = client.post(ECHO, json={})
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        threading.Event().wait(0.1)
        echo.gate.set()
        for thread in threads:
            thread.join()
        assert sorted(answers) == [200] * (most - 1) + [504]
        assert client.post(ECHO, json={}).status_code == 200, "what was counted has been let go"
