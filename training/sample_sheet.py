"""A sheet of a data set's pictures: one row a class, as PNG."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from edge.errors import UsageError
from edge.storage import write_atomic
from training.recipe import Array, Splits
from training.sampling import balanced_order

COLUMNS = 12
MAX_ROWS = 20
_INK, _PALE = "#2f3437", "#8a94a6"


def draw(path: Path, title: str, splits: Splits) -> None:
    """Write a sheet of training pictures, the same ones every time.

    Args:
        path: The PNG to write; its folder is made where it is missing.
        title: What the data set is.
        splits: Its first input is uint8 pictures, (N, H, W, 1 or 3), NHWC.

    Raises:
        UsageError: The data set holds no pictures, or the file is not to be a PNG.
        SetupError: The file cannot be written.
    """
    # Imported here, not above: only who asks for a picture waits for it.
    from matplotlib.figure import Figure

    if path.suffix.lower() != ".png":
        raise UsageError(f"--picture is {path}, expected a name that ends in .png")
    pictures = next(iter(splits.train.inputs.values()))
    if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[-1] not in (1, 3):
        raise UsageError(f"{splits.name}: holds {pictures.dtype} {pictures.shape[1:]}, no pictures; leave --picture out")
    shown = splits.classes[:MAX_ROWS]
    figure = Figure(figsize=(0.62 * COLUMNS + 1.6, 0.62 * len(shown) + 0.9), dpi=120)
    figure.suptitle(f"{splits.name} – {title}", x=0.02, y=0.98, ha="left", va="top", fontsize=11, color=_INK)
    left, top = 1.5 / figure.get_figwidth(), 1 - 0.55 / figure.get_figheight()
    grid = figure.add_gridspec(len(shown), COLUMNS, left=left, right=0.985, top=top, bottom=0.02, wspace=0.08, hspace=0.08)
    counts = np.bincount(splits.train.targets, minlength=len(splits.classes))
    for row, samples in enumerate(chosen(splits)[:MAX_ROWS]):
        for column in range(COLUMNS):
            axes = figure.add_subplot(grid[row, column])
            axes.set_axis_off()
            if column < len(samples):
                picture = pictures[samples[column]]
                axes.imshow(picture[..., 0] if picture.shape[-1] == 1 else picture, cmap="gray", vmin=0, vmax=255)
        middle = top - (top - 0.02) * (row + 0.5) / len(shown)
        figure.text(0.02, middle + 0.008, splits.classes[row], fontsize=10, color=_INK, va="bottom")
        figure.text(0.02, middle + 0.004, f"{counts[row]:,} to train", fontsize=7, color=_PALE, va="top")
    content = io.BytesIO()
    figure.savefig(content, format="png", metadata={"Software": None})
    write_atomic(path, content.getvalue())


def chosen(splits: Splits) -> list[Array]:
    """Return the training rows that the sheet shows: for each class at most `COLUMNS`."""
    targets = splits.train.targets
    order = balanced_order(targets, np.random.default_rng(0))
    return [order[targets[order] == number][:COLUMNS] for number in range(len(splits.classes))]
