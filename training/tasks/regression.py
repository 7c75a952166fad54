"""Regression: values (N, …) against values of the same shape; a number to predict, or a picture to give back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from edge import measures
from edge.contract import Contract
from edge.errors import InputError
from training import panels, plots
from training.recipe import Array, Recipe, Split, Splits

_SHOWN = 12  # samples with the largest errors


@dataclass(frozen=True)
class Fit:
    """How near the values are on one split; `loss` is the mean squared error, `metric` the contract's."""

    metric: float
    interval: tuple[float, float]
    loss: float
    mean_error: float
    bias: float
    count: int


@dataclass(frozen=True)
class Worst:
    """A test sample far off: its row in eval.npz, what was right, what came, and pictures where they are ones."""

    row: int
    error: float
    expected: str
    came: str
    picture: str | None
    answer: str | None


@dataclass(frozen=True)
class Estimated:
    """What came of a model's values: figures and outputs (N, …) by split."""

    TEMPLATE: ClassVar[str] = "regression.html.j2"

    figures: Mapping[str, Fit]
    outputs: Mapping[str, Array]
    splits: Splits
    metric: str = "rmse"

    def contract(self, contract: Contract) -> Contract:
        """Return the contract as it is: values teach it nothing."""
        return contract

    def record(self) -> dict[str, Any]:
        """Return mean absolute error and bias of each split."""
        return {"errors": {part: {"mae": fit.mean_error, "bias": fit.bias} for part, fit in self.figures.items()}}

    def draw(self, folder: Path, title: str) -> None:
        """Write values.png: what came against what was right."""
        plots.values(folder / "values.png", f"{title} on {self.splits.name}, test split", *self._shown())

    def page(self, contract: Contract) -> dict[str, Any]:
        """Return the drawing of values and the samples that are furthest off."""
        test, outputs = self.splits.test, self.outputs["test"]
        return {
            "better": contract.metric.direction,
            "values": panels.values(*self._shown()),
            "fits": self.figures,
            "furthest": _furthest(test, np.where(known(test.targets, self.metric), outputs, test.targets)),
        }

    def _shown(self) -> tuple[Array, Array]:
        """Return what was right and what came on the test split, where it is known."""
        targets, outputs = self.splits.test.targets, self.outputs["test"]
        there = known(targets, self.metric)
        return targets[there], outputs[there]


def check(splits: Splits, contract: Contract) -> None:
    """Hold values against the contract's output.

    Raises:
        InputError: They are of another dtype or shape, or not finite.
    """
    output = contract.main.outputs[0]
    for part, split in splits.parts().items():
        targets = split.targets
        if targets.dtype != np.float32 or not output.takes_batch(targets.shape):
            raise InputError(
                f"{splits.name}: {part} targets are {targets.dtype} {targets.shape}, expected float32 ({', '.join(map(str, output.shape))})"
            )
        if not np.isfinite(targets).all():
            raise InputError(f"{splits.name}: {part} targets hold NaN or infinity, expected finite numbers; mend the data")


def proportional(targets: Array, random: np.random.Generator) -> Array:
    """Return a random order: (N,) int64."""
    return random.permutation(len(targets))


def spread(targets: Array, random: np.random.Generator) -> Array:
    """Return an order whose beginnings run from the smallest values to the largest: (N,) int64."""
    means = targets.reshape(len(targets), -1).mean(axis=1)
    ranks = np.argsort(np.argsort(means + random.normal(0, 1e-9, len(means)), kind="stable"), kind="stable")
    golden = (ranks * ((np.sqrt(5) - 1) / 2)) % 1.0  # neighbours in rank end up far apart
    return np.argsort(golden, kind="stable")


def labels(outputs: Array, classes: tuple[str, ...]) -> None:
    """Return None: values have no names."""


def examine(answers: Mapping[str, Array], splits: Splits, recipe: Recipe) -> Estimated:
    """Measure values (N, …) by split."""
    decisive = measures.measure(recipe.contract.metric.name)
    figures = {}
    for part, outputs in answers.items():
        targets = splits.parts()[part].targets
        errors = (outputs.astype(np.float64) - targets)[known(targets, recipe.contract.metric.name)]
        figures[part] = Fit(
            metric=decisive.of(outputs, targets),
            interval=decisive.interval(outputs, targets),
            loss=float(np.mean(errors**2)),
            mean_error=float(np.mean(np.abs(errors))),
            bias=float(np.mean(errors)),
            count=len(targets),
        )
    return Estimated(figures, answers, splits, recipe.contract.metric.name)


def known(targets: Array, metric: str) -> Array:
    """Tell which targets (N, …) count: all, or where ratings are measured those that somebody gave."""
    there: Array = targets != 0 if metric == "rated_rmse" else np.ones(targets.shape, bool)
    return there


def _furthest(split: Split, outputs: Array) -> list[Worst]:
    errors = np.abs(outputs.astype(np.float64) - split.targets).reshape(len(outputs), -1).mean(axis=1)
    inputs = next(iter(split.inputs.values()))
    rows = np.argsort(-errors, kind="stable")[:_SHOWN]
    return [
        Worst(
            int(row),
            float(errors[row]),
            _words(split.targets[row]),
            _words(outputs[row]),
            panels.sample(inputs[row]),
            panels.sample(_pixels(outputs[row])),
        )
        for row in rows
    ]


def _words(values: Array) -> str:
    flat = values.reshape(-1)
    return ", ".join(f"{value:.4g}" for value in flat[:4]) + (" …" if len(flat) > 4 else "")


def _pixels(values: Array) -> Array:
    """Show values of 0 to 1 as a picture; anything else stays as it is and is not shown."""
    whole = values.ndim == 3 and values.min() >= -0.01 and values.max() <= 1.01
    shown: Array = np.rint(values.clip(0, 1) * 255).astype(np.uint8) if whole else values
    return shown
