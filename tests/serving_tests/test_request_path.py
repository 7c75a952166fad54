"""The request path: which requests it takes, what it says about itself, and what stands around it in BentoML."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from edge.model import Model
from edge.protocol import encode_request
from serving import app as application
from serving.path import target
from serving.settings import Settings

ROWS = "/v2/models/tiny_rows/infer"
BODY = encode_request({"x": np.ones((1, 1), np.float32)}, binary=False).body


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/predict/net", ("/predict/{model}", "net", None)),
        ("/v2/models/net/infer", ("/v2/models/{model}/infer", "net", None)),
        ("/v2/models/net/versions/1.0.0/infer", ("/v2/models/{model}/versions/{version}/infer", "net", "1.0.0")),
        ("/predict/", None),
        ("/predict/a/b", None),
        ("/v2/models//infer", None),
        ("/v2/models/infer", None),
        ("/v2/models/net/versions//infer", None),
        ("/v2/models/net/version/1/infer", None),
        ("/v3/models/net/infer", None),
        ("infer", None),
        ("", None),
    ],
)
def test_paths_are_told_apart(path: str, expected: Any) -> None:
    assert target(path) == expected


@pytest.fixture
def unbatched(tiny_bundles: Path, serve: Callable[[Settings], AbstractContextManager[TestClient]]) -> Iterator[TestClient]:
    """A server without batching."""
    with serve(Settings(tiny_bundles, device="cpu", models=("tiny_rows",), batching=False)) as client:
        yield client


def test_batching_can_be_off_and_is_said_to_be(unbatched: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    assert unbatched.post("/predict/tiny_rows", json={"inputs": [[1], [2]]}).status_code == 200
    metrics = unbatched.get("/metrics").text
    assert 'tandem_batch_limit{model="tiny_rows",version="1.0.0"} 1.0' in metrics
    assert 'tandem_batch_samples_bucket{le="2.0",model="tiny_rows",version="1.0.0"} 1.0' in metrics
    assert 'tandem_batch_samples_bucket{le="1.0",model="tiny_rows",version="1.0.0"} 0.0' in metrics


def test_the_gauges_are_sampled_without_being_asked(direct: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "SAMPLE_S", 0.01)

    async def test(server: Any) -> None:
        await asyncio.sleep(0.05)
        assert "tandem_queue_requests{" in server.app.inference._metrics.exposition().decode()

    direct(test)


def test_a_replaced_model_has_a_queue_of_its_own(direct: Any, tiny_bundles: Path) -> None:
    async def test(server: Any) -> None:
        before = server.lane()
        [entry] = server.app.inference.border.registry.entries
        entry.model = Model.open(tiny_bundles / "tiny_rows", target="server")
        assert (await server.ask(ROWS, BODY))[0] == 200
        assert server.lane() is not before
        assert server.app.inference.scheduler.lanes == [server.lane()]

    direct(test)


HOOK = """
import asyncio, sys
import bentoml
calls = []
async def host(scope, receive, send):
    calls.append(scope["type"] + scope.get("path", ""))
bentoml.Service.to_asgi = lambda self, is_main=True: host
from serving.service import TandemService
async def ask(kind, method, path):
    sent = []
    async def receive():
        return {"type": "http.request", "body": b""}
    async def send(message):
        sent.append(message)
    await TandemService.to_asgi(is_main=True)({"type": kind, "method": method, "path": path, "headers": []}, receive, send)
    return sent[0]["status"] if sent else None
answers = [asyncio.run(ask(*asked)) for asked in (
    ("http", "POST", "/predict/x"), ("http", "POST", "/v2/models/x/infer"), ("http", "GET", "/predict/x"),
    ("http", "GET", "/livez"), ("lifespan", "", ""))]
print(bentoml.__version__.rpartition(".")[0], answers, calls)
"""


def test_inference_comes_before_bentoml_and_all_else_is_bentomls(repository: Path, tmp_path: Path) -> None:
    """The hook is in BentoML's signature and not in its documentation: a new version of BentoML has to pass here."""
    environment = {"PATH": "", "TANDEM_BUNDLES": str(tmp_path), "BENTOML_HOME": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", HOOK], cwd=repository, env=environment, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1:] == ["1.4 [404, 404, None, None, None] ['http/predict/x', 'http/livez', 'lifespan']"], done.stderr
