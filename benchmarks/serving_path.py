"""Time the request path: a closed loop of keep-alive connections against servers started from one or several checkouts.

    python benchmarks/serving_path.py                         # this tree
    python benchmarks/serving_path.py . ../before --seconds 3 # compare, in interleaved rounds of one run

Each round asks every server in turn, so that a busy machine disturbs all of them alike. Figures are medians over rounds;
differences below 20 % mean nothing. Servers and client listen and talk on 127.0.0.1 alone.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edge.bundle import open_bundle
from edge.protocol import encode_request

READY_S = 120


class Connection(asyncio.Protocol):
    """Sends one request, and again as soon as its answer is whole, until told to stop."""

    def __init__(self, request: bytes) -> None:
        self.request, self.stop = request, False
        self.latencies: list[float] = []
        self.refused = 0
        self.closed = asyncio.get_running_loop().create_future()
        self._pending, self._length = b"", -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert_transport(transport)
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]  # checked above
        self._send()

    def data_received(self, data: bytes) -> None:
        """Collect an answer, and send the next request when it is whole."""
        self._pending += data
        if self._length < 0:
            end = self._pending.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._pending[:end].lower()
            self.refused += not head.startswith(b"http/1.1 200")
            self._length = end + 4 + int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(self._pending) >= self._length:
            self.latencies.append(time.perf_counter() - self._start)
            self._pending, self._length = b"", -1
            self.transport.close() if self.stop else self._send()

    def connection_lost(self, _: Exception | None) -> None:
        """Note the end."""
        if not self.closed.done():
            self.closed.set_result(None)

    def _send(self) -> None:
        self._start = time.perf_counter()
        self.transport.write(self.request)


def assert_transport(transport: asyncio.BaseTransport) -> None:
    """Refuse a transport that cannot be written to."""
    if not isinstance(transport, asyncio.Transport):
        raise TypeError(f"{transport!r} is no stream")


async def ask(port: int, request: bytes, connections: int, seconds: float) -> tuple[float, list[float], int]:
    """Ask for some seconds; gives requests per second, sorted latencies in seconds, and how many were refused."""
    loop = asyncio.get_running_loop()
    open_ = [(await loop.create_connection(lambda: Connection(request), "127.0.0.1", port))[1] for _ in range(connections)]
    start = time.perf_counter()
    await asyncio.sleep(seconds)
    for connection in open_:
        connection.stop = True
    await asyncio.wait([connection.closed for connection in open_], timeout=10)
    took = time.perf_counter() - start
    latencies = sorted(value for connection in open_ for value in connection.latencies)
    return len(latencies) / took, latencies, sum(connection.refused for connection in open_)


def request_of(bundle: Path, kind: str) -> bytes:
    """Write the golden sample of a bundle as one HTTP request, with binary tensors or in JSON."""
    opened = open_bundle(bundle)
    inputs = {name: np.ascontiguousarray(array[:1]) for name, array in opened.golden.inputs.items()}
    message = encode_request(inputs, binary=kind == "binary")
    headers = {"Host": "127.0.0.1", "Content-Length": str(len(message.body)), **message.headers}
    head = f"POST /v2/models/{opened.contract.name}/infer HTTP/1.1\r\n" + "".join(f"{key}: {value}\r\n" for key, value in headers.items())
    return head.encode() + b"\r\n" + message.body


@contextlib.contextmanager
def served(tree: Path, bundle: Path, cpus: set[int]) -> Iterator[int]:
    """Run the server of a checkout over one bundle; gives its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as home:
        environment = {
            **os.environ,
            **{"BENTOML_HOME": home, "BENTOML_DO_NOT_TRACK": "True", "DEVICE": "cpu", "PYTHONPATH": str(tree), "PORT": str(port)},
            **{"TANDEM_BUNDLES": str(bundle.parent.parent.absolute()), "TANDEM_MODELS": f"{bundle.parent.name}@{bundle.name}"},
        }
        command = [sys.executable, "-m", "bentoml", "serve", "serving.service:TandemService", "--port", str(port)]
        process = subprocess.Popen(command, cwd=tree, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(process.pid, cpus)
        try:
            _await_ready(process, port)
            yield port
        finally:
            process.terminate()
            process.wait()


def _await_ready(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + READY_S
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/v2/health/ready")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.1)
    raise SystemExit("a server did not become ready; start `tandem serve` in its checkout to see why")


def main() -> None:
    """Start the servers, ask them in rounds, print one line for each server and setting."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("trees", nargs="*", type=Path, default=[Path()], help="checkouts to serve from (default: this one)")
    parser.add_argument("--bundle", type=Path, default=Path("bundles/mnist_cnn/1.0.0"), help="the model that is asked")
    parser.add_argument("--connections", default="1,8,32", help="settings, separated by commas")
    parser.add_argument("--kinds", default="binary,json", help="binary, json or both")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each server, setting and round")
    args = parser.parse_args()
    cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    if len(cpus) > 1:
        os.sched_setaffinity(0, {cpus[-1]})  # the client has a processor of its own
    requests = {kind: request_of(args.bundle, kind) for kind in args.kinds.split(",")}
    with contextlib.ExitStack() as stack:
        ports = {tree: stack.enter_context(served(tree.absolute(), args.bundle, set(cpus[:-1] or cpus))) for tree in args.trees}
        print(f"{'kind':8}{'c':>4}  {'tree':24}{'req/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'refused':>9}")
        for kind, request in requests.items():
            for connections in map(int, args.connections.split(",")):
                _compare(ports, request, kind, connections, args.rounds, args.seconds)


def _compare(ports: dict[Path, int], request: bytes, kind: str, connections: int, rounds: int, seconds: float) -> None:
    found: dict[Path, list[tuple[float, float, float, int]]] = {tree: [] for tree in ports}
    for _ in range(rounds):
        for tree, port in ports.items():
            rate, latencies, refused = asyncio.run(ask(port, request, connections, seconds))
            found[tree].append((rate, latencies[len(latencies) // 2], latencies[int(len(latencies) * 0.99)], refused))
    for tree, rows in found.items():
        rate, p50, p99, refused = (statistics.median(column) for column in zip(*rows, strict=True))
        name = str(tree)[-23:]
        print(f"{kind:8}{connections:4}  {name:24}{rate:9.0f}{p50 * 1000:9.2f}{p99 * 1000:9.2f}{refused:9.0f}", flush=True)


if __name__ == "__main__":
    main()
