"""Who looks on while a model is trained: TensorBoard, MLflow; they see everything and change nothing."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from edge.errors import SetupError

if TYPE_CHECKING:
    from training.course import Epoch
    from training.recipe import Recipe, Splits


@dataclass(frozen=True)
class Watched:
    """The training that is looked at: its recipe, its untrained model, its data, and the folder of its hand-over."""

    recipe: Recipe
    model: Any
    splits: Splits
    target: Path


class Observer(Protocol):
    """One who looks on."""

    def epoch(self, epoch: Epoch, weights: Mapping[str, Any], /) -> None:
        """Take note of an epoch; `weights` are the model's arrays by name, of any library."""

    def finished(self, record: Mapping[str, Any], folder: Path) -> None:
        """Take note of the figures and pictures of a finished training."""

    def close(self) -> None:
        """Write what is still in memory; called also after an error."""


@dataclass(frozen=True)
class Watching:
    """Which observers are wanted: TensorBoard or not, and MLflow's address or None."""

    tensorboard: bool = False
    mlflow: str | None = None


@contextmanager
def observe(wanted: Watching, watched: Watched) -> Iterator[tuple[Observer, ...]]:
    """Open the observers that are wanted, and close them whatever happens.

    Raises:
        SetupError: The package of one is not installed, or its server does not answer.
    """
    observers: list[Observer] = []
    try:
        if wanted.tensorboard:
            observers.append(_module("tensorboard").open_observer(watched))
        if wanted.mlflow:
            observers.append(_module("mlflow").open_observer(watched, wanted.mlflow))
        yield tuple(observers)
    finally:
        for observer in observers:
            observer.close()


def _module(name: str) -> Any:
    try:
        return importlib.import_module(f"training.observers.{name}")
    except ModuleNotFoundError as error:
        raise SetupError(f"{error.name} is not installed; install Tandem with the extra [{name}]") from None
