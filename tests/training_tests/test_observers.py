"""Those who look on: what TensorBoard and MLflow are given, and that a training is the same with them."""

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from edge.cli import main

WORDS = ["train", "mnist_cnn", "--source", "subset", "--limit", "256", "--epochs", "2"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("plain")
    assert main([*WORDS, "--out", str(out)]) == 0
    return out / "mnist_cnn"


def test_tensorboard_is_given_everything_and_changes_nothing(plain: Path, tmp_path: Path) -> None:
    assert main([*WORDS, "--out", str(tmp_path), "--tensorboard"]) == 0
    folder = tmp_path / "mnist_cnn"
    assert (folder / "1.0.0" / "golden.npz").read_bytes() == (plain / "1.0.0" / "golden.npz").read_bytes()
    (run,) = [path for path in (folder / ".tensorboard").iterdir() if path.is_dir()]
    seen = EventAccumulator(str(run), size_guidance={"histograms": 0})
    seen.Reload()
    tags = seen.Tags()
    assert tags["graph"]
    assert {"training samples", "confusion", "reliability"} <= {tag.split("/")[0] for tag in tags["images"]}
    assert "features/0/0/weight" in tags["histograms"]
    assert [event.step for event in seen.Histograms("features/0/0/weight")] == [1, 2]
    record = json.loads((folder / "1.0.0" / "training.json").read_text())
    (test,) = seen.Scalars("test/accuracy")
    assert test.value == pytest.approx(record["metric"]["test"])
    losses = EventAccumulator(str(run / "loss_validation"))
    losses.Reload()
    assert [event.value for event in losses.Scalars("loss")] == pytest.approx([epoch["validation_loss"] for epoch in record["history"]])


class Tracking(BaseHTTPRequestHandler):
    """As much of MLflow's REST interface as a run needs; remembers what it was told."""

    told: ClassVar[list[tuple[str, dict[str, Any]]]] = []
    fails_after = 10**9
    artifacts = ""

    def answer(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        path = self.path.split("?")[0].rsplit("/2.0/mlflow/", 1)[-1]
        self.told.append((path, body))
        broken = len(self.told) > self.fails_after
        info = {"run_id": "r1", "run_uuid": "r1", "experiment_id": "1", "status": "RUNNING", "artifact_uri": self.artifacts}
        run = {"run": {"info": info}}
        experiment = {"experiment": {"experiment_id": "1", "name": "tandem", "artifact_location": "file:///nowhere"}}
        found = {"experiments/get-by-name": experiment, "runs/create": run, "runs/get": run}.get(path, {})
        content = json.dumps({"error_code": "INVALID_PARAMETER_VALUE", "message": "no more"} if broken else found).encode()
        self.send_response(400 if broken else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_PUT = answer  # noqa: N815

    def log_message(self, *args: object) -> None:
        """Keep the test's output quiet."""


@pytest.fixture
def tracking(tmp_path: Path) -> Iterator[str]:
    Tracking.told, Tracking.fails_after, Tracking.artifacts = [], 10**9, (tmp_path / "artifacts").as_uri()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Tracking)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_mlflow_is_told_settings_figures_and_the_end(plain: Path, tmp_path: Path, tracking: str) -> None:
    assert main([*WORDS, "--out", str(tmp_path), "--mlflow", tracking]) == 0
    params = {body["key"]: body["value"] for path, body in Tracking.told if path == "runs/log-parameter"}
    assert params["model"] == "mnist_cnn"
    assert params["epochs"] == "2"
    metrics = [(body["key"], body["step"]) for path, body in Tracking.told if path == "runs/log-metric"]
    assert ("validation_loss", 1) in metrics
    assert ("validation_loss", 2) in metrics
    assert "test_accuracy" in {key for key, _ in metrics}
    assert [body["status"] for path, body in Tracking.told if path == "runs/update"][-1] == "FINISHED"
    assert "MLFLOW_TRACKING_URI" not in os.environ, "the next training is another, and may not be logged"
    assert {"run.html", "training.json", "curves.png"} <= {path.name for path in (tmp_path / "artifacts").iterdir()}
    assert (tmp_path / "mnist_cnn/1.0.0/golden.npz").read_bytes() == (plain / "1.0.0" / "golden.npz").read_bytes()


def test_a_server_that_fails_later_does_not_end_a_training(tmp_path: Path, tracking: str, capsys: pytest.CaptureFixture[str]) -> None:
    Tracking.fails_after = 22
    assert main([*WORDS, "--out", str(tmp_path), "--mlflow", tracking]) == 0
    said = capsys.readouterr().err
    assert said.count("training goes on without it") == 1
    assert (tmp_path / "mnist_cnn" / "1.0.0" / "SHA256SUMS").is_file()


def test_a_server_that_does_not_answer_is_told_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert main([*WORDS, "--out", str(tmp_path), "--mlflow", "http://127.0.0.1:9"]) == 6
    assert "tandem: --mlflow http://127.0.0.1:9: " in capsys.readouterr().err
    assert not list(tmp_path.rglob("training.json"))
