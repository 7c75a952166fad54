"""Pictures of a training: its curves and its confusion matrix, as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from training.fit import Epoch, Fitted
from training.recipe import Array

_TRAIN, _VALIDATION, _BEST, _INK = "#8a94a6", "#0b6e99", "#d9730d", "#2f3437"
_MAX_WRITTEN = 30  # classes; beyond that numbers in cells are no longer readable


def curves(path: Path, title: str, fitted: Fitted, metric: str = "accuracy") -> None:
    """Draw loss and metric by epoch, for training and validation, with the epoch whose weights were kept.

    Args:
        path: The PNG to write.
        title: What was trained.
        fitted: How it went.
        metric: The metric's name.
    """
    figure = Figure(figsize=(10, 4), dpi=120, layout="constrained")
    ending = f"stopped early after epoch {len(fitted.history)}" if fitted.stopped_early else f"{len(fitted.history)} epochs"
    figure.suptitle(f"{title} – {ending}, {fitted.seconds:.0f} s", fontsize=12, color=_INK)
    left, right = figure.subplots(1, 2)
    best = fitted.history[fitted.best_epoch - 1]
    _curve(left, "loss (cross-entropy)", fitted.history, "train_loss", "validation_loss", best)
    _curve(right, metric, fitted.history, "train_metric", "validation_metric", best)
    figure.savefig(path, metadata={"Software": None})


def confusion(path: Path, title: str, matrix: Array, labels: tuple[str, ...]) -> None:
    """Draw a confusion matrix: right answers pale on the diagonal, mistakes the redder the more there are.

    Args:
        path: The PNG to write.
        title: What was measured.
        matrix: (C, C) int64: row = the true class, column = the answer.
        labels: The name of each class.
    """
    count = len(labels)
    side = min(14.0, 3.2 + 0.5 * count)
    figure = Figure(figsize=(side + 0.6, side), dpi=120, layout="constrained")
    axes = figure.subplots()
    mistakes = np.where(np.eye(count, dtype=bool), 0, matrix)
    axes.imshow(np.eye(count), cmap=ListedColormap(["#ffffff", "#d3e5ef"]), vmin=0, vmax=1)
    shown = axes.imshow(np.ma.masked_equal(mistakes, 0), cmap="Reds", vmin=0, vmax=max(1, int(mistakes.max())))
    figure.colorbar(shown, ax=axes, shrink=0.7, label="mistakes", ticks=MaxNLocator(integer=True, nbins=5))
    right, total = int(np.trace(matrix)), int(matrix.sum())
    axes.set_title(f"{title}\n{right:,} of {total:,} right ({right / total:.2%}), {total - right:,} mistakes", fontsize=11, color=_INK)
    axes.set_xlabel("answer")
    axes.set_ylabel("truth")
    axes.tick_params(length=0)
    axes.spines[:].set_color("#cccccc")
    if count <= _MAX_WRITTEN:
        axes.set_xticks(range(count), labels, rotation=0 if max(map(len, labels)) <= 2 else 45)
        axes.set_yticks(range(count), labels)
        _write_cells(axes, matrix, mistakes)
    figure.savefig(path, metadata={"Software": None})


def _curve(axes: Axes, name: str, history: Sequence[Epoch], train: str, validation: str, best: Epoch) -> None:
    numbers = [epoch.number for epoch in history]
    axes.plot(numbers, [getattr(epoch, train) for epoch in history], "o-", color=_TRAIN, label="training", markersize=4)
    axes.plot(numbers, [getattr(epoch, validation) for epoch in history], "o-", color=_VALIDATION, label="validation", markersize=4)
    value = float(getattr(best, validation))
    axes.axvline(best.number, color=_BEST, linestyle=":", linewidth=1.2)
    axes.plot(
        [best.number],
        [value],
        "o",
        color=_BEST,
        markersize=9,
        fillstyle="none",
        markeredgewidth=2,
        label=f"kept: epoch {best.number}, {value:.4f}",
    )
    axes.set_xlabel("epoch")
    axes.set_title(name, fontsize=11, color=_INK)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(color="#eeeeee")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="best", frameon=False, fontsize=9)


def _write_cells(axes: Axes, matrix: Array, mistakes: Array) -> None:
    dark = mistakes.max() / 2
    for (row, column), number in np.ndenumerate(matrix):
        style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 9}
        if number:
            color = "white" if row != column and number > dark else _INK
            axes.text(column, row, f"{number}", color=color, weight="bold" if row == column else "normal", **style)
