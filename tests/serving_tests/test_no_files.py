"""Nothing that a request says reaches the file system: the server process itself notes every file that it touches."""

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serving.api import PAGE

MARK = "zq7mark"
SERVER = """
import json, sys, threading
from pathlib import Path
noted, armed = [], False
WATCHED = ("open", "os.", "shutil.", "glob.", "pathlib.", "tempfile.", "subprocess.", "socket.connect", "ctypes.", "pickle.", "marshal.")
WATCHED += ("exec", "import")
def note(event, given):
    if armed and event.startswith(WATCHED):
        noted.append([event, *map(repr, given)])
sys.addaudithook(note)
import uvicorn
from serving.app import create_app
from serving.settings import Settings
app = create_app(Settings(Path(sys.argv[1]), device="cpu"))
server = uvicorn.Server(uvicorn.Config(app, port=int(sys.argv[2]), log_level="critical", ws="none"))
threading.Thread(target=server.run).start()
for line in sys.stdin:
    armed = line.strip() == "on"
    print(json.dumps(noted), flush=True)
server.should_exit = True
"""


class Noted:
    """A server that notes what it touches while it is told to."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process, self.port = process, port

    def say(self, word: str) -> list[list[str]]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        found: list[list[str]] = json.loads(self.process.stdout.readline())
        return found

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()


@pytest.fixture
def noted(tiny_bundles: Path, repository: Path) -> Iterator[Noted]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", SERVER, str(tiny_bundles), str(port)]
    with subprocess.Popen(command, cwd=repository, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        server = Noted(process, port)
        until = time.monotonic() + 60
        while True:
            try:
                if server.ask("GET", "/v2/health/ready") == 200:
                    break
            except OSError:
                assert process.poll() is None
                assert time.monotonic() < until
            time.sleep(0.05)
        yield server
        assert process.stdin
        process.stdin.close()
        process.wait(30)


def requests(png: bytes, there: Path) -> list[tuple[str, str, bytes, dict[str, str], int]]:
    """Requests that name a file that is there, and words that nothing else says, in every place where a caller may say something."""
    form = f'--xyz\r\nContent-Disposition: form-data; name="image"; filename="{there}"\r\n\r\n'.encode() + png + b"\r\n--xyz--\r\n"
    tensor: dict[str, Any] = {"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [3]}
    infer = json.dumps({"id": MARK, "inputs": [tensor]}).encode()
    wrong = json.dumps({"inputs": [{**tensor, "name": str(there), "parameters": {"shared_memory_region": MARK}}]}).encode()
    kind = "Content_Type"
    return [
        ("POST", "/predict/tiny_digits", png, {kind: "image/png", "X_Request_Id": MARK}, 200),
        ("POST", "/predict/tiny_digits", form, {kind: "multipart/form-data; boundary=xyz"}, 200),
        ("POST", "/predict/tiny_digits", str(there).encode(), {kind: "image/png"}, 415),
        ("POST", "/predict/tiny_digits", json.dumps({"inputs": str(there)}).encode(), {kind: "application/json"}, 400),
        ("POST", "/predict/tiny_digits", json.dumps({"inputs": {"image": str(there)}}).encode(), {kind: "application/json"}, 400),
        ("POST", "/predict/tiny_rows", f"{there}\n".encode(), {kind: "text/csv"}, 400),
        ("POST", "/predict/tiny_rows", b"1,2\n", {kind: "text/csv"}, 200),
        ("POST", "/v2/models/tiny_rows/infer", infer, {}, 200),
        ("POST", "/v2/models/tiny_rows/infer", wrong, {}, 400),
        ("POST", f"/v2/models/tiny_rows/versions/..%2f{MARK}/infer", infer, {}, 404),
        ("POST", f"/predict/{MARK}", b"", {}, 404),
        ("GET", f"/v2/models/..%2f..%2f{MARK}/contract", b"", {}, 404),
        ("GET", f"/v2/models/{MARK}/versions/1.0.0", b"", {}, 404),
        ("GET", f"/{there}", b"", {}, 404),
        ("POST", f"/v2/repository/models/{MARK}/load", b"", {}, 403),
        ("POST", "/v2/repository/index", b'{"ready": true}', {}, 200),
        *(("GET", path, b"", {}, 200) for path in ("/docs", "/openapi.json", "/metrics", "/v2", "/v2/health/ready")),
    ]


def test_no_word_of_a_request_reaches_the_file_system(noted: Noted, png: bytes, tmp_path: Path, tiny_bundles: Path) -> None:
    there = tmp_path / f"{MARK}.png"
    there.write_bytes(png)
    asked = requests(png, there)
    for method, path, body, headers, _ in asked:  # what is imported and looked up once
        noted.ask(method, path, body, **headers)
    assert noted.say("on") == []
    assert [noted.ask(method, path, body, **headers) for method, path, body, headers, _ in asked] == [code for *_, code in asked]
    found = noted.say("off")
    assert found, "the hook notes nothing at all"
    strange = [event for event in found if MARK in str(event)]
    touched = {event[1].strip("'") for event in found if event[0] in ("open", "os.listdir", "os.scandir")}
    assert strange == []
    assert str(PAGE) in touched
    known = (str(PAGE), str(tiny_bundles), "/proc/self/")  # the page, the index of what lies below the bundles, the memory in use
    assert {path for path in touched if not path.startswith(known)} == set()
    assert [event for event in found if event[0] == "open" and event[2] not in ("'r'", "'rb'")] == []
    assert {event[0] for event in found} <= {"open", "os.listdir", "os.scandir"}
