"""The HTTP border: ids, logs, and what is answered when something goes wrong inside."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from starlette.testclient import TestClient

from edge.errors import ConversionError
from edge.model import Model
from serving.app import create_app
from serving.settings import Settings


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
        async with app.web.router.lifespan_context(app.web):
            while not messages or messages[0]["status"] == 503:
                messages.clear()
                await app(dict(scope), receive, send)
                await anyio.sleep(0.01)

    anyio.run(go_away)
    assert messages[0]["status"] == 499
    assert b'"disconnected"' in messages[1]["body"]
