"""The server as people run it: `tandem serve`, `bentoml serve`, and a bento; each ends without leaving a process behind."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from edge.protocol import HEADER_LENGTH, decode_response, encode_request

SERVE = (
    "import argparse; from serving import commands; p = argparse.ArgumentParser(); commands.add_arguments(p); commands.run(p.parse_args())"
)
SECONDS = 120
UNSET = {"BENTOML_DO_NOT_TRACK", "ORT_DISABLE_TELEMETRY", "NO_PROXY", "no_proxy", "HOST", "PORT"}
FIRST_POST = 16  # seconds after its import, by which onnxruntime has posted unless it is silenced


@dataclass(frozen=True)
class Server:
    """A running server."""

    process: psutil.Process
    port: int
    log: Path

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, {key.lower(): value for key, value in response.getheaders()}, response.read()
        finally:
            connection.close()

    def status(self, path: str) -> int:
        try:
            return self.ask("GET", path)[0]
        except OSError:
            return 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def trap() -> Iterator[socket.socket]:
    """A proxy for all traffic to other machines; whoever calls it has tried to phone home."""
    with socket.socket() as trap:
        trap.bind(("127.0.0.1", 0))
        trap.listen()
        yield trap


@pytest.fixture(scope="session")
def environment(trap: socket.socket, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which nobody has switched telemetry off but our own code."""
    proxy = f"http://127.0.0.1:{trap.getsockname()[1]}"
    kept = {key: value for key, value in os.environ.items() if key not in UNSET}
    homes = {"BENTOML_HOME": str(tmp_path_factory.mktemp("bentoml")), "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache"))}
    return {**kept, **homes, "HTTPS_PROXY": proxy, "HTTP_PROXY": proxy, "ALL_PROXY": proxy, "DEVICE": "cpu"}


def unmeasured(environment: dict[str, str]) -> dict[str, str]:
    """Leave coverage out where copies of the sources run."""
    return {key: value for key, value in environment.items() if not key.startswith("COVERAGE_")}


@contextmanager
def running(command: list[str], port: int, environment: dict[str, str], folder: Path, log: Path, stop: signal.Signals) -> Iterator[Server]:
    """Run a server until it is ready, and stop it by a signal; whatever it started must be gone then."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
        family = [psutil.Process(process.pid)]
        server = Server(family[0], port, log)
        try:
            until = time.monotonic() + SECONDS
            while server.status("/v2/health/ready") != 200:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < until, log.read_text()
                time.sleep(0.1)
            family += family[0].children(recursive=True)
            yield server
            process.send_signal(stop)
            assert process.wait(SECONDS) == 0, log.read_text()
            _, alive = psutil.wait_procs(family, SECONDS / 4)
            assert not alive
        finally:
            for member in family:
                if member.is_running():
                    member.kill()
            process.wait()


@pytest.fixture(scope="session")
def server(tiny_bundles: Path, repository: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`tandem serve` over the small models."""
    port, log = free_port(), tmp_path_factory.mktemp("serve") / "log"
    command = [sys.executable, "-c", SERVE, "--bundles", str(tiny_bundles), "--port", str(port), "--models", "tiny_digits,tiny_rows"]
    with running(command, port, environment, repository, log, signal.SIGTERM) as server:
        yield server


def test_health_routes_agree(server: Server) -> None:
    status, _, body = server.ask("GET", "/v2/health/ready")
    assert (status, json.loads(body)["ready"]) == (200, True)
    assert [server.status(path) for path in ("/livez", "/readyz", "/v2/health/live", "/docs", "/openapi.json")] == [200] * 5


def test_it_listens_on_this_machine_alone(server: Server) -> None:
    listening = [connection.laddr for connection in server.process.net_connections("inet") if connection.status == psutil.CONN_LISTEN]
    assert {address.ip for address in listening} == {"127.0.0.1"}
    assert server.port in {address.port for address in listening}


def test_the_fast_loop_and_parser_are_in_use(server: Server) -> None:
    [worker] = [child for child in server.process.children() if "_bentoml_impl.worker.service" in child.cmdline()]
    maps = Path(f"/proc/{worker.pid}/maps")
    if not maps.exists():
        pytest.skip("no /proc here")
    assert "uvloop" in maps.read_text()
    assert "httptools" in maps.read_text()


