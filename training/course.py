"""How far a training has come: its history, its best weights, and the state that a checkpoint holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge.errors import InputError
from training.frameworks import Loop
from training.objective import CLASSES, Objective
from training.progress import say
from training.recipe import FitSettings


@dataclass(frozen=True)
class Epoch:
    """The figures of one pass over the training data; the metric is the contract's."""

    number: int
    train_loss: float
    train_metric: float
    validation_loss: float
    validation_metric: float
    seconds: float


class Course:
    """How far a training has come."""

    def __init__(self, loop: Loop, settings: FitSettings, objective: Objective = CLASSES) -> None:
        """Begin before the first epoch."""
        self._loop, self._settings, self._objective = loop, settings, objective
        self.history: list[Epoch] = []
        self.best_epoch, self.seconds = 0, 0.0
        self.best: dict[str, Any] = {}

    def add(self, epoch: Epoch, seconds: float) -> None:
        """Take in an epoch; where it is the best so far, keep its weights."""
        self.history.append(epoch)
        self.seconds = seconds
        if self.best_epoch == 0 or self._merit(epoch) > self._merit(self.history[self.best_epoch - 1]):
            self.best_epoch, self.best = epoch.number, self._loop.weights()

    def _merit(self, epoch: Epoch) -> tuple[float, float]:
        return self._objective.merit(epoch.validation_metric, epoch.validation_loss)

    def stalled(self) -> bool:
        """Tell whether patience has run out."""
        patience = self._settings.patience
        return patience is not None and len(self.history) - self.best_epoch >= patience

    def state(self) -> dict[str, Any]:
        """Return everything that the next epoch depends on, as arrays and plain containers."""
        newest = self.best if self.best_epoch == len(self.history) else self._loop.weights()  # the same arrays are stored once
        return {
            "weights": newest,
            "best_weights": self.best,
            "best_epoch": self.best_epoch,
            "history": [asdict(epoch) for epoch in self.history],
            "seconds": self.seconds,
            "learning": self._loop.state(),
        }

    def restore(self, state: Mapping[str, Any], origin: Path | None) -> None:
        """Go to where a training was.

        Args:
            state: What `state` gave then.
            origin: The file that it is from, for people.

        Raises:
            InputError: The state is of another model.
        """
        try:
            self._loop.set_weights(state["best_weights"])
            self._loop.set_weights(state["weights"])
            self._loop.restore(state["learning"])
            self.history = [Epoch(**figures) for figures in state["history"]]
            self.best, self.best_epoch, self.seconds = dict(state["best_weights"]), int(state["best_epoch"]), float(state["seconds"])
        except (LookupError, RuntimeError, TypeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"{origin}: not a state of this model ({reason}); --force starts from nothing") from None
        say(f"going on after epoch {len(self.history)} of {self._settings.epochs}, from {origin}")
