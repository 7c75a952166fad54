"""Pictures of a report, as `data:` addresses, so that the page needs no other file and no network."""

from __future__ import annotations

import base64
import io
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import image
from matplotlib.figure import Figure

from export.candidate import Candidate

Array = np.ndarray[Any, Any]
mpl.use("Agg")
COLOURS = {"onnx": "#2f6fde", "tflite": "#d9822b"}


def sample(row: Array) -> str | None:
    """Show one input that is a picture; None where it is not.

    Args:
        row: (H, W, 1) or (H, W, 3) uint8.
    """
    if row.dtype != np.uint8 or row.ndim != 3 or row.shape[2] not in (1, 3):
        return None
    pixels = np.repeat(row, 3, axis=2) if row.shape[2] == 1 else row
    buffer = io.BytesIO()
    image.imsave(buffer, pixels, format="png")
    return _address(buffer.getvalue())


def sizes(candidates: list[Candidate], metric: str) -> str:
    """Draw size against the metric, one point a file, at its worst runtime; the whisker is the metric's own 95 % interval."""
    from export.metric import wilson

    figure = Figure(figsize=(6.4, 3.2), dpi=110, layout="constrained")
    axes = figure.subplots()
    for number, candidate in enumerate(sorted(candidates, key=lambda candidate: candidate.path.stat().st_size)):
        value = min((trial.metric for trial in candidate.trials), default=0.0)
        low, high = wilson(value, len(candidate.trials[0].scores)) if candidate.trials else (0.0, 0.0)
        size = candidate.path.stat().st_size / 1000
        colour = COLOURS[candidate.plan.format]
        axes.errorbar(size, value, yerr=[[value - low], [high - value]], fmt="o", color=colour, capsize=4)
        axes.annotate(
            candidate.plan.file, (size, value), textcoords="offset points", xytext=(8, 6 - 14 * (number % 3)), fontsize=9, color=colour
        )
    axes.set_xlabel("size (kB)")
    axes.set_ylabel(metric)
    axes.set_xlim(0, 1.4 * max(candidate.path.stat().st_size for candidate in candidates) / 1000)
    axes.grid(alpha=0.3)
    return _figure(figure)


def matrices(pairs: list[tuple[str, Array]], labels: list[str]) -> str:
    """Draw confusion matrices side by side; errors are coloured, the diagonal is left pale.

    Args:
        pairs: (title, (C, C) counts: row true, column answered).
        labels: The C names.
    """
    figure = Figure(figsize=(5.0 * len(pairs), 4.6), dpi=100, layout="constrained")
    for axes, (title, counts) in zip(figure.subplots(1, len(pairs), squeeze=False)[0], pairs, strict=True):
        errors = counts - np.diag(np.diag(counts))
        axes.imshow(errors, cmap="OrRd", vmin=0, vmax=max(1, int(errors.max())))
        for (i, j), count in np.ndenumerate(counts):
            dark = i != j and count > 0.6 * errors.max()
            if count:
                axes.text(j, i, str(count), ha="center", va="center", fontsize=7, color="#fff" if dark else "#333" if i != j else "#2a7a2a")
        axes.set_title(f"{title}: {int(errors.sum())} errors", fontsize=10)
        axes.set_xticks(range(len(labels)), labels)
        axes.set_yticks(range(len(labels)), labels)
        axes.set_xlabel("answered")
        axes.set_ylabel("true")
    return _figure(figure)


def _figure(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return _address(buffer.getvalue())


def _address(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode()