@pytest.mark.parametrize("binary", [True, False])
def test_inference_over_the_wire(server: Server, binary: bool) -> None:
    message = encode_request({"x": np.array([[1, 2], [3, 4]], np.float32)}, binary=binary)
    status, headers, body = server.ask("POST", "/v2/models/tiny_rows/infer", message.body, dict(message.headers))
    assert status == 200
    assert (HEADER_LENGTH.lower() in headers) == binary
    assert decode_response(body, headers.get(HEADER_LENGTH.lower())).outputs["y"].tolist() == [[1, 4], [9, 16]]


def test_predictions_over_the_wire(server: Server, png: bytes) -> None:
    status, _, body = server.ask("POST", "/predict/tiny_digits", png, {"Content-Type": "image/png"})
    assert status == 200
    assert json.loads(body)["predictions"][0]["label"] in "0123456789"


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_answered_413(server: Server, chunked: bool) -> None:
    pieces = (b"x" * (1 << 20) for _ in range(20))
    body = pieces if chunked else b"".join(pieces)
    status, _, answer = server.ask("POST", "/predict/tiny_digits", body, {"Content-Type": "image/png"})
    assert (status, json.loads(answer)["reason"]) == (413, "too_large")


def test_paths_of_nobody_are_answered_by_us(server: Server) -> None:
    for method, path, expected in (
        ("GET", "/docs.json", 404),
        ("GET", "/static_content/index.css", 404),
        ("POST", "/livez", 405),
        ("DELETE", "/", 405),
    ):
        status, _, body = server.ask(method, path)
        assert (status, set(json.loads(body))) == (expected, {"error", "reason", "request_id"})


def test_metrics_are_ours_alone(server: Server) -> None:
    server.ask("POST", "/predict/tiny_rows", '{"inputs": [2]}', {"Content-Type": "application/json"})
    status, headers, body = server.ask("GET", "/metrics")
    text = body.decode()
    assert (status, headers["content-type"].partition(";")[0]) == (200, "text/plain")
    assert 'tandem_stage_seconds_count{model="tiny_rows",stage="total",version="1.0.0"}' in text
    assert 'tandem_model_ready{model="tiny_rows",version="1.0.0"} 1.0' in text
    families = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert {name for name in families if not name.startswith("tandem_")} == {"process_resident_memory_bytes"}


def test_many_callers_at_once_get_their_own_answers(server: Server) -> None:
    connections = [http.client.HTTPConnection("127.0.0.1", server.port, timeout=SECONDS) for _ in range(16)]
    for i, connection in enumerate(connections):
        connection.request("POST", "/predict/tiny_rows", json.dumps({"inputs": [i]}), {"Content-Type": "application/json"})
    for i, connection in enumerate(connections):
        assert json.loads(connection.getresponse().read())["predictions"] == [{"result": [i * i]}]
        connection.close()


