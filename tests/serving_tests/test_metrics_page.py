"""The metrics: the page and the vocabulary agree, every refusal is counted by its reason, and states and memory are told."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from edge import metric_names as names
from serving.metrics import resident_bytes
from serving.settings import Settings

ROW = re.compile(r"^\| `((?:tandem|process)_\w+)` \| (.*?) \|", re.MULTILINE)


def test_the_page_lists_every_metric_with_its_labels(repository: Path) -> None:
    page = (repository / "docs" / "serving.md").read_text(encoding="utf-8")
    rows = {name: tuple(re.findall(r"`(\w+)`", labels)) for name, labels in ROW.findall(page)}
    assert rows == names.LABELS
    mentioned = set(re.findall(r"\b(?:tandem|process)_\w+_(?:total|seconds|bytes|samples|requests|ready|info|state|limit|device)\b", page))
    assert mentioned <= set(names.HELP)
    for stage in names.STAGES:
        assert f"`{stage}`" in page


def test_every_metric_of_the_vocabulary_is_exposed(client: TestClient) -> None:
    client.post("/predict/tiny_rows", json={"inputs": [1]})
    client.post("/predict/tiny_rows", json={"inputs": "no"})
    text = client.get("/metrics").text
    families = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    assert set(families) - {name.removesuffix("_total") + "_created" for name in families} - {"created"} >= set(names.HELP)
    for name in names.HELP:
        assert re.search(rf"^# HELP {name} {re.escape(names.HELP[name])}$", text, re.MULTILINE), name


def test_states_device_threads_and_memory(client: TestClient, tmp_path: Path, serve: Any) -> None:
    client.post("/predict/tiny_rows", json={"inputs": [1]})
    text = client.get("/metrics").text
    mine = 'model="tiny_rows"'
    assert f'tandem_model_state{{{mine},state="ready",version="1.0.0"}} 1.0' in text
    assert f'tandem_model_state{{{mine},state="loading",version="1.0.0"}} 0.0' in text
    assert f'tandem_model_device{{asked="cpu",{mine},taken="cpu",version="1.0.0"}} 1.0' in text
    assert f'tandem_model_threads{{{mine},version="1.0.0"}} 1.0' in text
    held = float(re.findall(r"^process_resident_memory_bytes (\S+)$", text, re.MULTILINE)[0])
    assert held == pytest.approx(resident_bytes(), rel=0.5)
    state = client.get("/v2/health/ready").json()["models"][0]
    assert (state["state"], state["device"]) == ("READY", {"asked": "cpu", "taken": "cpu"})
    with serve(Settings(tmp_path, device="cpu", models=("missing",))) as other:
        assert 'tandem_model_state{model="missing",state="unavailable",version="none"} 1.0' in other.get("/metrics").text


def test_auto_says_what_it_took_and_why(tiny_bundles: Path, serve: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from edge.runtimes import onnx as adapter

    monkeypatch.setattr(adapter, "_GPU_NODES", (str(tmp_path / "nothing"),))
    with serve(Settings(tiny_bundles, device="auto", models=("tiny_rows",))) as client:
        [state] = client.get("/v2/health/ready").json()["models"]
        assert state["device"] == {"asked": "auto", "taken": "cpu", "why": "this machine has no NVIDIA device"}
        assert 'tandem_model_device{asked="auto",model="tiny_rows",taken="cpu",version="1.0.0"} 1.0' in client.get("/metrics").text


INFER = "/v2/models/tiny_rows/infer"
BODY = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [3]}]}).encode()


@pytest.mark.parametrize(
    ("reason", "code"), [("queue_full", 429), ("draining", 503), ("deadline", 504), ("slow_body", 408), ("too_large", 413)]
)
def test_each_refusal_is_counted_by_its_reason(direct: Any, reason: str, code: int) -> None:
    async def test(server: Any) -> None:
        pieces, options = (BODY,), {}
        lane = server.app.inference
        if reason == "queue_full":
            lane.memory.held = lane.memory.limit
        elif reason == "draining":
            lane._draining = True
        elif reason == "deadline":
            server.lane().latency.scale = 1e9
        elif reason == "slow_body":
            pieces, options = (BODY[:5], BODY[5:]), {"pause": 0.3}
        else:
            pieces = (BODY + b" " * 5000,)
        status, _, answer = await server.ask(INFER, *pieces, **options)
        assert (status, answer["reason"]) == (code, reason)
        labels = (("model", "tiny_rows"), ("reason", reason), ("route", "/v2/models/{model}/infer"), ("version", "1.0.0"))
        server.app._metrics.carry()
        assert server.app._metrics.sums()["tandem_errors_total", labels] == 1
        lane.memory.held, lane._draining = 0, False

    direct(test, body_timeout_ms=100, max_body_bytes=4096)


def test_the_log_has_the_request_id_and_no_payload(tiny_bundles: Path, serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "bentoml.tandem")
    with serve(Settings(tiny_bundles, device="cpu", log_requests=True)) as client:
        client.post("/predict/tiny_rows", json={"inputs": [123456]}, headers={"x-request-id": "mine-1"})
        client.post("/predict/tiny_rows", json={"inputs": "hush"}, headers={"x-request-id": "mine-2"})
    lines = [json.loads(record.getMessage()) for record in caplog.records if record.getMessage().startswith("{")]
    found = {line["request"]: line for line in lines}
    assert (found["mine-1"]["code"], found["mine-2"]["code"], found["mine-2"]["reason"]) == (200, 400, "bad_input")
    assert set(found["mine-1"]) == {"method", "route", "model", "version", "code", "reason", "request", "ms"}
    assert not any("123456" in record.getMessage() or "hush" in record.getMessage() for record in caplog.records)
