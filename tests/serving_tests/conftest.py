"""Small real bundles, made without training, and the application over them."""

import asyncio
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from starlette.testclient import TestClient

from edge.contract import SCHEMA, Contract, Graph, Metric, Step, Tensor
from edge.steps import preprocessing
from edge.storage import save_npz, sha256_file, write_sums
from edge.variants import Io, Physical, Variant, dumps
from serving.app import Application, create_app
from serving.batching import Lane
from serving.settings import Settings

Array = np.ndarray[Any, Any]
LABELS = tuple("0123456789")
ELEMENTS = {
    "uint8": TensorProto.UINT8,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "float32": TensorProto.FLOAT,
    "bool": TensorProto.BOOL,
}
DIGITS, ROWS, PAIRS = "tiny_digits", "tiny_rows", "tiny_pairs"
WEIGHTS = np.random.default_rng(7).normal(size=(784, 10)).astype(np.float32) / 784


def write_bundle(root: Path, contract: Contract, nodes: list[Any], constants: dict[str, Array], golden: dict[str, Array]) -> Path:
    """Write a whole released bundle below a folder."""
    folder = root / contract.name / contract.version
    folder.mkdir(parents=True)
    graph = contract.main
    sides = [
        [helper.make_tensor_value_info(t.name, ELEMENTS[t.dtype], list(t.shape)) for t in side] for side in (graph.inputs, graph.outputs)
    ]
    initializers = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    model = helper.make_model(
        helper.make_graph(nodes, contract.name, *sides, initializers), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    onnx.checker.check_model(model)
    onnx.save(model, folder / "model.onnx")
    (folder / "contract.json").write_text(contract.dumps(), encoding="utf-8")
    save_npz(folder / "golden.npz", golden)
    io_ = Io(*(tuple(Physical(t.name, t.dtype, t.layout) for t in side) for side in (graph.inputs, graph.outputs)))
    size, digest = (folder / "model.onnx").stat().st_size, sha256_file(folder / "model.onnx")
    variant = Variant("model.onnx", "onnx", "fp32", ("server",), io_, {}, ("onnxruntime",), 0.9, None, 1.0, 1e-4, size, digest)
    (folder / "variants.json").write_text(dumps((variant,)), encoding="utf-8")
    write_sums(folder, ["contract.json", "golden.npz", "model.onnx", "variants.json"])
    return folder


def tiny_contract(name: str, inputs: tuple[Tensor, ...], output: Tensor, **fields: Any) -> Contract:
    """Make a contract with one output."""
    return Contract(
        SCHEMA,
        name,
        fields.pop("version", "1.0.0"),
        "test",
        (Graph("main", inputs, (output,)),),
        Metric("accuracy", "higher", None),
        **fields,
    )


def write_digits(root: Path, name: str = DIGITS, version: str = "1.0.0", labels: tuple[str, ...] = LABELS) -> Path:
    """Write a classifier of 28×28 grey pictures: one matrix."""
    contract = tiny_contract(
        name,
        (Tensor("image", "uint8", ("batch", 28, 28, 1), "NHWC", (0, 255), "white on black"),),
        Tensor("logits", "float32", ("batch", 10), "NC"),
        version=version,
        preprocess=(Step("decode_image", channels=1), Step("resize", height=28, width=28, filter="bilinear", fit="contain")),
        postprocess=(Step("softmax"), Step("top_k", k=3)),
        labels=labels,
    )
    nodes = [
        helper.make_node("Cast", ["image"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["real", "shape"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
    ]
    raw = [np.random.default_rng(i).integers(0, 256, (20 + i, 24), dtype=np.uint8) for i in range(3)]
    images = np.stack([preprocessing(contract)(picture) for picture in raw])
    logits = images.reshape(3, 784).astype(np.float32) @ WEIGHTS
    golden = {f"raw/{i:03}": picture for i, picture in enumerate(raw)}
    golden |= {"input/image": images, "output/logits": logits, "label": np.array([labels[i] for i in logits.argmax(1)])}
    return write_bundle(root, contract, nodes, {"shape": np.array([-1, 784]), "weights": WEIGHTS}, golden)


def write_rows(root: Path) -> Path:
    """Write a model of plain numbers: the square of each; squares of large numbers overflow."""
    contract = tiny_contract(ROWS, (Tensor("x", "float32", ("batch", "length"), "NC"),), Tensor("y", "float32", ("batch", "length"), "NC"))
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    return write_bundle(root, contract, [helper.make_node("Mul", ["x", "x"], ["y"])], {}, {"input/x": x, "output/y": x * x})


def write_pairs(root: Path) -> Path:
    """Write a model of two inputs, whole numbers of a range and switches of the same length."""
    inputs = (Tensor("ids", "int32", ("batch", "length"), "NL", (0, 99)), Tensor("mask", "bool", ("batch", "length"), "NL"))
    contract = tiny_contract(PAIRS, inputs, Tensor("kept", "int32", ("batch", "length"), "NL"))
    nodes = [helper.make_node("Cast", ["mask"], ["ones"], to=TensorProto.INT32), helper.make_node("Mul", ["ids", "ones"], ["kept"])]
    ids, mask = np.array([[1, 2, 3]], np.int32), np.array([[True, False, True]])
    return write_bundle(root, contract, nodes, {}, {"input/ids": ids, "input/mask": mask, "output/kept": ids * mask})


@pytest.fixture(scope="session")
def tiny_bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of released models."""
    root = tmp_path_factory.mktemp("bundles")
    write_digits(root)
    write_rows(root)
    write_pairs(root)
    return root


@pytest.fixture(scope="session")
def bundle_writer() -> Callable[..., Path]:
    """Writes a released bundle of a contract, ONNX nodes, constants and golden arrays."""
    return write_bundle


@pytest.fixture(scope="session")
def digits_writer() -> Callable[..., Path]:
    """Writes further classifiers."""
    return write_digits


@contextmanager
def serving(settings: Settings) -> Iterator[TestClient]:
    """Run the application in this process; its models have finished loading, one way or the other."""
    app = create_app(settings)
    with TestClient(app, raise_server_exceptions=False, follow_redirects=False) as client:
        while "still loading" in client.get("/v2/health/ready").text:
            pass
        yield client


@pytest.fixture(scope="session")
def serve() -> Callable[[Settings], AbstractContextManager[TestClient]]:
    """Starts the application over given settings."""
    return serving


@pytest.fixture(scope="session")
def client(tiny_bundles: Path) -> Iterator[TestClient]:
    """A client of the application over the small models, with limits that tests can reach."""
    with serving(Settings(tiny_bundles, device="cpu", max_body_bytes=64 << 10, max_batch=8)) as client:
        yield client


@pytest.fixture(scope="session")
def check_refusal(client: TestClient) -> Callable[[str, str, dict[str, Any], int, str], None]:
    """Sends what is malformed, and holds the refusal to its code, to some of its words and to the form that all have."""

    def check(method: str, path: str, sent: dict[str, Any], code: int, words: str) -> None:
        response = client.request(method, path, **sent)
        assert (response.status_code, words in response.json()["error"]) == (code, True), response.text
        assert response.headers["content-type"] == "application/json"
        assert set(response.json()) == {"error", "reason", "request_id"}
        assert response.headers["x-request-id"] == response.json()["request_id"]
        assert "Traceback" not in response.text
        if code == 405:
            assert all(f" {method} " not in f" {allowed} " for allowed in response.headers["allow"].split(", "))

    return check


@pytest.fixture(scope="session")
def picture() -> Callable[..., bytes]:
    """Makes a picture file of noise, always the same."""

    def make(kind: str = "PNG", size: tuple[int, int] = (30, 40), mode: str = "L") -> bytes:
        pixels = np.random.default_rng(3).integers(0, 256, (size[1], size[0], len(mode)), dtype=np.uint8).squeeze()
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, kind)
        return buffer.getvalue()

    return make


@pytest.fixture(scope="session")
def png(picture: Callable[..., bytes]) -> bytes:
    """A picture in a file."""
    return picture()


@pytest.fixture(scope="session")
def infer_body() -> Callable[..., bytes]:
    """Makes V2 requests for the small classifier, with fields of its only input changed, or taken out by `...`."""

    def make(document: dict[str, Any] | None = None, **changes: Any) -> bytes:
        entry: dict[str, Any] = {"name": "image", "datatype": "UINT8", "shape": [1, 28, 28, 1], "data": [7] * 784, **changes}
        entry = {key: value for key, value in entry.items() if value is not ...}
        return json.dumps({"inputs": [entry], **(document or {})}).encode()

    return make


class Direct:
    """The application without a server around it, on the test's event loop: bodies come in pieces, when the test wants."""

    def __init__(self, app: Application) -> None:
        self.app = app

    async def ask(self, path: str, *pieces: bytes, pause: float = 0.0, **headers: str) -> tuple[int, dict[str, str], Any]:
        """Send a body in pieces, with a pause before each but the first."""
        queue = list(pieces)
        sent: list[Any] = []

        async def receive() -> Any:
            if len(queue) != len(pieces):
                await asyncio.sleep(pause)
            return {"type": "http.request", "body": queue.pop(0), "more_body": bool(queue)}

        async def send(message: Any) -> None:
            sent.append(message)

        raw = [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": "POST", "path": path, "headers": raw, "query_string": b"", "root_path": ""}
        await self.app(scope, receive, send)
        answered = {key.decode(): value.decode() for key, value in sent[0]["headers"]}
        return sent[0]["status"], answered, json.loads(sent[1]["body"])

    def lane(self) -> Lane:
        [(_, lane)] = self.app.inference._lanes.values()
        return lane


@pytest.fixture
def direct(tiny_bundles: Path) -> Callable[..., Any]:
    """Runs a coroutine over an application whose model is ready."""

    def run(test: Callable[[Direct], Any], **options: Any) -> Direct:
        direct = Direct(create_app(Settings(tiny_bundles, device="cpu", models=("tiny_rows",), **options)))

        async def main() -> None:
            async with direct.app.web.router.lifespan_context(direct.app.web):
                while (await direct.ask("/v2/models/tiny_rows/infer", b"{"))[0] == 503:
                    await asyncio.sleep(0.01)
                await test(direct)

        asyncio.run(main())
        return direct

    return run


@pytest.fixture(scope="session")
def start(repository: Path) -> Callable[..., AbstractContextManager[tuple[int, Path]]]:
    """Starts `tandem serve` over a folder of models with further words and variables; gives its port and its log once all have loaded."""

    @contextmanager
    def running(bundles: Path, folder: Path, *words: str, **variables: Any) -> Iterator[tuple[int, Path]]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port, log = probe.getsockname()[1], folder / "log"
        code = (
            "import argparse; from serving import commands as c; p = argparse.ArgumentParser(); c.add_arguments(p); c.run(p.parse_args())"
        )
        command = [sys.executable, "-c", code, "--bundles", str(bundles), "--port", str(port), *words]
        given = {"DEVICE": "cpu", "XDG_CACHE_HOME": str(folder), **{name: str(value) for name, value in variables.items()}}
        with log.open("wb") as output:
            process = subprocess.Popen(command, cwd=repository, env={**os.environ, **given}, stdout=output, stderr=subprocess.STDOUT)
            try:
                until, models = time.monotonic() + 60, len([*bundles.iterdir()])
                while log.read_text().count(" is ready: ") + log.read_text().count(" is not ready: ") < models:
                    assert process.poll() is None and time.monotonic() < until, log.read_text()  # noqa: PT018
                    time.sleep(0.1)
                yield port, log
                process.send_signal(signal.SIGTERM)
                assert process.wait(60) == 0, log.read_text()
            finally:
                process.send_signal(signal.SIGTERM)  # where the test failed: killed at once, it would leave its workers behind
                with suppress(subprocess.TimeoutExpired):
                    process.wait(20)
                process.kill()
                process.wait()

    return running
