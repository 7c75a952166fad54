"""Which models are served, in which versions, and what is said about those that are not."""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from edge.model import Model
from serving import registry
from serving.metrics import Metrics
from serving.registry import Registry
from serving.settings import Settings

Serve = Callable[[Settings], AbstractContextManager[TestClient]]


def cpu(bundles: Path, *models: str, device: str = "cpu") -> Settings:
    return Settings(bundles, device=device, models=models)


@pytest.fixture
def two_versions(tmp_path: Path, digits_writer: Callable[..., Path]) -> Path:
    for version in ("1.0.0", "1.10.0", "1.9.0"):
        digits_writer(tmp_path, version=version)
    return tmp_path


def test_the_newest_version_is_served_by_default(two_versions: Path, serve: Serve) -> None:
    with serve(cpu(two_versions)) as client:
        assert client.get("/v2/models/tiny_digits").json()["versions"] == ["1.10.0"]
        refused = client.get("/v2/models/tiny_digits/versions/1.0.0")
    assert refused.status_code == 404
    assert "tiny_digits is not served in version '1.0.0'; there are 1.10.0" in refused.json()["error"]


def test_versions_are_served_side_by_side_when_named(two_versions: Path, serve: Serve, png: bytes) -> None:
    with serve(cpu(two_versions, "tiny_digits@1.9.0", "tiny_digits@1.0.0", "tiny_digits", "tiny_digits@1.10.0")) as client:
        assert client.get("/v2/models/tiny_digits").json()["versions"] == ["1.0.0", "1.9.0", "1.10.0"]
        assert client.get("/v2/models/tiny_digits/ready").json()["version"] == "1.10.0"
        assert client.get("/v2/models/tiny_digits/versions/1.0.0/contract").json()["version"] == "1.0.0"
        assert client.post("/predict/tiny_digits", content=png, headers={"content-type": "image/png"}).json()["version"] == "1.10.0"


def test_without_models_the_server_is_live_and_not_ready(tmp_path: Path, serve: Serve) -> None:
    for bundles in (tmp_path, tmp_path / "nowhere"):
        with serve(cpu(bundles)) as client:
            assert client.get("/v2/health/live").json() == {"live": True}
            ready = client.get("/v2/health/ready")
            assert ready.status_code == 503
            assert ready.json()["ready"] is False
            assert f"no model was found below {bundles}; export one, or set TANDEM_BUNDLES" in ready.json()["error"]
            assert "the models are none" in client.get("/v2/models/x").json()["error"]
            assert list(client.get("/openapi.json").json()["paths"]) == [
                *("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/stats", "/v2/repository/index", "/metrics", "/v1/systems")
            ]


@pytest.mark.parametrize("wanted", ["nothing_here", "tiny_digits@9.9.9"])
def test_a_wanted_model_that_is_missing_keeps_the_server_from_ready(tiny_bundles: Path, serve: Serve, wanted: str) -> None:
    with serve(cpu(tiny_bundles, "tiny_rows", wanted)) as client:
        ready = client.get("/v2/health/ready")
        assert ready.status_code == 503
        assert "holds no bundle" in ready.json()["error"]
        assert client.get("/v2/models/tiny_rows/ready").status_code == 200
        refused = client.get(f"/v2/models/{wanted.partition('@')[0]}/ready")
        assert (refused.status_code, refused.json()["reason"]) == (503, "not_ready")


def damage_file(folder: Path) -> None:
    content = bytearray((folder / "model.onnx").read_bytes())
    content[100] ^= 1
    (folder / "model.onnx").write_bytes(content)


def add_file(folder: Path) -> None:
    (folder / "extra.txt").write_text("?")


def move_version(folder: Path) -> None:
    folder.rename(folder.with_name("2.0.0"))


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (damage_file, "the file was altered or damaged"),
        (add_file, "not listed in SHA256SUMS"),
        (move_version, "the contract says tiny_digits 1.0.0; move it to <name>/<version>"),
    ],
)
def test_a_model_that_fails_says_why_while_others_are_served(
    tiny_bundles: Path, tmp_path: Path, serve: Serve, harm: Callable[[Path], None], words: str, infer_body: Callable[..., bytes]
) -> None:
    root = shutil.copytree(tiny_bundles, tmp_path / "bundles")
    harm(root / "tiny_digits" / "1.0.0")
    with serve(cpu(root)) as client:
        ready = client.get("/v2/health/ready")
        states = {model["name"]: model for model in ready.json()["models"]}
        assert ready.status_code == 503
        assert words in ready.json()["error"]
        assert words in states["tiny_digits"]["message"]
        assert states["tiny_rows"]["ready"] is True
        refused = client.post("/v2/models/tiny_digits/infer", content=infer_body())
        assert (refused.status_code, refused.json()["reason"]) == (503, "not_ready")
        assert words in refused.json()["error"]
        assert client.post("/predict/tiny_rows", json={"inputs": [3]}).json()["predictions"] == [{"result": [9.0]}]
        version = states["tiny_digits"]["version"]
        assert f'tandem_model_ready{{model="tiny_digits",version="{version}"}} 0.0' in client.get("/metrics").text


def test_an_unforeseen_failure_of_one_model_stays_in_the_log(
    tiny_bundles: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    true_open = Model.open

    def opened(path: Path, **options: Any) -> Model:
        if "tiny_digits" in str(path):
            raise KeyError("surprise")
        return true_open(path, **options)

    monkeypatch.setattr(registry.Model, "open", opened)
    models = Registry(cpu(tiny_bundles), Metrics())
    models.load()
    assert not models.ready
    assert models.message == "tiny_digits 1.0.0: could not be loaded (KeyError); the server's log has the details"
    assert "surprise" in caplog.text
    assert models.find("tiny_rows").model is not None
    models.close()
    assert "the server is stopping" in models.message


def test_cuda_that_was_asked_for_is_never_the_cpu(tiny_bundles: Path, serve: Serve) -> None:
    if any(Path(node).exists() for node in ("/dev/nvidiactl", "/dev/dxg")):
        pytest.skip("this machine may have a working CUDA")
    with serve(cpu(tiny_bundles, "tiny_rows", device="cuda")) as client:
        ready = client.get("/v2/health/ready")
        assert ready.status_code == 503
        assert "DEVICE=cuda was asked for" in ready.json()["error"]
        assert client.post("/predict/tiny_rows", json={"inputs": [3]}).status_code == 503


def test_cuda_is_refused_too_where_the_runtime_does_not_know_devices(tiny_bundles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    true_open = Model.open
    monkeypatch.setattr(registry.Model, "open", lambda path, **options: true_open(path, **{**options, "device": "cpu"}))
    models = Registry(cpu(tiny_bundles, "tiny_rows", device="cuda"), Metrics())
    models.load()
    assert "runs on CPUExecutionProvider; set DEVICE=cpu or auto" in models.message


def test_while_models_load_the_server_is_live_and_says_so(tiny_bundles: Path) -> None:
    models = Registry(cpu(tiny_bundles), Metrics())
    assert not models.ready
    assert models.message.count("still loading") == 3
