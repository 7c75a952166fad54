"""TensorBoard: scalars, the graph, histograms (which give the distributions too) and images of a training.

Look at them with `tensorboard --logdir runs/<name>/.tensorboard`; each training is a run of its own there.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import tensorboard  # noqa: F401  # here, so that its absence is told by its name before torch's writer is asked
import torch
from matplotlib import image
from torch.utils.tensorboard import SummaryWriter

from training.course import Epoch
from training.observers import Watched
from training.progress import say
from training.recipe import Array

FOLDER = ".tensorboard"
_PICTURES = 16
_DRAWN = ("confusion", "reliability", "values")


class TensorBoard:
    """Writes event files while a model is trained."""

    def __init__(self, folder: Path, watched: Watched) -> None:
        """Begin a run: its settings, its graph and some of its pictures."""
        self._writer = SummaryWriter(str(folder), max_queue=1000)
        self._metric = watched.recipe.objective.metric
        settings = "\n".join(f"    {name} = {value}" for name, value in vars(watched.recipe.fit).items())
        self._writer.add_text("settings", settings)
        self._images(watched)
        self._graph(watched)

    def epoch(self, epoch: Epoch, weights: Mapping[str, Any], /) -> None:
        """Write loss and metric of both splits, samples per second, and a histogram of every array."""
        step = epoch.number
        for name, train, validation in (
            ("loss", epoch.train_loss, epoch.validation_loss),
            (self._metric, epoch.train_metric, epoch.validation_metric),
        ):
            self._writer.add_scalars(name, {"training": train, "validation": validation}, step)
        self._writer.add_scalar("seconds", epoch.seconds, step)
        for name, values in weights.items():
            array = np.asarray(values)
            if array.dtype.kind == "f" and array.size > 1:
                self._writer.add_histogram(name.replace(".", "/"), array, step)

    def finished(self, record: Mapping[str, Any], folder: Path) -> None:
        """Write the test figures and the task's pictures."""
        last = len(record["history"])
        self._writer.add_scalar(f"test/{record['metric']['name']}", record["metric"]["test"], last)
        for name in _DRAWN:
            path = folder / f"{name}.png"
            if path.is_file():
                self._writer.add_image(name, image.imread(str(path))[..., :3], last, dataformats="HWC")

    def close(self) -> None:
        """Write what is still in memory."""
        self._writer.close()

    def _images(self, watched: Watched) -> None:
        """Show the first training samples where they are pictures."""
        rows: Array = next(iter(watched.splits.train.inputs.values()))[:_PICTURES]
        if rows.dtype == np.uint8 and rows.ndim == 4 and rows.shape[3] in (1, 3):
            self._writer.add_images("training samples", rows, 0, dataformats="NHWC")

    def _graph(self, watched: Watched) -> None:
        """Draw the module's graph where it is one of PyTorch's and can be traced."""
        if not isinstance(watched.model, torch.nn.Module):
            return
        few = watched.splits.validation.take(np.arange(1))
        inputs = tuple(torch.from_numpy(array) for array in few.inputs.values())
        state = watched.model.training
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # tracing warns of whatever depends on the example; it is only drawn
                self._writer.add_graph(watched.model.eval(), inputs)
        except (RuntimeError, TypeError, ValueError) as error:
            say(f"TensorBoard: the graph cannot be drawn ({str(error).splitlines()[0]})")
        finally:
            watched.model.train(state)


def open_observer(watched: Watched) -> TensorBoard:
    """Begin a run in `runs/<name>/.tensorboard/<version>-<time>`."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    folder = watched.target.parent / FOLDER / f"{watched.target.name}-{stamp}"
    say(f"TensorBoard: tensorboard --logdir {folder.parent}")
    return TensorBoard(folder, watched)
