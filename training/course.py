"""How far a training has come: its history, its best weights, and the state that a checkpoint holds."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn

from edge.errors import InputError
from training.checkpoint import generators, set_generators
from training.progress import say
from training.recipe import FitSettings


@dataclass(frozen=True)
class Epoch:
    """The figures of one pass over the training data; the metric is accuracy."""

    number: int
    train_loss: float
    train_metric: float
    validation_loss: float
    validation_metric: float
    seconds: float


class Loop(Protocol):
    """What runs the epochs."""

    module: nn.Module
    settings: FitSettings

    def state(self) -> dict[str, Any]:
        """Return what the next epoch depends on besides the module."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""


class Course:
    """How far a training has come."""

    def __init__(self, loop: Loop) -> None:
        """Begin before the first epoch."""
        self._loop = loop
        self.history: list[Epoch] = []
        self.best_epoch, self.seconds = 0, 0.0
        self.best_module: dict[str, Tensor] = loop.module.state_dict()

    def add(self, epoch: Epoch, seconds: float) -> None:
        """Take in an epoch; where it is the best so far, keep its weights."""
        self.history.append(epoch)
        self.seconds = seconds
        if self.best_epoch == 0 or _merit(epoch) > _merit(self.history[self.best_epoch - 1]):
            self.best_epoch, self.best_module = epoch.number, copy.deepcopy(self._loop.module.state_dict())

    def stalled(self) -> bool:
        """Tell whether patience has run out."""
        patience = self._loop.settings.patience
        return patience is not None and len(self.history) - self.best_epoch >= patience

    def state(self) -> dict[str, Any]:
        """Return everything that the next epoch depends on, as tensors and plain containers."""
        module = self._loop.module.state_dict()
        is_best = self.best_epoch == len(self.history)
        return {
            "module": module,
            "best_module": module if is_best else self.best_module,  # the same tensors are stored once
            "best_epoch": self.best_epoch,
            "history": [asdict(epoch) for epoch in self.history],
            "seconds": self.seconds,
            "generators": generators(),
            **self._loop.state(),
        }

    def restore(self, state: Mapping[str, Any], origin: Path | None) -> None:
        """Go to where a training was.

        Args:
            state: What `state` gave then.
            origin: The file that it is from, for people.

        Raises:
            InputError: The state is of another module.
        """
        try:
            self._loop.module.load_state_dict(state["best_module"])
            self._loop.module.load_state_dict(state["module"])
            self._loop.restore(state)
            set_generators(state["generators"])
            self.history = [Epoch(**figures) for figures in state["history"]]
            self.best_module, self.best_epoch, self.seconds = state["best_module"], int(state["best_epoch"]), float(state["seconds"])
        except (LookupError, RuntimeError, TypeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"{origin}: not a state of this model ({reason}); --force starts from nothing") from None
        say(f"going on after epoch {len(self.history)} of {self._loop.settings.epochs}, from {origin}")


def _merit(epoch: Epoch) -> tuple[float, float]:
    return epoch.validation_metric, -epoch.validation_loss
