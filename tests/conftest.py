"""What every test can rely on: a quiet environment, seeds, the repository root and the built edge wheel."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent

# Before anything under test is imported: no display, no telemetry, no colours in messages that tests read, no verdicts in the home.
os.environ.update(
    {
        **{"BENTOML_DO_NOT_TRACK": "True", "HF_HUB_OFFLINE": "1", "MPLBACKEND": "Agg", "NO_COLOR": "1", "TF_CPP_MIN_LOG_LEVEL": "3"},
        "TANDEM_VERDICTS": "off",
    }
)

# The examples are the same on every run and no test fails because the machine was busy; `make ci-full` sets HYPOTHESIS_PROFILE=thorough.
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, max_examples=50, print_blob=True)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=1000, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name bytes by their length: an archive holds the time at which it was made, and workers must agree on every test's name."""
    return f"{len(val)} bytes" if isinstance(val, bytes) and len(val) > 8 else None


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return REPOSITORY


@pytest.fixture(scope="session")
def edge_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of tandem-edge, built from the working tree."""
    return build_wheel(REPOSITORY / "edge", tmp_path_factory.mktemp("edge_wheel"))


@pytest.fixture(scope="session")
def tandem_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of tandem (training, export, serving), built from the working tree."""
    return build_wheel(REPOSITORY, tmp_path_factory.mktemp("tandem_wheel"))


def build_wheel(project: Path, folder: Path) -> Path:
    """Build a project's wheel without a network, from a copy, so that the tree stays clean and leftovers in it are not packed.

    Args:
        project: The folder with the project's pyproject.toml.
        folder: An empty folder for the copy and the wheel.

    Returns:
        The wheel's path.
    """
    ignore = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "bundles", "dist", "runs", "tests")
    copy = shutil.copytree(project, folder / "project", ignore=ignore)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder), str(copy)]
    built = subprocess.run(command, capture_output=True, text=True)
    if built.returncode:
        pytest.fail(f"{project.name}: no wheel was built\n{built.stdout}{built.stderr}")
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def handover() -> Path:
    """The hand-over of `mnist_cnn`, trained for real on the MNIST that can be had; unchanged content is not trained again."""
    _tandem("train", "mnist_cnn")
    return REPOSITORY / "runs" / "mnist_cnn" / "1.0.0"


@pytest.fixture(scope="session")
def bundle(handover: Path) -> Path:
    """The released bundle of `mnist_cnn`; unchanged content is not exported again."""
    _tandem("export", "mnist_cnn")
    return REPOSITORY / "bundles" / "mnist_cnn" / "1.0.0"


@pytest.fixture(scope="session")
def release() -> Callable[[str], Path]:
    """Train and export a small model where that is not done yet; give its bundle."""

    def make(name: str) -> Path:
        _tandem("train", name)
        _tandem("export", name)
        return REPOSITORY / "bundles" / name / "1.0.0"

    return make


def _tandem(*words: str) -> None:
    """Run a stage as a person would, from the repository's root.

    Where TANDEM_TEST_AS_IT_IS is set and the stage's outcome lies there, it is taken unasked: while somebody works on a stage,
    every change to it would train the model anew. Continuous integration never sets it.
    """
    outcome = REPOSITORY / {"train": "runs", "export": "bundles"}[words[0]] / words[1]
    if os.environ.get("TANDEM_TEST_AS_IT_IS") and outcome.exists():
        return
    lock = REPOSITORY / ".cache" / "stages.lock"  # several processes run the tests; the first trains, the others take its outcome
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = subprocess.run([sys.executable, "-m", "edge", *words], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
