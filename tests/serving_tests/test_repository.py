"""The model repository extension: the index, and loading and unloading where they are switched on."""

import asyncio
import json
import shutil
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from starlette.testclient import TestClient

from serving.safety import Safety
from serving.settings import Settings
from tests.serving_tests.text_models import TEXTS, write_letters

Serve = Callable[[Settings], AbstractContextManager[TestClient]]
LOAD, UNLOAD = "/v2/repository/models/tiny_digits/load", "/v2/repository/models/tiny_digits/unload"
PNG = {"content-type": "image/png"}


class Admin(httpx.Client):
    """A client of the admin port."""

    def __init__(self, port: int) -> None:
        super().__init__(base_url=f"http://127.0.0.1:{port}", trust_env=False)


@pytest.fixture
def admin_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def bundles(tmp_path: Path, digits_writer: Callable[..., Path]) -> Path:
    digits_writer(tmp_path)
    return tmp_path


def states(client: TestClient) -> list[tuple[str, str, str]]:
    return [(model["name"], model["version"], model["state"]) for model in client.post("/v2/repository/index", json={}).json()]


def test_models_are_loaded_on_the_admin_port_alone(bundles: Path, serve: Serve, admin_port: int) -> None:
    with serve(Settings(bundles, device="cpu", safety=Safety(admin_port=admin_port))) as client:
        assert states(client) == [("tiny_digits", "1.0.0", "READY")]
        for path in (LOAD, UNLOAD):
            refused = client.post(path)
            assert (refused.status_code, refused.json()["reason"]) == (403, "admin_off")
            assert "set TANDEM_ADMIN_PORT on the server" in refused.json()["error"]
        with Admin(admin_port) as admin:
            assert admin.get("/v2/health/ready").status_code == 200
            assert admin.get("/nowhere").json()["reason"] == "unknown_path"
            assert admin.post("/predict/tiny_digits", content=b"x").status_code == 404
            page = admin.post(LOAD, headers={"origin": "https://example.org"})
            assert (page.status_code, page.json()["reason"]) == (403, "forbidden")
    with pytest.raises(httpx.ConnectError), Admin(admin_port) as admin:
        admin.post(LOAD)


def test_a_taken_admin_port_is_named(bundles: Path, serve: Serve, admin_port: int) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", admin_port))
        taken.listen()
        with pytest.raises(ExceptionGroup) as refused, serve(Settings(bundles, device="cpu", safety=Safety(admin_port=admin_port))):
            pass
    assert f"cannot listen on 127.0.0.1 port {admin_port}" in str(refused.value.exceptions[0])


def test_a_model_is_unloaded_and_loaded_again(bundles: Path, serve: Serve, admin_port: int, png: bytes) -> None:
    with serve(Settings(bundles, device="cpu", safety=Safety(admin_port=admin_port))) as client, Admin(admin_port) as admin:
        before = client.post("/predict/tiny_digits", content=png, headers=PNG).json()
        assert admin.post(UNLOAD).json() == {"name": "tiny_digits", "state": "UNAVAILABLE"}
        assert client.post("/predict/tiny_digits", content=png, headers=PNG).status_code == 404
        assert admin.post(UNLOAD).status_code == 404
        assert states(client) == [("tiny_digits", "", "UNAVAILABLE")]
        assert 'tandem_model_ready{model="tiny_digits",version="1.0.0"} 0.0' in client.get("/metrics").text
        assert admin.post(LOAD).json() == {"name": "tiny_digits", "version": "1.0.0", "state": "READY"}
        assert client.post("/predict/tiny_digits", content=png, headers=PNG).json() == before


def test_a_newer_version_takes_the_place_of_the_old(
    bundles: Path, serve: Serve, admin_port: int, digits_writer: Callable[..., Path], png: bytes
) -> None:
    with serve(Settings(bundles, device="cpu", safety=Safety(admin_port=admin_port))) as client, Admin(admin_port) as admin:
        assert client.post("/predict/tiny_digits", content=png, headers=PNG).json()["version"] == "1.0.0"
        digits_writer(bundles, version="1.1.0")
        assert admin.post(LOAD).json()["version"] == "1.1.0"
        assert states(client) == [("tiny_digits", "1.1.0", "READY")]
        assert client.post("/predict/tiny_digits", content=png, headers=PNG).json()["version"] == "1.1.0"