@pytest.fixture(scope="session")
def bento(tiny_bundles: Path, repository: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source folder of a bento, built by `bentoml build` without a network."""
    folder = tmp_path_factory.mktemp("build")
    for name in ("edge", "serving"):
        shutil.copytree(repository / name, folder / name)
    shutil.copy(repository / "bentofile.yaml", folder)
    shutil.copytree(tiny_bundles, folder / "bundles")
    for name in ("report.html", "measurements.json", "provenance.json"):
        (folder / "bundles" / "tiny_rows" / "1.0.0" / name).write_text("{}")
    own = {**unmeasured(environment), "BENTOML_HOME": str(tmp_path_factory.mktemp("bentos"))}
    built = subprocess.run([sys.executable, "-m", "bentoml", "build"], cwd=folder, env=own, capture_output=True, text=True, timeout=SECONDS)
    assert built.returncode == 0, built.stdout + built.stderr
    [source] = Path(own["BENTOML_HOME"]).glob("bentos/tandem/*/src")
    return source


def test_a_bento_holds_what_it_needs_and_no_more(bento: Path, repository: Path) -> None:
    """Every module and page: where the project is installed for development, a served bento would find what it lacks there."""
    held = {path.relative_to(bento).as_posix() for path in bento.rglob("*") if path.is_file()}
    needed = [path for ending in ("py", "html") for name in ("edge", "serving") for path in (repository / name).rglob(f"*.{ending}")]
    assert {path.relative_to(repository).as_posix() for path in needed} <= held
    assert {"bundles/tiny_rows/1.0.0/model.onnx", "bundles/tiny_rows/1.0.0/SHA256SUMS", "bundles/tiny_rows/1.0.0/provenance.json"} <= held
    assert not [name for name in held if "report.html" in name or "measurements.json" in name or "__pycache__" in name]
    assert {name.partition("/")[0] for name in held} == {"edge", "serving", "bundles", "bentofile.yaml"}


def test_a_bento_is_served(bento: Path, environment: dict[str, str], tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "bentoml", "serve", "tandem:latest"]
    own = {**unmeasured(environment), "PORT": str(port), "BENTOML_HOME": str(bento.parents[3])}
    with running(command, port, own, tmp_path, tmp_path / "log", signal.SIGINT) as server:
        status, _, body = server.ask("POST", "/predict/tiny_rows", '{"inputs": [3]}', {"Content-Type": "application/json"})
        assert (status, json.loads(body)["predictions"]) == (200, [{"result": [9.0]}])
        assert server.status("/readyz") == 200
        assert {connection.laddr.ip for connection in server.process.net_connections("inet")} == {"127.0.0.1"}


def test_two_workers_share_all(tiny_bundles: Path, repository: Path, environment: dict[str, str], tmp_path: Path) -> None:
    port, command = free_port(), [sys.executable, "-c", SERVE, "--bundles", str(tiny_bundles), "--models", "tiny_rows", "--workers", "2"]
    own = {**environment, "BENTOML_HOME": str(tmp_path / "home")}
    with running([*command, "--port", str(port)], port, own, repository, tmp_path / "log", signal.SIGTERM) as server:
        while server.log.read_bytes().count(b"is ready") < 2:
            time.sleep(0.1)
        open_ = [http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS) for _ in range(12)]
        for connection in open_:
            connection.request("POST", "/predict/tiny_rows", '{"inputs": [2]}', {"Content-Type": "application/json"})
            assert connection.getresponse().read()
        mine = {connection.sock.getsockname()[1] for connection in open_}
        ends = [[end.raddr.port for end in child.net_connections("inet") if end.raddr] for child in server.process.children(recursive=True)]
        for connection in open_:
            connection.close()
        assert sorted(shares := [len(mine.intersection(ports)) for ports in ends])[-2] >= 4, shares
        time.sleep(1.1)
        text = server.ask("GET", "/metrics")[2].decode()
        assert 'tandem_requests_total{code="200",model="tiny_rows",route="/predict/{model}",version="1.0.0"} 12.0' in text
        assert 'tandem_model_state{model="tiny_rows",state="ready",version="1.0.0"} 2.0' in text


def test_a_server_that_cannot_become_ready_says_so_on_every_health_route(
    repository: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    port = free_port()
    command = [sys.executable, "-m", "bentoml", "serve", "serving.service:TandemService", "--port", str(port)]
    empty = {**environment, "TANDEM_BUNDLES": str(tmp_path), "BENTOML_HOME": str(tmp_path / "home")}
    with (tmp_path / "log").open("wb") as output:
        process = subprocess.Popen(command, cwd=repository, env=empty, stdout=output, stderr=subprocess.STDOUT)
        server = Server(psutil.Process(process.pid), port, tmp_path / "log")
        try:
            until = time.monotonic() + SECONDS
            while not server.status("/livez"):
                assert process.poll() is None, server.log.read_text()
                assert time.monotonic() < until, server.log.read_text()
                time.sleep(0.1)
            assert [server.status(path) for path in ("/livez", "/readyz", "/v2/health/live", "/v2/health/ready")] == [200, 503, 200, 503]
            process.terminate()
            assert process.wait(SECONDS) == 0
        finally:
            process.kill()
            process.wait()


def test_a_wrong_variable_is_one_line_and_no_trace(repository: Path, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "bentoml", "serve", "serving.service:TandemService"]
    wrong = {**environment, "DEVICE": "tpu"}
    ended = subprocess.run(command, cwd=repository, env=wrong, capture_output=True, text=True, timeout=SECONDS)
    assert ended.returncode == 1
    assert "DEVICE is 'tpu', expected one of cpu, cuda, auto" in ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr


def test_nobody_phones_home(server: Server, bento: Path, trap: socket.socket) -> None:
    """Runs last: after building, serving and predicting, the proxy was never called."""
    assert server.status("/v2/health/live") == 200
    trap.settimeout(max(0.5, server.process.create_time() + FIRST_POST - time.time()))
    called = b""
    with suppress(TimeoutError):
        called = trap.accept()[0].recv(1000)
    assert called == b""
