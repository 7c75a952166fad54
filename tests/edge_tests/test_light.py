"""What importing edge costs: nothing but the standard library, until something is used."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import edge

RUNTIMES = {"ai_edge_litert", "onnxruntime", "tflite_runtime"}
UPPER = {"export", "serving", "training"}
HEAVY = UPPER | {"bentoml", "jax", "keras", "litert_torch", "matplotlib", "onnx", "starlette", "tensorflow", "torch"}


def modules_after(statement: str, repository: Path) -> set[str]:
    """Names of the top-level modules that a fresh process holds after a statement."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60, cwd=repository)
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        pytest.param("import edge; edge.__version__", HEAVY | RUNTIMES | {"numpy", "PIL"}, id="the package alone"),
        pytest.param("import edge.errors", HEAVY | RUNTIMES | {"numpy", "PIL"}, id="errors"),
        pytest.param("import edge.cli", HEAVY | RUNTIMES | {"numpy", "PIL"}, id="the command line"),
        pytest.param("import edge.contract", HEAVY | RUNTIMES | {"numpy", "PIL"}, id="the contract"),
        pytest.param("import edge.protocol", HEAVY | RUNTIMES | {"PIL"}, id="the wire format"),
        pytest.param("from edge import Model, Prediction", HEAVY | RUNTIMES | {"PIL"}, id="the model"),
        pytest.param("from edge import Router", HEAVY | RUNTIMES | {"PIL", "asyncio", "httpx"}, id="the router"),
        pytest.param("import edge.commands.run, edge.commands.check, edge.commands.bench", HEAVY | RUNTIMES | {"PIL"}, id="commands"),
        pytest.param("import edge.commands.tune, edge.commands.doctor, edge.commands.info", HEAVY | RUNTIMES | {"PIL"}, id="more commands"),
    ],
)
def test_import_brings_no_more_than_is_used(repository: Path, statement: str, absent: set[str]) -> None:
    found = modules_after(statement, repository)
    assert "edge" in found
    assert not found & absent


def test_importing_takes_no_time_that_anybody_sees(repository: Path) -> None:
    code = "import time; begun = time.perf_counter(); import edge; print(time.perf_counter() - begun)"
    times = []
    for _ in range(5):  # the least of five: what else the machine does is not the question
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60, cwd=repository)
        times.append(float(done.stdout))
    assert min(times) < 0.15


def test_the_question_can_find_something(repository: Path) -> None:
    assert {"numpy", "PIL"} <= modules_after("from edge import Model; import PIL", repository)


@pytest.mark.parametrize("module", ["edge", "edge.cli"])
def test_package_is_a_program(repository: Path, module: str) -> None:
    done = subprocess.run([sys.executable, "-m", module, "--version"], capture_output=True, text=True, timeout=60, cwd=repository)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"tandem-edge {edge.__version__}\n", "")
    done = subprocess.run([sys.executable, "-m", module, "info", "nowhere"], capture_output=True, text=True, timeout=60, cwd=repository)
    assert (done.returncode, done.stdout) == (7, "")
    assert done.stderr.startswith("tandem: nowhere: no such directory")
