"""Emulated Raspberry Pis: released models answer there as they do here. Run by `make test-pi`; the long ones by `make ci-full`."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))  # where scripts/emulated_pi.py has what it imports

from pi.comparison import EQUAL, FAILED, Row
from pi.guest import Guest
from pi.guide_command import CPUS
from pi.processors import PROCESSORS
from pi.proof import prove
from pi.proof_command import guests
from pi.released import WHOLE_NUMBERS, released
from pi.systems import RUNTIMES, SYSTEMS

pytestmark = pytest.mark.pi
ROOT = Path(__file__).resolve().parent.parent
# Loads one library function: what the processor says that it can, as every runtime asks. Source: getauxval(3), AT_HWCAP is 16.
CAPABILITIES = "import ctypes; print(ctypes.CDLL(None).getauxval(16))"
ASIMD, DOT_PRODUCT = 1 << 1, 1 << 20


def guest(processor: str, runtime: str, system: str = "bookworm") -> Guest:
    return Guest(SYSTEMS[system], PROCESSORS[processor], runtime)


def proved(models: list[str], *guests: Guest) -> list[Row]:
    rows = [row for new in prove(released(ROOT / "bundles", ROOT / "runs", models), guests) for row in new]
    failed = [(row.model, row.file, row.runtime, row.system, row.processor, row.why) for row in rows if row.verdict == FAILED]
    assert not failed
    assert rows
    return rows


def tandem(pi: Guest, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(pi.python(["-m", "edge", *words]), capture_output=True, text=True, timeout=300, cwd=ROOT)


@pytest.fixture(scope="session", autouse=True)
def _models(release):
    for name in ("mnist_cnn", "logic_gates", "iris"):
        release(name)


@pytest.mark.parametrize(("processor", "dot_product"), [("a72", False), ("a76", True)], ids=["Pi 4", "Pi 5"])
def test_each_processor_has_what_its_board_has(processor, dot_product):
    done = subprocess.run(guest(processor, "ai-edge-litert").python(["-c", CAPABILITIES]), capture_output=True, text=True, timeout=60)
    found = int(done.stdout)
    assert found & ASIMD
    assert bool(found & DOT_PRODUCT) == dot_product


@pytest.mark.parametrize("processor", ["a72", "a76"])
def test_whole_numbers_are_equal_bit_for_bit(processor):
    rows = proved(["mnist_cnn", "logic_gates"], guest(processor, "ai-edge-litert"))
    whole = {row.model: row for row in rows if row.recipe == WHOLE_NUMBERS}
    assert {model: row.verdict for model, row in whole.items()} == {"mnist_cnn": EQUAL, "logic_gates": EQUAL}
    assert (whole["mnist_cnn"].golden, whole["mnist_cnn"].test, whole["mnist_cnn"].values) == (32, 200, 2320)


@pytest.mark.parametrize("processor", ["a72", "a76"])
def test_the_old_runtime_stays_within_tolerance(processor):
    rows = proved(["mnist_cnn", "logic_gates"], guest(processor, "tflite-runtime"))
    assert {row.version for row in rows} == {"2.14.0"}
    assert len(rows) == 4


def test_onnx_files_stay_within_tolerance():
    rows = proved(["mnist_cnn", "iris"], guest("a72", "onnxruntime"))
    assert {row.file for row in rows} == {"model.onnx"}


def test_the_command_answers_as_it_does_here(tmp_path, repository):
    picture = tmp_path / "one.npy"
    pixels = np.zeros((28, 28, 1), np.uint8)
    pixels[4:24, 13:16] = 255
    np.save(picture, pixels)
    words = ("run", str(repository / "bundles" / "mnist_cnn"), str(picture), "--json", "--outputs")
    there = tandem(guest("a72", "ai-edge-litert"), *words, "--variant", WHOLE_NUMBERS)
    here = subprocess.run(
        [sys.executable, "-m", "edge", *words, "--variant", WHOLE_NUMBERS, "--runtime", "ai-edge-litert"],
        capture_output=True,
        text=True,
        cwd=repository,
        timeout=120,
    )
    assert (there.returncode, here.returncode) == (0, 0), there.stderr + here.stderr
    one, other = json.loads(there.stdout), json.loads(here.stdout)
    assert one["predictions"][0]["outputs"] == other["predictions"][0]["outputs"]


def test_a_runtime_that_the_system_lacks_is_named(repository):
    done = tandem(guest("a72", "tflite-runtime"), "run", "bundles/mnist_cnn", "x.npy", "--runtime", "ai-edge-litert")
    assert done.returncode == 6, done.stderr
    assert "ai-edge-litert is not installed" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("system", SYSTEMS)
def test_every_released_file_on_every_system(system):
    rows = proved([], *guests([system], list(PROCESSORS), RUNTIMES))
    whole = [row for row in rows if row.recipe == WHOLE_NUMBERS and row.runtime == "ai-edge-litert" and row.version == "2.3.0"]
    assert {row.verdict for row in whole} <= {EQUAL}
    assert bool(whole) == (system in ("bookworm", "trixie"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("system", "processor", "runtime", "python", "features"),
    [
        pytest.param("bookworm", "a72", "ai-edge-litert", "CPython 3.11", "no int8 dot products", id="bookworm, Pi 4"),
        pytest.param("trixie", "a76", "ai-edge-litert", "CPython 3.13", "int8 dot products by asimddp", id="trixie, Pi 5"),
        pytest.param("bookworm-32", "a7", "tflite-runtime", "CPython 3.11", "Cortex-A7 armv7l", id="32 bits"),
    ],
)
def test_the_doctor_finds_nothing_wrong(system, processor, runtime, python, features):
    """Beside what the emulation of one program lacks: it starts no other, so the runtime is not tried in a process of its own."""
    done = tandem(guest(processor, runtime, system), "doctor", "--json")
    found = {one["name"]: one for one in json.loads(done.stdout)["findings"]}
    assert done.returncode == 0, done.stdout
    assert found["Python"]["found"].startswith(python)
    assert features in found["processor"]["found"]
    assert {name: one["state"] for name, one in found.items() if one["state"] != "ok"} == {runtime: "warning"}
    assert "no process can be started here to try it" in found[runtime]["found"]
    for other in set(RUNTIMES) - {runtime}:
        assert found[other]["found"].startswith("not installed")
        assert ("cannot be: " in found[other]["found"]) == (other not in SYSTEMS[system].runtimes)


@pytest.mark.slow
@pytest.mark.parametrize("system", CPUS)
def test_the_guide_does_what_it_says(repository, system):
    words = [sys.executable, "scripts/emulated_pi.py", "guide", "--system", system]
    done = subprocess.run(words, capture_output=True, text=True, cwd=repository, timeout=3600)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
def test_a_real_guest_holds_little_and_128_mib_are_enough(repository):
    words = [sys.executable, "scripts/emulated_pi.py", "memory", "mnist_cnn", "--json"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=repository, timeout=1200)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["rss_peak_bytes"] < 60_000_000
    assert found["works_in_128_mib"]
    assert found["threads"] == 1
