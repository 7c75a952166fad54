"""Detection: raw grids of predictions against boxes (N, M, 5); what is judged is what the contract's steps make of the grids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from edge import detection
from edge.contract import Contract
from edge.detection import MeanAveragePrecision, average_precisions, match
from edge.errors import ContractError, InputError
from edge.steps.boxes import Found
from training.recipe import Array, Recipe, Splits
from training.tasks import detection_page

_LEVEL = 0.5  # overlap from which a box counts as found


@dataclass(frozen=True)
class Figures:
    """How good the boxes of one split are.

    `strict` is the mean average precision over the overlaps .5 to .95. `true`, `missed` and `false` count boxes at an overlap of .5.
    """

    metric: float
    interval: tuple[float, float]
    loss: float
    count: int
    strict: float
    true: int
    missed: int
    false: int


@dataclass(frozen=True)
class ClassFigures:
    """The average precision of one class at an overlap of .5, None where it is nowhere, and how many of it there are."""

    label: str
    precision: float | None
    count: int


@dataclass(frozen=True)
class Detected:
    """What came of a detector's answers: figures and boxes by split."""

    TEMPLATE: ClassVar[str] = "detection.html.j2"

    figures: Mapping[str, Figures]
    found: Mapping[str, list[Found]]
    classes: tuple[ClassFigures, ...]
    splits: Splits

    def contract(self, contract: Contract) -> Contract:
        """Return the contract as it is: boxes teach it nothing."""
        return contract

    def record(self) -> dict[str, Any]:
        """Return the figures of boxes by split and by class."""
        names = ("strict", "true", "missed", "false")
        return {
            "boxes": {part: {name: getattr(figures, name) for name in names} for part, figures in self.figures.items()},
            "classes": [asdict(figures) for figures in self.classes],
        }

    def draw(self, folder: Path, title: str) -> None:
        """Write nothing: the pictures with their boxes stand in the page."""

    def page(self, contract: Contract) -> dict[str, Any]:
        """Return the figures by class and the pictures with the most mistakes, boxes drawn."""
        drawn = detection_page.worst(self.splits.test, self.found["test"], contract.labels, _LEVEL)
        return {"splits": self.figures, "kinds": self.classes, "drawn": drawn}


def check(splits: Splits, contract: Contract) -> None:
    """Hold boxes against the contract.

    Raises:
        InputError: They are of another dtype or shape, name no class, have no size, or there are none to learn from.
        ContractError: There are not as many classes as labels, or no `decode_boxes` step.
    """
    detection.bound("map50", contract)
    if len(contract.labels) != len(splits.classes):
        raise ContractError(
            f"{contract.name}: has {len(contract.labels)} labels, {splits.name} has {len(splits.classes)} classes; expected as many"
        )
    for part, split in splits.parts().items():
        targets = split.targets
        if targets.dtype != np.float32 or targets.ndim != 3 or targets.shape[2] != 5:
            raise InputError(f"{splits.name}: {part} targets are {targets.dtype} {targets.shape}, expected float32 (N, M, 5)")
        there = targets[targets[..., 0] != -1]  # (K, 5)
        kinds = there[:, 0]
        if not np.isin(kinds, np.arange(len(splits.classes))).all():
            raise InputError(f"{splits.name}: {part} targets name classes outside 0 to {len(splits.classes) - 1}, and -1 for no box")
        if not np.isfinite(there).all() or not (there[:, 3:] > 0).all():
            raise InputError(f"{splits.name}: {part} targets hold boxes without a size, expected width and height above 0")
        if not len(there):
            raise InputError(f"{splits.name}: no {part} picture has a box, expected one or more")


def proportional(targets: Array, random: np.random.Generator) -> Array:
    """Return a random order: (N,) int64."""
    return random.permutation(len(targets))


def spread(targets: Array, random: np.random.Generator) -> Array:
    """Return an order whose beginnings hold pictures of few boxes and of many: (N,) int64."""
    many = (targets[..., 0] >= 0).sum(axis=1)
    ranks = np.argsort(np.argsort(many + random.random(len(many)), kind="stable"), kind="stable")
    return np.argsort((ranks * ((np.sqrt(5) - 1) / 2)) % 1.0, kind="stable")  # neighbours in rank end up far apart


def labels(outputs: Array, classes: tuple[str, ...]) -> None:
    """Return None: a picture's boxes are no single name."""


def examine(answers: Mapping[str, Array], splits: Splits, recipe: Recipe) -> Detected:
    """Measure the boxes of each split's raw outputs (N, H, W, K)."""
    decisive = recipe.objective.measure
    step = detection.bound("map", recipe.contract)
    found = {part: [step.decode(output) for output in outputs] for part, outputs in answers.items()}
    figures = {}
    for part, outputs in answers.items():
        targets = splits.parts()[part].targets
        loss, metric = recipe.objective.judge(outputs, targets)
        figures[part] = _figures(found[part], targets, step, loss, metric, decisive.interval(outputs, targets))
    return Detected(figures, found, _by_class(found["test"], splits.test.targets, splits.classes), splits)


def _figures(
    found: list[Found], targets: Array, step: MeanAveragePrecision, loss: float, metric: float, interval: tuple[float, float]
) -> Figures:
    matched = match(found, targets, step.levels)
    strict = float(detection.precision(matched, np.ones((1, len(found)), np.int64))[0])
    true, given = int(matched.right[0].sum()), len(matched.classes)
    return Figures(metric, interval, loss, len(found), strict, true, int(matched.there.sum()) - true, given - true)


def _by_class(found: list[Found], targets: Array, classes: tuple[str, ...]) -> tuple[ClassFigures, ...]:
    matched = match(found, targets, (_LEVEL,))
    each = average_precisions(matched, np.ones((1, len(found)), np.int64))[0, 0]  # (C at most,)
    counts = matched.there.sum(axis=0)
    return tuple(
        ClassFigures(label, float(each[i]) if i < len(each) and counts[i] else None, int(counts[i]) if i < len(counts) else 0)
        for i, label in enumerate(classes)
    )
