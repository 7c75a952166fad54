"""Pictures of a training: its curves, its confusion matrix and how far its confidence is right, as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from training.calibration import BINS, Calibration, Reliability
from training.fit import Fitted
from training.recipe import Array

if TYPE_CHECKING:
    from training.sweep import Sweep

_TRAIN, _VALIDATION, _BEST, _INK, _STOP = "#8a94a6", "#0b6e99", "#d9730d", "#2f3437", "#c62828"
_MOST_POINTS = 5000
_FEW = 10  # samples in a bin; with fewer its share of right answers says little, so it is drawn pale
_MAX_WRITTEN = 30  # classes; beyond that numbers in cells are no longer readable
_plain = mpl.rc_context({"text.parse_math": False})  # a class may be called "$5–$10", which is no formula


@_plain
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
    draw_curve(left, "loss", fitted, "loss")
    draw_curve(right, metric, fitted, "metric")
    figure.savefig(path, metadata={"Software": None})


@_plain
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


@_plain
def reliability(path: Path, title: str, calibration: Calibration, part: str = "test") -> None:
    """Draw how often answers are right against how sure they are, before and after the temperature, with counts.

    Args:
        path: The PNG to write.
        title: What was measured.
        calibration: The temperature and the figures.
        part: The split that is shown.
    """
    figure = Figure(figsize=(10, 5), dpi=120, layout="constrained")
    figure.suptitle(f"{title}, {part} split, {int(calibration.before[part].counts.sum()):,} samples", fontsize=12, color=_INK)
    grid = figure.subplots(2, 2, sharex=True, height_ratios=(3, 1))
    draw_reliability(grid[:, 0], "as trained", calibration.before[part])
    draw_reliability(grid[:, 1], f"divided by temperature {calibration.temperature:g}", calibration.after[part])
    figure.savefig(path, metadata={"Software": None})


@_plain
def values(path: Path, title: str, targets: Array, outputs: Array) -> None:
    """Draw what came against what was right.

    Args:
        path: The PNG to write.
        title: What was measured.
        targets: (N, …) float32, what was right.
        outputs: (N, …) float32, what came.
    """
    figure = Figure(figsize=(5.5, 5), dpi=120, layout="constrained")
    figure.suptitle(title, fontsize=11, color=_INK)
    draw_values(figure.subplots(), targets, outputs)
    figure.savefig(path, metadata={"Software": None})


def draw_values(axes: Axes, targets: Array, outputs: Array) -> None:
    """Draw values (N, …) that came against those that were right, 5,000 points at most, and the line of no error."""
    right, came = targets.reshape(-1), outputs.reshape(-1)
    rows = np.random.default_rng(0).permutation(len(right))[:_MOST_POINTS]
    axes.plot(right[rows], came[rows], ".", color=_VALIDATION, alpha=0.35, markersize=4)
    low, high = float(min(right.min(), came.min())), float(max(right.max(), came.max()))
    axes.plot([low, high], [low, high], "--", color=_TRAIN, linewidth=1, label="no error")
    axes.set_xlabel("right")
    axes.set_ylabel("came")
    axes.grid(color="#8884", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", frameon=False, fontsize=9)


@_plain
def sweep(path: Path, walked: Sweep) -> None:
    """Draw the metric of every trial of a sweep against each setting that varied, with the best marked.

    Args:
        path: The PNG to write.
        walked: The sweep; its best trial is the first.
    """
    trials = [one for one in walked.trials if one.metric is not None]
    names = list(walked.trials[0].settings)
    figure = Figure(figsize=(1 + 4 * len(names), 3.8), dpi=120, layout="constrained")
    figure.suptitle(f"{walked.name}: validation {walked.metric} of {len(trials)} trainings", fontsize=12, color=_INK)
    for axes, name in zip(figure.subplots(1, len(names), sharey=True, squeeze=False)[0], names, strict=True):
        written = [one.settings[name] for one in trials]
        numbers = all(_is_number(text) for text in written)
        places = [float(text) for text in written] if numbers else written
        axes.plot(places, [one.metric for one in trials], "o", color=_VALIDATION, alpha=0.7)
        axes.plot(places[:1], [one.metric for one in trials[:1]], "o", color=_BEST, markersize=11, fillstyle="none", markeredgewidth=2)
        if numbers and min(map(float, written), default=0) > 0 and max(map(float, written)) >= 10 * min(map(float, written)):
            axes.set_xscale("log")
        axes.set_xlabel(name)
        axes.grid(color="#8884", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Software": None})


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def draw_curve(axes: Axes, name: str, fitted: Fitted, figure: str) -> None:
    """Draw one figure by epoch, for training and validation, with the epoch kept and where training stopped early.

    Args:
        axes: Where to draw.
        name: What it is called.
        fitted: How training went.
        figure: `loss` or `metric`.
    """
    history, best = fitted.history, fitted.history[fitted.best_epoch - 1]
    numbers = [epoch.number for epoch in history]
    train, validation = ([getattr(epoch, f"{part}_{figure}") for epoch in history] for part in ("train", "validation"))
    axes.fill_between(numbers, train, validation, color=_VALIDATION, alpha=0.12, linewidth=0)  # wide where it overfits
    axes.plot(numbers, train, "o-", color=_TRAIN, label="training", markersize=4)
    axes.plot(numbers, validation, "o-", color=_VALIDATION, label="validation", markersize=4)
    value = float(getattr(best, f"validation_{figure}"))
    axes.axvline(best.number, color=_BEST, linestyle=":", linewidth=1.2)
    ring: dict[str, Any] = {"color": _BEST, "markersize": 9, "fillstyle": "none", "markeredgewidth": 2}
    axes.plot([best.number], [value], "o", label=f"kept: epoch {best.number}, {value:.4f}", **ring)
    if fitted.stopped_early:
        axes.axvline(numbers[-1], color=_STOP, linestyle="--", linewidth=1.2, label=f"stopped early after epoch {numbers[-1]}")
    axes.set_xlabel("epoch")
    axes.set_title(name, fontsize=11, color=_INK)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(color="#8884", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="best", frameon=False, fontsize=9)


def draw_reliability(pair: Sequence[Axes], name: str, measured: Reliability) -> None:
    """Draw the share of right answers in each bin of confidence, and below it how many samples are in it.

    Args:
        pair: Two axes, the upper for shares, the lower for counts.
        name: What is shown.
        measured: The figures.
    """
    upper, lower = pair
    centres, width = (np.arange(BINS) + 0.5) / BINS, 0.9 / BINS
    used = measured.counts > 0
    for chosen, alpha in ((used & (measured.counts >= _FEW), 1.0), (used & (measured.counts < _FEW), 0.35)):
        upper.bar(centres[chosen], measured.accuracy[chosen], width, color=_VALIDATION, alpha=alpha)
    low, high = centres[used] - width / 2, centres[used] + width / 2
    upper.hlines(measured.confidence[used], low, high, color=_BEST, linewidth=2, label="mean confidence")
    upper.plot([0, 1], [0, 1], "--", color=_TRAIN, linewidth=1, label="as sure as right")
    upper.set_title(f"{name}: calibration error {measured.error:.4f}", fontsize=11, color=_INK)
    upper.set_ylabel("share right")
    upper.set_ylim(0, 1.05)
    upper.legend(loc="upper left", frameon=False, fontsize=9)
    lower.bar(centres[used], measured.counts[used], width, color=_TRAIN)
    lower.set_yscale("log")
    lower.yaxis.set_major_formatter("{x:,.0f}")
    lower.set_ylim(0.7, 2.5 * max(1, int(measured.counts.max())))
    lower.set_ylabel("samples")
    lower.set_xlabel("confidence")
    for axes in pair:
        axes.set_xlim(0, 1)
        axes.grid(axis="y", color="#8884", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)


def _write_cells(axes: Axes, matrix: Array, mistakes: Array) -> None:
    dark = mistakes.max() / 2
    for (row, column), number in np.ndenumerate(matrix):
        style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 9}
        if number:
            color = "white" if row != column and number > dark else _INK
            axes.text(column, row, f"{number}", color=color, weight="bold" if row == column else "normal", **style)
