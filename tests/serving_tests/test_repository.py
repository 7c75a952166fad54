"""The model repository extension: the index, and loading and unloading where they are switched on."""

import asyncio
import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from serving.settings import Settings

Serve = Callable[[Settings], AbstractContextManager[TestClient]]
LOAD, UNLOAD = "/v2/repository/models/tiny_digits/load", "/v2/repository/models/tiny_digits/unload"
PNG = {"content-type": "image/png"}


@pytest.fixture
def bundles(tmp_path: Path, digits_writer: Callable[..., Path]) -> Path:
    digits_writer(tmp_path)
    return tmp_path


def states(client: TestClient) -> list[tuple[str, str, str]]:
    return [(model["name"], model["version"], model["state"]) for model in client.post("/v2/repository/index", json={}).json()]


def test_loading_is_off_unless_it_is_allowed(bundles: Path, serve: Serve) -> None:
    with serve(Settings(bundles, device="cpu")) as client:
        assert states(client) == [("tiny_digits", "1.0.0", "READY")]
        for path in (LOAD, UNLOAD):
            refused = client.post(path)
            assert (refused.status_code, refused.json()["reason"]) == (403, "admin_off")
            assert "set TANDEM_ADMIN=1 on the server" in refused.json()["error"]
    with serve(Settings(bundles, device="cpu", admin=True, workers=2)) as client:
        assert "2 workers serve" in client.post(LOAD).json()["error"]


def test_a_model_is_unloaded_and_loaded_again(bundles: Path, serve: Serve, png: bytes) -> None:
    with serve(Settings(bundles, device="cpu", admin=True)) as client:
        before = client.post("/predict/tiny_digits", content=png, headers=PNG).json()
        assert client.post(UNLOAD).json() == {"name": "tiny_digits", "state": "UNAVAILABLE"}
        assert client.post("/predict/tiny_digits", content=png, headers=PNG).status_code == 404
        assert client.post(UNLOAD).status_code == 404
        assert states(client) == [("tiny_digits", "", "UNAVAILABLE")]
        assert 'tandem_model_ready{model="tiny_digits",version="1.0.0"} 0.0' in client.get("/metrics").text
        assert client.post(LOAD).json() == {"name": "tiny_digits", "version": "1.0.0", "state": "READY"}
        assert client.post("/predict/tiny_digits", content=png, headers=PNG).json() == before


def test_a_newer_version_takes_the_place_of_the_old(bundles: Path, serve: Serve, digits_writer: Callable[..., Path], png: bytes) -> None:
    with serve(Settings(bundles, device="cpu", admin=True)) as client:
        assert client.post("/predict/tiny_digits", content=png, headers=PNG).json()["version"] == "1.0.0"
        digits_writer(bundles, version="1.1.0")
        assert client.post(LOAD).json()["version"] == "1.1.0"
        assert states(client) == [("tiny_digits", "1.1.0", "READY")]
        assert client.post("/predict/tiny_digits", content=png, headers=PNG).json()["version"] == "1.1.0"


def test_what_cannot_be_loaded_leaves_the_old_one_serving(bundles: Path, serve: Serve, png: bytes) -> None:
    with serve(Settings(bundles, device="cpu", admin=True)) as client:
        shutil.copytree(bundles / "tiny_digits" / "1.0.0", bundles / "tiny_digits" / "2.0.0")
        refused = client.post(LOAD)
        assert (refused.status_code, refused.json()["reason"]) == (503, "not_ready")
        assert "tiny_digits 2.0.0 was not loaded" in refused.json()["error"]
        assert client.post("/predict/tiny_digits", content=png, headers=PNG).json()["version"] == "1.0.0"


@pytest.mark.parametrize("name", ["nobody", "..", "%2e%2e", ".", "%00"])
def test_a_name_never_becomes_a_path(bundles: Path, serve: Serve, name: str) -> None:
    with serve(Settings(bundles, device="cpu", admin=True)) as client:
        assert client.post(f"/v2/repository/models/{name}/load").status_code in (404, 405)


def test_loading_again_under_load_loses_no_request(direct: Any) -> None:
    body = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [3]}]}).encode()

    async def test(server: Any) -> None:
        async def ask() -> int:
            return int((await server.ask("/v2/models/tiny_rows/infer", body))[0])

        found: list[int] = []
        for _ in range(3):
            asked = [asyncio.create_task(ask()) for _ in range(20)]
            registry = server.app.inference._border.registry
            await asyncio.to_thread(registry.reload, "tiny_rows")
            found += await asyncio.gather(*asked)
        assert found == [200] * 60
        assert await ask() == 200
        await asyncio.sleep(0.05)
        assert server.app.inference._scheduler.lanes == [server.lane()]

    direct(test, admin=True)


def test_tritonclient_works_unchanged(bundles: Path) -> None:
    triton = pytest.importorskip("tritonclient.http", reason="tritonclient is not installed here: pip install tritonclient[http] to try it")
    import socket
    import threading

    import uvicorn

    from serving.app import create_app

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        app = create_app(Settings(bundles, device="cpu", admin=True))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        client = triton.InferenceServerClient(f"127.0.0.1:{listening.getsockname()[1]}")
        try:
            use_triton(triton, client)
        finally:
            client.close()
            server.should_exit = True
            thread.join()


def use_triton(triton: Any, client: Any) -> None:
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
    client.unload_model("tiny_digits")
    assert not client.is_model_ready("tiny_digits")
    client.load_model("tiny_digits")
    assert client.is_model_ready("tiny_digits")
