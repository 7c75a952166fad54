"""What `tandem doctor` says of a server, step by step, and of the GPU of one."""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from edge import __version__
from edge.doctor import cuda, server
from edge.errors import RemoteError

Tandem = Callable[..., tuple[int, str, str]]
READY = [{"name": "mnist_cnn", "version": "1.0.0", "state": "READY", "reason": ""}]


class Answers(BaseHTTPRequestHandler):
    """Answers each path with what the test has put there: a status and a document."""

    documents: ClassVar[dict[str, tuple[int, Any]]] = {}

    def do_GET(self) -> None:
        status, document = self.documents.get(self.path, (404, {"error": "nothing here"}))
        content = document.encode() if isinstance(document, str) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def log_message(self, *words: Any) -> None:
        del words


@pytest.fixture
def running() -> Iterator[str]:
    """A server on a port of its own; give its address."""
    with HTTPServer(("127.0.0.1", 0), Answers) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


TANDEM = (200, {"name": "tandem", "version": __version__, "extensions": []})


@pytest.mark.parametrize(
    ("root", "index", "states", "fragment"),
    [
        pytest.param(TANDEM, (200, READY), ["ok", "ok", "ok"], "1 ready: mnist_cnn 1.0.0", id="well"),
        pytest.param(
            TANDEM,
            (200, [{**READY[0], "state": "UNAVAILABLE", "reason": "moved"}]),
            ["ok", "ok", "warning"],
            "mnist_cnn (moved)",
            id="not ready",
        ),
        pytest.param(
            TANDEM,
            (200, [*READY, {"name": "b", "version": "1.0.0", "state": "UNAVAILABLE", "reason": "not loaded"}]),
            ["ok", "ok", "ok"],
            "1 ready: mnist_cnn 1.0.0; 1 more lie there and are not served",
            id="some are not wanted",
        ),
        pytest.param(TANDEM, (200, []), ["ok", "ok", "warning"], "none is served", id="no models"),
        pytest.param(TANDEM, (401, {"error": "who?"}), ["ok", "ok", "warning"], "it asks for a token (401)", id="a token"),
        pytest.param(TANDEM, (500, {"error": "oh"}), ["ok", "ok", "problem"], "answers 500: oh", id="broken"),
        pytest.param((200, {"name": "tandem", "version": "7.1.0"}), (200, READY), ["ok", "warning", "ok"], "7.1.0, this is ", id="newer"),
        pytest.param((200, {"name": "triton", "version": "2"}), (200, READY), ["ok", "warning", "ok"], "triton 2", id="another server"),
        pytest.param((200, "<html>log in</html>"), (200, READY), ["ok", "problem"], "no Tandem server", id="a login page"),
        pytest.param((404, "nothing"), (200, READY), ["ok", "problem"], "answers 404", id="something else"),
    ],
)
def test_server(running: str, monkeypatch: pytest.MonkeyPatch, root: Any, index: Any, states: list[str], fragment: str) -> None:
    monkeypatch.setattr(Answers, "documents", {"/v2": root, "/v2/repository/index": index})
    findings = server.examine(running, timeout_s=5)
    assert [finding.state for finding in findings] == states
    assert fragment in " ".join(finding.found for finding in findings)


def test_nothing_listens(tandem: Tandem) -> None:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    (found,) = server.examine(address)
    assert (found.state, found.found.rpartition(": ")[2]) == ("problem", "nothing listens there")


@pytest.mark.parametrize(
    "address", ["models.example", "http://a:port", "http://a:99999", "http://a:0", "http://[::1", "ftp://a", "http://"]
)
def test_no_address_of_a_server(tandem: Tandem, address: str) -> None:
    code, out, err = tandem("doctor", "--server", address)
    assert (code, out) == (2, "")
    assert err == f"tandem: the server's address is {address!r}, expected one such as http://127.0.0.1:3000\n"


def test_https_where_no_tls_is_spoken(running: str) -> None:
    (found,) = server.examine(running.replace("http:", "https:"), timeout_s=5)
    assert found.state == "problem"
    assert "no TLS is spoken there" in found.found
    assert "http://" in found.remedy


class Refused(ssl.SSLCertVerificationError):
    """What the handshake raises, with the reason that OpenSSL gives."""

    def __init__(self, reason: str) -> None:
        super().__init__(1, "certificate verify failed")
        self.verify_message = reason


