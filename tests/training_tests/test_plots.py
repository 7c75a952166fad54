"""Pictures are drawn for every size of problem."""

import struct
from pathlib import Path

import numpy as np
import pytest

from training import plots
from training.calibration import Calibration, reliability
from training.fit import Epoch, Fitted


def size(path: Path) -> tuple[int, int]:
    """Width and height of a PNG, from its head."""
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", content[16:24])
    return width, height


@pytest.mark.parametrize("count", [2, 10, 30, 31, 120])
def test_a_confusion_matrix_of_any_size_is_drawn(tmp_path: Path, count: int) -> None:
    matrix = np.random.default_rng(0).integers(0, 9, (count, count))
    plots.confusion(tmp_path / "c.png", "some model", matrix, tuple(f"class {i}" for i in range(count)))
    width, height = size(tmp_path / "c.png")
    assert 300 < height < 2000
    assert 300 < width < 2000


def test_a_classifier_without_mistakes_is_drawn(tmp_path: Path) -> None:
    plots.confusion(tmp_path / "c.png", "some model", np.eye(3, dtype=np.int64) * 5, ("a", "b", "c"))
    assert size(tmp_path / "c.png")[0] > 300


@pytest.mark.parametrize(("epochs", "best", "early"), [(1, 1, False), (5, 3, True)])
def test_curves_of_any_length_are_drawn(tmp_path: Path, epochs: int, best: int, early: bool) -> None:
    history = tuple(Epoch(n, 1 / n, 1 - 1 / (n + 1), 1.1 / n, 1 - 1.1 / (n + 1), 2.0) for n in range(1, epochs + 1))
    plots.curves(tmp_path / "c.png", "some model", Fitted(history, best, early, 10.0, "CPU"))
    assert size(tmp_path / "c.png") == (1200, 480)


def test_the_same_figures_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        plots.confusion(tmp_path / name, "some model", np.eye(4, dtype=np.int64), tuple("abcd"))
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_a_class_named_like_a_formula_is_drawn(tmp_path: Path) -> None:
    plots.confusion(tmp_path / "c.png", "price of $x_$", np.eye(2, dtype=np.int64), ("$5_", "_$10$"))
    assert size(tmp_path / "c.png")[0] > 300


@pytest.mark.parametrize("logit", [0.0, 1e6, 1.0], ids=["one bin, no confidence", "one bin, all certain", "in between"])
def test_reliability_of_any_confidence_is_drawn(tmp_path: Path, logit: float) -> None:
    logits, targets = np.array([[logit, 0.0]] * 3, np.float32), np.array([0, 0, 1])
    calibration = Calibration(2.0, {"test": reliability(logits, targets)}, {"test": reliability(logits, targets, 2.0)})
    plots.reliability(tmp_path / "r.png", "some model", calibration)
    assert size(tmp_path / "r.png") == (1200, 600)
