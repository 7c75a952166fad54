"""Embedding: vectors (N, D) that lie near one another where samples are of one group, (N, 1) int64; there is no class to name.

A group's number says which samples belong together, and nothing else: the model never sees it. The contract's metric judges the
vectors of each split among themselves, such as the share whose nearest neighbour is of the same group.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from edge import measures
from edge.contract import Contract
from edge.errors import InputError
from training.recipe import Array, Recipe, Splits
from training.sampling import balanced_order, stratified_order

_SHOWN = 12  # samples


@dataclass(frozen=True)
class Neighbourhood:
    """How near the vectors of a split lie to those of their group; `loss` is the share of the metric that is missing.

    `within` and `across` are the mean cosine of two samples of one group, and of two groups.
    """

    metric: float
    interval: tuple[float, float]
    loss: float
    within: float
    across: float
    count: int


@dataclass(frozen=True)
class Astray:
    """A test sample whose nearest neighbour is of another group: rows in eval.npz, the cosine, and both samples."""

    row: int
    neighbour: int
    cosine: float
    text: str
    other: str


@dataclass(frozen=True)
class Embedded:
    """What came of a model's vectors."""

    TEMPLATE: ClassVar[str] = "embedding.html.j2"

    figures: Mapping[str, Neighbourhood]
    outputs: Mapping[str, Array]
    splits: Splits

    def contract(self, contract: Contract) -> Contract:
        """Return the contract as it is: vectors teach it nothing."""
        return contract

    def record(self) -> dict[str, Any]:
        """Return the mean cosines of each split."""
        return {"cosines": {part: {"within": one.within, "across": one.across} for part, one in self.figures.items()}}

    def draw(self, folder: Path, title: str) -> None:
        """Draw nothing: what vectors look like is the recipe's own matter."""

    def page(self, contract: Contract) -> dict[str, Any]:
        """Return the figures of both splits and the samples with the wrong neighbours."""
        return {"splits": self.figures, "better": contract.metric.direction, "astray": astray(self.outputs["test"], self.splits)}


def check(splits: Splits, contract: Contract) -> None:
    """Hold groups against the contract's output.

    Raises:
        InputError: They are of another dtype or shape, or the output is none of vectors.
    """
    for part, split in splits.parts().items():
        if split.targets.dtype != np.int64 or split.targets.shape != (len(split), 1):
            raise InputError(f"{splits.name}: {part} targets are {split.targets.dtype} {split.targets.shape}, expected int64 (N, 1)")
    if len(contract.main.outputs[0].shape) != 2:
        raise InputError(f"{contract.name}: its output is {contract.main.outputs[0].shape}, expected vectors (batch, D)")


def proportional(targets: Array, random: np.random.Generator) -> Array:
    """Return an order, (N,) int64, whose every stretch has the groups in the proportions of the whole."""
    return stratified_order(_numbers(targets), random)


def spread(targets: Array, random: np.random.Generator) -> Array:
    """Return an order, (N,) int64, whose every beginning shows all groups."""
    return balanced_order(_numbers(targets), random)


def labels(outputs: Array, classes: tuple[str, ...]) -> None:
    """Return None: vectors have no names."""


def examine(answers: Mapping[str, Array], splits: Splits, recipe: Recipe) -> Embedded:
    """Judge vectors (N, D) by split."""
    decisive = measures.measure(recipe.contract.metric.name)
    figures = {}
    for part, outputs in answers.items():
        targets = splits.parts()[part].targets
        metric, (within, across) = decisive.of(outputs, targets), cosines(outputs, targets)
        figures[part] = Neighbourhood(metric, decisive.interval(outputs, targets), 1 - metric, within, across, len(targets))
    return Embedded(figures, answers, splits)


def cosines(vectors: Array, targets: Array) -> tuple[float, float]:
    """Return the mean cosine of two different samples of one group, and of two groups; 0 where there are no such two.

    Args:
        vectors: (N, D).
        targets: (N, 1) int64.
    """
    unit = vectors.astype(np.float64) / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    groups = _numbers(targets)
    sums, counts = np.zeros((groups.max() + 1, unit.shape[1])), np.bincount(groups)
    np.add.at(sums, groups, unit)
    inside = float((sums**2).sum() - (unit**2).sum())  # over ordered pairs of different samples
    whole = float((unit.sum(axis=0) ** 2).sum() - (unit**2).sum())
    pairs, every = int((counts * (counts - 1)).sum()), len(unit) * (len(unit) - 1)
    return inside / max(pairs, 1), (whole - inside) / max(every - pairs, 1)


def astray(vectors: Array, splits: Splits) -> list[Astray]:
    """Return test samples whose nearest neighbour, by vectors (N, D), is of another group; the surest first, 12 at most."""
    unit = vectors.astype(np.float64) / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    alike = unit @ unit.T
    np.fill_diagonal(alike, -np.inf)
    nearest, sure = alike.argmax(axis=1), alike.max(axis=1)
    groups = _numbers(splits.test.targets)
    wrong = np.flatnonzero(groups[nearest] != groups)
    chosen = wrong[np.argsort(-sure[wrong], kind="stable")][:_SHOWN]
    return [Astray(int(row), int(nearest[row]), float(sure[row]), _shown(splits, row), _shown(splits, nearest[row])) for row in chosen]


def _shown(splits: Splits, row: int) -> str:
    """Return a sample's group, and its beginning where the data set keeps texts."""
    number = int(splits.test.targets[row, 0])
    name = splits.classes[number] if 0 <= number < len(splits.classes) else str(number)
    return name if splits.test.raw is None else f"{name}: {str(splits.test.raw[row])[:160]}"


def _numbers(targets: Array) -> Array:
    """Return groups, (N, 1) int64, as numbers from 0, (N,) int64."""
    numbers: Array = np.unique(targets[:, 0], return_inverse=True)[1].reshape(-1)
    return numbers
