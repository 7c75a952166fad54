"""Pictures are drawn for every size of problem."""

import struct
from pathlib import Path

import numpy as np
import pytest

from training import plots
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
