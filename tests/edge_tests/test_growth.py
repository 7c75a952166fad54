"""A model that answers for weeks: its memory does not grow, and closing it leaves no thread behind. Each on a real runtime, in a child."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHILD = Path(__file__).parent / "growth_child.py"
RUNTIMES = [
    pytest.param("ai-edge-litert", "device", id="ai-edge-litert"),
    pytest.param("onnxruntime", "server", id="onnxruntime"),
    pytest.param("tflite-runtime", "device", id="tflite-runtime"),
]
pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory and threads are read from /proc")


def answers(repository: Path, bundle: Path, runtime: str, target: str, predictions: int) -> dict[str, Any]:
    python = sys.executable if runtime != "tflite-runtime" else str(repository / ".venv-legacy" / "bin" / "python")
    assert Path(python).exists(), f"{runtime} has an environment of its own, which `make road` builds"
    kept = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}  # it counts lines, and grows
    command = [python, str(CHILD), str(bundle), runtime, target, str(predictions)]
    done = subprocess.run(command, cwd=repository, env={**kept, "PYTHONPATH": str(repository)}, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize(("runtime", "target"), RUNTIMES)
def test_memory_does_not_grow_and_threads_end_with_the_model(repository: Path, bundle: Path, runtime: str, target: str) -> None:
    found = answers(repository, bundle, runtime, target, 5_000)
    before, within, after = found["threads"]
    assert within > before, "four threads were asked for"
    assert after == before
    assert found["held_kb"][-1] - found["held_kb"][0] < 256
    assert found["bytes_per_prediction"] < 50, "the smallest array that could be kept has more"


@pytest.mark.slow
@pytest.mark.parametrize(("runtime", "target"), RUNTIMES)
def test_memory_does_not_grow_over_100000_predictions(repository: Path, bundle: Path, runtime: str, target: str) -> None:
    found = answers(repository, bundle, runtime, target, 100_000)
    assert found["held_kb"][-1] - found["held_kb"][0] < 512
    assert found["bytes_per_prediction"] < 4