def test_what_cannot_be_loaded_leaves_the_old_one_serving(bundles: Path, serve: Serve, admin_port: int, png: bytes) -> None:
    with serve(Settings(bundles, device="cpu", safety=Safety(admin_port=admin_port))) as client, Admin(admin_port) as admin:
        shutil.copytree(bundles / "tiny_digits" / "1.0.0", bundles / "tiny_digits" / "2.0.0")
        refused = admin.post(LOAD)
        assert (refused.status_code, refused.json()["reason"]) == (503, "not_ready")
        assert "tiny_digits 2.0.0 was not loaded" in refused.json()["error"]
        assert client.post("/predict/tiny_digits", content=png, headers=PNG).json()["version"] == "1.0.0"


@pytest.mark.parametrize("name", ["nobody", "..", "%2e%2e", ".", "%00"])
def test_a_name_never_becomes_a_path(bundles: Path, serve: Serve, admin_port: int, name: str) -> None:
    with serve(Settings(bundles, device="cpu", safety=Safety(admin_port=admin_port))), Admin(admin_port) as admin:
        assert admin.post(f"/v2/repository/models/{name}/load").status_code in (404, 405)


def test_loading_again_under_load_loses_no_request(direct: Any) -> None:
    body = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [3]}]}).encode()

    async def test(server: Any) -> None:
        async def ask() -> int:
            return int((await server.ask("/v2/models/tiny_rows/infer", body))[0])

        found: list[int] = []
        for _ in range(3):
            asked = [asyncio.create_task(ask()) for _ in range(20)]
            registry = server.app.inference.border.registry
            await asyncio.to_thread(registry.reload, "tiny_rows")
            found += await asyncio.gather(*asked)
        assert found == [200] * 60
        assert await ask() == 200
        await asyncio.sleep(0.05)
        assert server.app.inference.scheduler.lanes == [server.lane()]

    direct(test)


def test_tritonclient_works_unchanged(bundles: Path, admin_port: int) -> None:
    import threading

    import tritonclient.http as triton
    import uvicorn

    from serving.app import create_app

    write_letters(bundles)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        app = create_app(Settings(bundles, device="cpu", safety=Safety(admin_port=admin_port)))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        client = triton.InferenceServerClient(f"127.0.0.1:{listening.getsockname()[1]}")
        admin = triton.InferenceServerClient(f"127.0.0.1:{admin_port}")
        try:
            use_triton(triton, client, admin)
        finally:
            client.close()
            admin.close()
            server.should_exit = True
            thread.join()


def use_triton(triton: Any, client: Any, admin: Any) -> None:
    while not client.is_server_ready():
        pass
    assert client.is_server_live()
    assert client.is_model_ready("tiny_digits", "1.0.0")
    assert client.get_server_metadata()["name"] == "tandem"
    assert client.get_model_metadata("tiny_digits")["inputs"][0]["datatype"] == "UINT8"
    assert client.get_model_repository_index()[0]["state"] == "READY"
    pixels = np.full((2, 28, 28, 1), 7, np.uint8)
    answers = []
    for binary in (True, False):
        given = triton.InferInput("image", list(pixels.shape), "UINT8")
        given.set_data_from_numpy(pixels, binary_data=binary)
        for wanted in (None, [triton.InferRequestedOutput("logits", binary_data=binary)]):
            answer = client.infer("tiny_digits", [given], outputs=wanted, request_id="r1", headers={"X-Request-Timeout-Ms": "5000"})
            assert answer.get_response()["id"] == "r1"
            answers.append(answer.as_numpy("logits"))
    assert all(answer.shape == (2, 10) and np.allclose(answer, answers[0]) for answer in answers)
    for binary in (True, False):
        given = triton.InferInput("text", [len(TEXTS), 1], "BYTES")
        given.set_data_from_numpy(np.array(TEXTS, dtype=np.object_)[:, None], binary_data=binary)
        assert client.infer("tiny_texts", [given]).as_numpy("logits").shape == (len(TEXTS), 2)
    assert client.get_model_config("tiny_digits", "1.0.0")["input"][0]["data_type"] == "TYPE_UINT8"
    assert client.get_inference_statistics("tiny_digits")["model_stats"][0]["inference_stats"]["success"]["count"] == 4
    assert len(client.get_inference_statistics()["model_stats"]) == 2
    admin.unload_model("tiny_digits")
    assert not client.is_model_ready("tiny_digits")
    admin.load_model("tiny_digits")
    assert client.is_model_ready("tiny_digits")
