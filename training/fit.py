"""Training epoch by epoch, whatever the library: stopped early where it no longer helps, kept on the disk, the best weights kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from training.checkpoint import Checkpoints
from training.course import Course, Epoch
from training.frameworks import Framework, Loop
from training.objective import CLASSES, Objective
from training.observers import Observer
from training.progress import bar, say
from training.ranks import current
from training.recipe import FitSettings, Splits

__all__ = ["Epoch", "Fitted", "MakeLoop", "fit"]
MakeLoop: TypeAlias = Callable[[Any, Splits, FitSettings, Objective], Loop]
_MOST_LINES = 30  # a line an epoch, or one for several where there are many


@dataclass(frozen=True)
class Fitted:
    """How a training went; the model holds the weights of `best_epoch`."""

    history: tuple[Epoch, ...]
    best_epoch: int
    stopped_early: bool
    seconds: float
    device: str


def fit(
    framework: Framework,
    model: Any,
    splits: Splits,
    settings: FitSettings,
    checkpoints: Checkpoints | None = None,
    observers: Sequence[Observer] = (),
    objective: Objective = CLASSES,
    make_loop: MakeLoop | None = None,
) -> Fitted:
    """Train a model; afterwards it holds the best weights, on the CPU, ready to answer.

    Best is the epoch with the best validation metric; among equals, the one with the lowest validation loss.
    With checkpoints, training goes on from the newest; on a CPU it ends with the bits of one that was never interrupted.
    Where several processes train one model, each calls this; rank 0 reads and writes the checkpoints.

    Args:
        framework: The library that the model is written in.
        model: Takes the inputs in the order of `splits.train.inputs` and gives logits (B, C) float32. Whatever changes
            in it while it learns must be part of its weights.
        splits: The data.
        settings: How to train.
        checkpoints: Where the state is kept after each epoch; None keeps none.
        observers: Who is told of each epoch.
        objective: The loss to learn by, and the metric.
        make_loop: The recipe's own loop, in place of the library's.

    Raises:
        GateError: The loss is not finite; the message names epoch and step.
        InputError: A checkpoint is of another model.
        SetupError: A checkpoint cannot be written; those before it are untouched.
    """
    loop = (make_loop or framework.loop)(model, splits, settings, objective)
    settings = loop.settings
    course = Course(loop, settings, objective)
    kept = checkpoints if framework.RESUMES else None
    started = _learn(loop, course, kept, observers, objective.metric)
    stopped = course.stalled() and len(course.history) < settings.epochs
    if stopped:
        say(f"stopped early: no better validation {objective.metric} for {settings.patience} epochs; keeping epoch {course.best_epoch}")
    loop.set_weights(course.best)
    loop.finish()
    return Fitted(tuple(course.history), course.best_epoch, stopped, time.perf_counter() - started, loop.device)


def _learn(loop: Loop, course: Course, kept: Checkpoints | None, observers: Sequence[Observer], metric: str) -> float:
    """Run the epochs that are left; return when the training began, in seconds of the clock, those before an interruption included."""
    settings, samples, ranks = loop.settings, loop.samples, current()
    if kept is not None and (state := ranks.first(kept.load)) is not None:
        course.restore(state, kept.newest)
    started = time.perf_counter() - course.seconds
    with bar(settings.epochs * samples) as shown:
        shown.advance(len(course.history) * samples)
        while len(course.history) < settings.epochs and not course.stalled():
            epoch = loop.run_epoch(len(course.history) + 1, shown)
            course.add(epoch, time.perf_counter() - started)
            if epoch.number % math.ceil(settings.epochs / _MOST_LINES) == 0 or epoch.number == settings.epochs:
                say(_line(epoch, metric, settings.epochs, samples, course.seconds))
            for observer in observers:
                observer.epoch(epoch, loop.weights())
            if kept is not None and ranks.first(kept.due):
                state = course.state()  # of all ranks, so all take part in it
                ranks.first(partial(kept.save, epoch.number, state))
    return started


def _line(epoch: Epoch, metric: str, epochs: int, samples: int, elapsed_s: float) -> str:
    left = elapsed_s / epoch.number * (epochs - epoch.number)
    return (
        f"epoch {epoch.number}/{epochs}: loss {epoch.train_loss:.4f}, {metric} {epoch.train_metric:.4f} | "
        f"validation loss {epoch.validation_loss:.4f}, {metric} {epoch.validation_metric:.4f} | "
        f"{samples / epoch.seconds:,.0f} samples/s, {left:.0f} s left"
    )
