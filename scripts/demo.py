"""`make demo`: the whole road with one model, ending with one table of the same digit's answer everywhere.

Trains (or keeps) `mnist_cnn`, exports it with proof, starts the server on a free port of 127.0.0.1, sends a real test
digit over HTTP, answers the same digit with the edge command, compares all with PyTorch, and stops the server.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from edge.bundle import versions
from edge.errors import TandemError
from edge.model import Model
from edge.steps import postprocessing
from edge.storage import load_npz

NAME = "mnist_cnn"
TANDEM = [sys.executable, "-m", "edge"]
REPEAT = 30
READY_S = 60


@dataclass(frozen=True)
class Answer:
    """What one place said about the digit; `logits` is (C,), `kb` the size of its file, `ms` the median of one call."""

    place: str
    label: str
    probability: float
    logits: np.ndarray[Any, Any]
    kb: float | None
    ms: float


def main() -> int:
    """Walk the road; give the exit code of the first command that failed, or 0."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    started = time.perf_counter()
    for stage in ("train", "export"):
        code = subprocess.run([*TANDEM, stage, NAME], check=False).returncode
        if code:
            return code
    run, bundle = versions(Path("runs") / NAME)[-1], versions(Path("bundles") / NAME)[-1]
    samples = load_npz(run / "eval.npz")
    pixels, truth = samples["input/image"][0], int(samples["target"][0])
    with tempfile.TemporaryDirectory(prefix="tandem-demo-") as folder:
        picture = Path(folder) / "digit.png"
        Image.fromarray(pixels[:, :, 0]).save(picture)
        answers = [pytorch(run, bundle, pixels)]
        answers += [in_process(bundle, recipe, place, pixels) for recipe, place in files(bundle)]
        with server() as port:
            answers.append(over_http(port, picture, pixels))
        answers.append(edge_command(bundle, picture))
    show(answers, truth, run, bundle, time.perf_counter() - started)
    if any(answer.label != answers[0].label for answer in answers):
        print("demo: the answers differ", file=sys.stderr)
        return 4
    return 0


def files(bundle: Path) -> list[tuple[str, str]]:
    """List the released files to ask, as (file, place)."""
    names = {"model.onnx": "ONNX", "model.fp32.tflite": "TFLite fp32", "model.static_wi8_ai8.tflite": "TFLite int8"}
    return [(file, place) for file, place in names.items() if (bundle / file).exists()]


def pytorch(run: Path, bundle: Path, pixels: np.ndarray[Any, Any]) -> Answer:
    """Ask the trainer's own program."""
    import torch

    program = run / "program.pt2"
    module = torch.export.load(program).module()
    feed = torch.from_numpy(pixels[None])
    with torch.no_grad():
        logits = module(feed)[0].numpy()
        ms = median_ms(lambda: module(feed))
    best = postprocessing(Model.open(bundle).contract)(logits)[0]
    return Answer("PyTorch", best.label, best.score, logits, program.stat().st_size / 1000, ms)


def in_process(bundle: Path, variant: str, place: str, pixels: np.ndarray[Any, Any]) -> Answer:
    """Ask a released file through the edge package in this process."""
    model = Model.open(bundle, variant=variant)
    prediction = model.predict(pixels)
    ms = median_ms(lambda: model.predict(pixels))
    return Answer(place, prediction.label, prediction.score, prediction.outputs["logits"], model.variant.size_bytes / 1000, ms)


def over_http(port: int, picture: Path, pixels: np.ndarray[Any, Any]) -> Answer:
    """Upload the picture as a person would, and read the logits by the V2 protocol."""
    content = picture.read_bytes()

    def upload() -> Any:
        return post(port, f"/predict/{NAME}", content, "image/png")

    best = upload()["predictions"][0]
    tensor = {"name": "image", "shape": [1, *pixels.shape], "datatype": "UINT8", "data": pixels.ravel().tolist()}
    reply = post(port, f"/v2/models/{NAME}/infer", json.dumps({"inputs": [tensor]}).encode(), "application/json")
    logits = np.array(reply["outputs"][0]["data"], dtype=np.float32).ravel()
    return Answer("HTTP server", best["label"], best["score"], logits, None, median_ms(upload))


def edge_command(bundle: Path, picture: Path) -> Answer:
    """Ask the `tandem run` command, as on a device."""
    command = [*TANDEM, "run", str(bundle), str(picture), "--json", "--outputs"]
    reply = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    found = reply["predictions"][0]
    kb = (bundle / reply["file"]).stat().st_size / 1000
    return Answer("edge command", found["label"], found["score"], np.array(found["outputs"]["logits"]), kb, found["latency_ms"])


@contextlib.contextmanager
def server() -> Iterator[int]:
    """Start the server on a free port, wait until it is ready, stop it and all it started at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen([*TANDEM, "serve", "--port", str(port)], stdout=log, stderr=log, start_new_session=True)
        try:
            wait_ready(child, port, log)
            yield port
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGTERM)
            try:
                child.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()


def wait_ready(child: subprocess.Popen[bytes], port: int, log: Any) -> None:
    """Wait for the ready route.

    Raises:
        TandemError: The server ended, or is not ready in time; the message holds the end of its log.
    """
    limit = time.monotonic() + READY_S
    while time.monotonic() < limit and child.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/v2/health/ready")
            if connection.getresponse().status == http.client.OK:
                return
        except OSError:
            pass  # not listening yet
        finally:
            connection.close()
        time.sleep(0.2)
    log.seek(0)
    raise TandemError(f"the server did not become ready in {READY_S} s:\n{log.read()[-2000:].decode(errors='replace')}")


def post(port: int, path: str, content: bytes, kind: str) -> Any:
    """Send one request and read the JSON answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", path, content, {"Content-Type": kind})
        return json.load(connection.getresponse())
    finally:
        connection.close()


def median_ms(call: Callable[[], object]) -> float:
    """Time a call: median of `REPEAT`, in milliseconds."""
    times = []
    for _ in range(REPEAT):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return float(np.median(times) * 1000)


def show(answers: list[Answer], truth: int, run: Path, bundle: Path, seconds: float) -> None:
    """Print the table."""
    training = json.loads((run / "training.json").read_text(encoding="utf-8"))
    print(f"\n{NAME}, trained on {training['data']['note']}; the first digit of its test split is a {truth}\n")
    print(f"{'place':<14} {'answer':>6} {'probability':>12} {'difference':>11} {'kB':>8} {'ms':>8}")
    for answer in answers:
        difference = float(np.abs(answer.logits - answers[0].logits).max())
        kb = "–" if answer.kb is None else f"{answer.kb:.1f}"
        print(f"{answer.place:<14} {answer.label:>6} {answer.probability:>12.6f} {difference:>11.2g} {kb:>8} {answer.ms:>8.3f}")
    print("\ndifference: largest over the logits, against PyTorch; ms: one call on this machine,")
    print("over HTTP with the network, by the edge command with its first picture decoded")
    print(f"report: {bundle / 'report.html'}\ndone in {seconds:.0f} s; no process is left running")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except TandemError as error:
        print(f"demo: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
        sys.exit(130)
