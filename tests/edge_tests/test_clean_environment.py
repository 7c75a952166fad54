"""The device's side alone: the edge wheel, numpy, one runtime and nothing else, on the lowest and the highest Python at hand.

Environments are kept in .cache/envs, keyed by Python and by what the wheel asks for; the wheel itself is installed anew each time.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import edge

VERSIONS = [(3, minor) for minor in range(9, 14)]  # the Pythons that ai-edge-litert has wheels for, edge's lowest first
ABSENT = ("PIL", "bentoml", "export", "jax", "keras", "onnx", "onnxruntime", "serving", "tensorflow", "tflite_runtime", "torch", "training")


def _probe(python: str | Path) -> tuple[int, int] | None:
    """Give the version of an interpreter that can make environments, or None."""
    question = "import ensurepip, sys, venv; print(*sys.version_info[:2])"
    try:
        answer = subprocess.run([python, "-c", question], capture_output=True, text=True, timeout=30)
    except OSError:
        return None
    if answer.returncode:
        return None
    major, minor = answer.stdout.split()
    return int(major), int(minor)


def _pythons() -> list[Path]:
    """The lowest and the highest Python at hand; the running one where there is no other."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found: dict[tuple[int, int], Path] = {}
    for version in VERSIONS:
        name = f"python{version[0]}.{version[1]}"
        candidates = [shutil.which(name), *pyenv.glob(f"versions/{version[0]}.{version[1]}.*/bin/{name}")]
        usable = [Path(path) for path in candidates if path and _probe(path) == version]
        if usable:
            found[version] = usable[0]
    if not found:
        return [Path(sys.executable)]
    return [found[version] for version in sorted({min(found), max(found)})]


@dataclass(frozen=True)
class Device:
    """An environment with the wheel and ai-edge-litert in it."""

    folder: Path

    def run(self, *command: str, expect: int = 0) -> str:
        """Run a command of the environment, far from the repository and with nothing inherited, and give its standard output."""
        inherited = {name: os.environ[name] for name in ("HOME", "LANG", "PATH", "TMPDIR") if name in os.environ}
        program = [str(self.folder / "bin" / command[0]), *command[1:]]
        done = subprocess.run(program, capture_output=True, text=True, timeout=120, cwd=self.folder, env=inherited)
        assert done.returncode == expect, f"{command}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout


def _requirements(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return "\n".join(re.findall(r"^(?:Requires-Dist|Requires-Python): .*$", archive.read(name).decode(), flags=re.MULTILINE))


def _content(wheel: Path) -> str:
    """The names and hashes of what a wheel holds: the same for two that were built of the same files."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/RECORD"))
        return archive.read(name).decode()


def _environment(python: Path, wheel: Path, cache: Path) -> Path:
    """Make the environment, or take the one that an earlier run left whole, and put this wheel into it, where it is not there.

    Another worker of this run may want the same one at the same time: one makes it, and neither changes it under the other.
    """
    key = hashlib.sha256(f"{python}\n{_requirements(wheel)}".encode()).hexdigest()[:12]
    folder = cache / f"edge-{python.name}-{key}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        whole, installed = folder / "whole", folder / "installed"
        if not whole.is_file():
            shutil.rmtree(folder, ignore_errors=True)
            _call([python, "-m", "venv", folder])
            _call([folder / "bin/python", "-m", "pip", "install", "-qq", f"{wheel}[tflite]"])
            whole.touch()
        if not installed.is_file() or installed.read_text(encoding="utf-8") != _content(wheel):
            installed.unlink(missing_ok=True)
            _call([folder / "bin/python", "-m", "pip", "install", "-qq", "--no-deps", "--force-reinstall", wheel])
            installed.write_text(_content(wheel), encoding="utf-8")
    return folder


def _call(command: list[str | Path]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{[str(word) for word in command]}\n{done.stdout}{done.stderr}"


@pytest.fixture(scope="module", params=_pythons(), ids=lambda python: python.name)
def device(request: pytest.FixtureRequest, edge_wheel: Path, repository: Path) -> Device:
    """An environment like a device's, for each Python."""
    return Device(_environment(request.param, edge_wheel, repository / ".cache" / "envs"))


def test_wheel_and_one_runtime_are_all_there_is(device: Device) -> None:
    """Otherwise the tests below would prove nothing."""
    question = "import importlib.util, sys; print([name for name in sys.argv[1:] if importlib.util.find_spec(name)])"
    assert device.run("python", "-c", question, "edge", "numpy", "ai_edge_litert", *ABSENT).strip() == "['edge', 'numpy', 'ai_edge_litert']"


def test_code_comes_from_the_wheel(device: Device) -> None:
    where = device.run("python", "-c", "import edge; print(edge.__file__, edge.__version__)").split()
    assert Path(where[0]).is_relative_to(device.folder)
    assert where[1] == edge.__version__


def test_help_lists_the_commands_of_a_device(device: Device) -> None:
    text = device.run("tandem", "--help")
    assert {"run", "info", "check", "bench", "tune", "doctor"} <= set(re.findall(r"^ +(\w+)", text, flags=re.MULTILINE))
    assert "train" not in text


def test_bundle_proves_itself(device: Device, bundle: Path) -> None:
    report = json.loads(device.run("tandem", "check", str(bundle), "--json"))
    replayed = [row for row in report["replays"] if row["exit_code"] is not None]
    assert {row["runtime"] for row in replayed} == {"ai-edge-litert"}
    assert [row["exit_code"] for row in replayed] == [0] * len(replayed)


def test_device_answers_as_this_environment_does(device: Device, bundle: Path, tmp_path: Path) -> None:
    picture = tmp_path / "picture.npy"
    stroke = np.zeros((28, 28, 1), np.uint8)
    stroke[4:24, 12:16] = 255
    np.save(picture, stroke)
    words = ["run", str(bundle), str(picture), "--json", "--runtime", "ai-edge-litert"]
    here = json.loads(subprocess.run([sys.executable, "-m", "edge", *words], capture_output=True, text=True, check=True).stdout)
    there = json.loads(device.run("tandem", *words))
    assert there["file"] == here["file"]
    assert there["predictions"][0]["label"] == here["predictions"][0]["label"]
    assert there["predictions"][0]["score"] == pytest.approx(here["predictions"][0]["score"], abs=1e-3)


def test_picture_without_its_extra_says_what_to_install(device: Device, bundle: Path, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(32))
    done = subprocess.run([device.folder / "bin/tandem", "run", bundle, picture], capture_output=True, text=True, timeout=120)
    assert done.returncode != 0
    assert "image" in done.stderr
    assert "Traceback" not in done.stderr