@pytest.mark.parametrize(
    ("error", "fragment", "remedy"),
    [
        pytest.param(Refused("certificate is not yet valid"), "not yet valid", "set the clock of this device", id="a clock in the past"),
        pytest.param(Refused("certificate has expired"), "has expired", "renew the server's certificate", id="expired"),
        pytest.param(Refused("self-signed certificate"), "self-signed", "SSL_CERT_FILE", id="self-signed"),
        pytest.param(Refused("Hostname mismatch, certificate is not valid"), "mismatch", "the name for which", id="another name"),
        pytest.param(socket.gaierror(-2, "Name or service not known"), "no such name", "check the address", id="no such name"),
        pytest.param(TimeoutError(), "no answer within 5 s", "firewall", id="swallowed"),
        pytest.param(OSError(101, "Network is unreachable"), "Network is unreachable", "network", id="no network"),
    ],
)
def test_connection_in_words(monkeypatch: pytest.MonkeyPatch, error: OSError, fragment: str, remedy: str) -> None:
    def refuse(*words: Any, **options: Any) -> Any:
        raise error

    monkeypatch.setattr(server.socket, "create_connection", refuse)
    (found,) = server.examine("https://models.example", timeout_s=5)
    assert found.state == "problem"
    assert fragment in found.found
    assert remedy in found.remedy
    assert "models.example" in found.found


def test_many_models_are_shortened() -> None:
    many = [{**READY[0], "name": f"m{i}"} for i in range(9)]
    assert server.models(many).found.endswith("m5 1.0.0 and 3 more")
    assert server.models([{**one, "state": "UNAVAILABLE"} for one in many]).found.endswith("and 3 more")
    assert server.answer(RemoteError("cut off")).state == "problem"


class Driver:
    """Stands in for libcuda: one H200, CUDA 13.0."""

    def __init__(self, code: int = 0, count: int = 1) -> None:
        self.code, self.count = code, count

    def cuInit(self, flags: int) -> int:
        del flags
        return self.code

    def cuDriverGetVersion(self, number: Any) -> None:
        number._obj.value = 13000

    def cuDeviceGetCount(self, number: Any) -> None:
        number._obj.value = self.count

    def cuDeviceGetName(self, name: Any, length: int, index: int) -> None:
        del length, index
        name.value = b"NVIDIA H200"


def loader(*absent: str, driver: Any = None) -> Callable[[str], Any]:
    """Load whatever is not absent; the system finds no library by its name alone unless it is the driver."""

    def load(name: str) -> Any:
        if name == cuda.DRIVER and driver is not None:
            return driver
        if any(part in name for part in absent) or (name.startswith("lib") and "/" not in name):
            raise OSError(f"{name}: cannot open shared object file: No such file or directory")
        return object()

    return load


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder with onnxruntime-gpu and NVIDIA's wheels, by name alone."""
    capi = tmp_path / "onnxruntime/capi"
    capi.mkdir(parents=True)
    (capi / "build_and_package_info.py").write_text("package_name = 'onnxruntime-gpu'\ncuda_version = '13.0'\n", encoding="ascii")
    for name in cuda.needed("13"):
        path = tmp_path / "nvidia" / ("cudnn" if "cudnn" in name else "cu13") / "lib" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def test_gpu_with_everything(packages: Path) -> None:
    names, said = cuda.gpus(loader(driver=Driver()))
    assert (names, said) == (["NVIDIA H200"], "the driver supports CUDA 13.0")
    found = cuda.libraries(loader(), packages)
    assert found.state == "ok"
    assert "libcudnn.so.9" in found.found


@pytest.mark.parametrize(
    ("absent", "fragment"),
    [
        pytest.param(["cudnn"], "for CUDA 13 these are missing: libcudnn.so.9", id="cuDNN"),
        pytest.param(["cublas"], "for CUDA 13 these are missing: libcublasLt.so.13, libcublas.so.13", id="cuBLAS"),
        pytest.param(["providers_cuda"], "CUDA provider does not load", id="the provider"),
    ],
)
def test_missing_library_is_named(packages: Path, absent: list[str], fragment: str) -> None:
    found = cuda.libraries(loader(*absent), packages)
    assert found.state == "problem"
    assert fragment in found.found
    assert "onnxruntime-gpu[cuda,cudnn]" in found.remedy


@pytest.mark.parametrize(
    ("node", "driver", "state", "fragment"),
    [
        pytest.param(None, None, "ok", "the server runs on the processor", id="no GPU"),
        pytest.param("dev/nvidiactl", None, "warning", "/dev/nvidiactl is there, but CUDA finds no GPU", id="no driver"),
        pytest.param("dev/nvidiactl", Driver(code=100), "warning", "cuInit gives error 100", id="a driver that refuses"),
        pytest.param("dev/nvidiactl", Driver(), "ok", "NVIDIA H200", id="a GPU"),
    ],
)
def test_gpu(tmp_path: Path, node: str | None, driver: Any, state: str, fragment: str) -> None:
    if node:
        (tmp_path / node).parent.mkdir(parents=True)
        (tmp_path / node).touch()
    found = cuda.examine(tmp_path, loader(driver=driver))
    assert found[0].state == state
    assert fragment in found[0].found
    assert len(found) == (2 if driver is not None and not driver.code else 1)
