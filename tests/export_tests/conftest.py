"""A hand-over that a test may change: a small copy of the real one, signed anew."""

import shutil

import numpy as np
import pytest

from edge.storage import SUMS, load_npz, read_sums, save_npz, write_sums


@pytest.fixture
def small_handover(handover, tmp_path):
    """`runs/mnist_cnn/1.0.0` with 200 test samples and 16 for calibration, below `tmp_path`."""
    folder = tmp_path / "runs" / "mnist_cnn" / "1.0.0"
    shutil.copytree(handover, folder)
    samples = load_npz(folder / "eval.npz")
    save_npz(folder / "eval.npz", {name: array[:200] for name, array in samples.items()})
    calibration = load_npz(folder / "calibration.npz")
    save_npz(folder / "calibration.npz", {name: array[:16] for name, array in calibration.items()})
    sign(folder)
    return folder


def sign(folder):
    """Write SHA256SUMS anew over the files that it listed."""
    names = [name for name in read_sums(folder) if (folder / name).exists()] if (folder / SUMS).exists() else []
    write_sums(folder, names)


@pytest.fixture
def resign():
    """The function that signs a changed hand-over."""
    return sign


@pytest.fixture
def noise():
    """A seeded generator of random numbers."""
    return np.random.default_rng(7)
