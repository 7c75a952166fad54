"""What is learned: how answers are judged, shown and stored; each module here is one kind of task.

The stage trains, and asks the task whatever depends on what a right answer is.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    import numpy as np

    from edge.contract import Contract
    from training.recipe import Array, Recipe, Splits


class Figures(Protocol):
    """How good a model is on one split."""

    @property
    def metric(self) -> float:
        """The contract's metric."""

    @property
    def interval(self) -> tuple[float, float]:
        """Its 95 % interval."""

    @property
    def loss(self) -> float:
        """The mean loss."""

    @property
    def count(self) -> int:
        """Number of samples."""


class Examined(Protocol):
    """What came of a trained model's answers."""

    TEMPLATE: str

    @property
    def figures(self) -> Mapping[str, Figures]:
        """The figures of each split that was answered: `validation` and `test`."""

    def contract(self, contract: Contract) -> Contract:
        """Return the contract with what the answers taught, such as a temperature."""

    def record(self) -> dict[str, Any]:
        """Return what `training.json` says beside the figures."""

    def draw(self, folder: Path, title: str) -> None:
        """Write pictures, PNG, named in `training.finished.UNLISTED`."""

    def page(self, contract: Contract) -> dict[str, Any]:
        """Return what `TEMPLATE`, a part of the run's page, needs beside what the page has anyway."""


class Task(Protocol):
    """One kind of task; a module is enough."""

    def check(self, splits: Splits, contract: Contract) -> None:
        """Hold a data set's targets against the contract.

        Raises:
            InputError: Targets are of another dtype or shape, or name no class.
            ContractError: The contract promises something else.
        """

    def proportional(self, targets: Array, random: np.random.Generator) -> Array:
        """Return an order of the samples, (N,) int64, whose every stretch stands for the whole."""

    def spread(self, targets: Array, random: np.random.Generator) -> Array:
        """Return an order of the samples, (N,) int64, whose every beginning shows as much as it can."""

    def labels(self, outputs: Array, classes: tuple[str, ...]) -> Array | None:
        """Return the name of each answer, (N,) str, for the golden samples; None where answers have no names."""

    def examine(self, answers: Mapping[str, Array], splits: Splits, recipe: Recipe) -> Examined:
        """Judge the answers (N, …) to each split, `validation` and `test`."""


def task(name: str) -> Task:
    """Load the task of that name; it is one of `training.recipe.TASKS`."""
    return cast("Task", importlib.import_module(f"training.tasks.{name}"))
