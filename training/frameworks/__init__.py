"""What a training stage needs of the library that a model is written in; each module here gives it for one library."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, TypeAlias, cast

from edge.errors import SetupError
from training.objective import CLASSES, Objective
from training.progress import Bar
from training.recipe import Array, FitSettings, Split, Splits

EXTRAS: Mapping[str, str] = {"pytorch": "train", "keras": "keras", "estimators": "trees", "given": "export"}
Predict: TypeAlias = Callable[[Mapping[str, Array]], Array]


class Loop(Protocol):
    """A model while it learns: run epoch by epoch, and put away and taken up again between two of them."""

    settings: FitSettings  # as far as the library and the machine can use them
    samples: int  # that one epoch learns from
    device: str  # for people

    def run_epoch(self, number: int, shown: Bar) -> Any:
        """Learn from every sample once and measure on the validation split; return the `Epoch`.

        Raises:
            GateError: A loss is not finite.
        """

    def weights(self) -> dict[str, Any]:
        """Return a copy of what the model has learned, by name."""

    def set_weights(self, weights: Mapping[str, Any]) -> None:
        """Put back what `weights` gave."""

    def state(self) -> dict[str, Any]:
        """Return whatever else the next epoch depends on: optimiser, shuffle, random generators."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""

    def finish(self) -> None:
        """Leave the model on the CPU, ready to answer."""


class Framework(Protocol):
    """One library; a module is enough.

    `PACKAGES` are the distributions whose versions decide the outcome,
    `SUFFIX` ends a checkpoint's name, `RESUMES` tells whether a training can be taken up between two epochs, and `PARALLEL`
    whether several processes can share one.
    """

    PACKAGES: tuple[str, ...]
    SUFFIX: str
    RESUMES: bool
    PARALLEL: bool

    def reproducible(self, seed: int) -> AbstractContextManager[None]:
        """Seed everything that is random, and hold the library to algorithms that give the same bits again on a CPU."""

    def loop(self, model: Any, splits: Splits, settings: FitSettings, objective: Objective = CLASSES) -> Loop:
        """Prepare a model to learn."""

    def runner(self, model: Any) -> Predict:
        """Return a function from arrays (B, …) by input name to the model's output (B, C) as an array."""

    def mean_loss(self, loss: Callable[[Any, Any], Any], outputs: Array, targets: Array) -> float:
        """Return the mean of a recipe's own loss over outputs (N, …) and targets (N, …)."""

    def program(self, model: Any) -> str:
        """Return the name of the file that is handed to export."""

    def save(self, path: Path, model: Any, example: Split) -> None:
        """Write the program that export converts; `example` holds two samples."""

    def rehearse(self, model: Any, example: Split) -> None:
        """Try on an untrained model what `save` might fail at; only asked of libraries that resume."""

    def parameters(self, model: Any) -> int:
        """Count the numbers that the model has learned."""

    def encode(self, state: Mapping[str, Any]) -> bytes:
        """Write a training's state as a checkpoint's content."""

    def decode(self, content: bytes) -> Any:
        """Read a checkpoint's content without running anything in it; errors are of `UNREADABLE`."""


def framework(name: str) -> Framework:
    """Load the adapter of a library, and the library with it.

    Raises:
        SetupError: The library is not installed.
    """
    try:
        return cast("Framework", importlib.import_module(f"training.frameworks.{name}"))
    except ModuleNotFoundError as error:
        raise SetupError(f"{error.name} is not installed; install Tandem with the extra [{EXTRAS.get(name, 'train')}]") from None
