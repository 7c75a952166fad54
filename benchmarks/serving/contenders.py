"""Who is measured: how each is started, what it is asked in which form, and what a reader should know of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving import questions
from benchmarks.serving.environments import PEERS, ROOT, python_of
from benchmarks.serving.models import Bundle
from benchmarks.serving.questions import JPEG, JSON, RAW, Dialect

TANDEM = "tandem"
LIMIT = "onnxruntime"


@dataclass(frozen=True)
class Start:
    """A command, its folder and what it needs in its environment."""

    command: list[str]
    folder: Path
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Contender:
    """A server with one setting.

    `kinds` are the forms of questions that it is asked. What takes long to start and plays
    no part in the goals has fewer rounds (`most_rounds`).
    """

    name: str
    title: str
    dialect: Dialect
    start: Callable[[Bundle, str, int], Start]
    note: str = ""
    models: tuple[str, ...] = ("small", "mobilenet")
    kinds: tuple[str, ...] = (RAW, JSON, JPEG)
    ready_s: float = 60.0
    most_rounds: int = 1000


def _program(name: str, **settings: str) -> Callable[[Bundle, str, int], Start]:
    """Start `peers/<name>_server.py` with the interpreter of its environment."""

    def start(bundle: Bundle, device: str, port: int) -> Start:
        python = python_of(name, device)
        arguments = ["--address", "127.0.0.1", "--port", str(port), "--timeout", "60000", "--log-level", "error"] if name == "mosec" else []
        environment = {**_environment(bundle, device, port), **settings}
        return Start([str(python), str(PEERS / f"{name}_server.py"), *arguments], PEERS, environment)

    return start


def _environment(bundle: Bundle, device: str, port: int) -> dict[str, str]:
    given = {"BENCH_MODEL": str(bundle.model), "BENCH_NAME": bundle.name, "BENCH_DEVICE": device, "BENCH_PORT": str(port)}
    return {**given, "PYTHONPATH": str(PEERS), "PYTHONDONTWRITEBYTECODE": "1"}


def _bentoml(bundle: Bundle, device: str, port: int) -> Start:
    command = [str(python_of("bentoml", device)), "-m", "bentoml", "serve", "bentoml_server:Bench", "--port", str(port)]
    environment = {
        **_environment(bundle, device, port),
        "BENTOML_DO_NOT_TRACK": "True",
        "BENTOML_HOME": str(bundle.root.parent / "bentoml"),
    }
    return Start([*command, "--host", "127.0.0.1"], PEERS, environment)


def tandem_from(checkout: Path) -> Callable[[Bundle, str, int], Start]:
    """Start Tandem's server from a checkout, with this interpreter."""

    def start(bundle: Bundle, device: str, port: int) -> Start:
        """Describe its process for a bundle, a device and a port."""
        command = [sys.executable, "-m", "bentoml", "serve", "serving.service:TandemService", "--host", "127.0.0.1", "--port", str(port)]
        home = bundle.root.parent / f"tandem-{port}"  # BentoML empties the metrics of whatever else uses the same one
        environment = {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True", "DEVICE": device, "PORT": str(port)}
        environment |= {
            "PYTHONPATH": str(checkout),
            "TANDEM_BUNDLES": str(bundle.root),
            "TANDEM_MODELS": bundle.name,
            "TANDEM_THREADS": "1",
        }
        return Start(command, checkout, environment)

    return start


def limit_command(bundle: Bundle, device: str, seconds: float, pictures: list[Path]) -> Start:
    """Give the command of the loop without a server; it runs in Starlette's environment."""
    command = [str(python_of("starlette", device)), str(PEERS / "inprocess.py"), str(seconds), *map(str, pictures)]
    return Start(command, PEERS, _environment(bundle, device, 0))


CONTENDERS: Mapping[str, Contender] = {
    contender.name: contender
    for contender in (
        Contender(TANDEM, "Tandem", questions.tandem, tandem_from(ROOT), "Open Inference Protocol v2; every check and metric on"),
        Contender("starlette", "Starlette + uvloop + httptools", questions.plain, _program("starlette"), "orjson; no checks, no metrics"),
        Contender("fastapi", "FastAPI", questions.typed, _program("fastapi"), "uvloop, httptools; pydantic checks the JSON"),
        Contender("mosec", "mosec", questions.plain, _program("mosec"), "no batching"),
        Contender("mosec_4", "mosec, batch 4", questions.plain, _program("mosec", BENCH_BATCH="4"), "waits 1 ms", kinds=(RAW, JSON)),
        Contender("mosec_16", "mosec, batch 16", questions.plain, _program("mosec", BENCH_BATCH="16"), "waits 1 ms"),
        Contender("litserve", "LitServe", questions.litserve, _program("litserve"), "fast_queue; bytes come in a form"),
        Contender("mlserver", "MLServer", questions.mlserver, _program("mlserver"), "bytes come as base64"),
        Contender(
            "ray",
            "Ray Serve",
            questions.plain,
            _program("ray"),
            "one replica, 256 requests at once; one round",
            ready_s=120.0,
            most_rounds=1,
        ),
        Contender("bentoml", "BentoML, stock", questions.bentoml, _bentoml, "an API each for JSON and pictures; bytes: mounted ASGI"),
    )
}
