"""Classification: logits (N, C) against classes (N,); confidence is calibrated, mistakes are shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from edge.contract import Contract
from edge.errors import ContractError, InputError
from training import correctness, panels, plots
from training.calibration import Calibration, calibrate
from training.evaluate import Evaluation, evaluate
from training.recipe import Array, Recipe, Splits
from training.sampling import balanced_order, stratified_order
from training.tasks import class_page

proportional = stratified_order
spread = balanced_order


@dataclass(frozen=True)
class Classified:
    """What came of a classifier's answers: its figures and logits (N, C) by split, and how far confidence is right."""

    TEMPLATE: ClassVar[str] = "classification.html.j2"

    figures: Mapping[str, Evaluation]
    logits: Mapping[str, Array]
    calibration: Calibration
    splits: Splits

    def contract(self, contract: Contract) -> Contract:
        """Let the contract's softmax use the temperature that was fitted."""
        return replace(contract, confidence=replace(contract.confidence, temperature=self.calibration.temperature))

    def record(self) -> dict[str, Any]:
        """Return figures by class, the confusion matrix, the calibration, and which test samples were right."""
        return {
            "classes": [asdict(figures) for figures in self.figures["test"].classes],
            "confusion": self.figures["test"].confusion.tolist(),
            "calibration": self.calibration.to_json(),
            "test_answers": correctness.pack(self.logits["test"], self.splits.test.targets),
        }

    def draw(self, folder: Path, title: str) -> None:
        """Write confusion.png and reliability.png."""
        where = f"{title} on {self.splits.name}"
        plots.confusion(folder / "confusion.png", f"{where}, test split", self.figures["test"].confusion, self.splits.classes)
        plots.reliability(folder / "reliability.png", where, self.calibration)

    def page(self, contract: Contract) -> dict[str, Any]:
        """Return the confusion matrix, the pairs taken for one another, and the surest mistakes."""
        figures, classes = self.figures["test"], self.splits.classes
        few = len(classes) <= class_page.MOST_CLASSES
        return {
            "drawings": panels.reliabilities(self.calibration),
            "figures": figures,
            "classes": classes,
            "matrix": class_page.shaded(figures.confusion) if few else None,
            "pairs": class_page.confused(figures.confusion, classes),
            "wrong": figures.count - int(np.trace(figures.confusion)),
            "mistakes": class_page.mistakes(self.splits.test, self.logits["test"], classes, contract.confidence.temperature),
        }


def check(splits: Splits, contract: Contract) -> None:
    """Hold classes against the contract's labels.

    Raises:
        InputError: Targets are of another dtype or shape, name no class, or are all of one class.
        ContractError: There are not as many classes as labels.
    """
    for part, split in splits.parts().items():
        if split.targets.dtype != np.int64 or split.targets.ndim != 1:
            raise InputError(f"{splits.name}: {part} targets are {split.targets.dtype} {split.targets.shape}, expected int64 (N,)")
        low, high = int(split.targets.min()), int(split.targets.max())
        if low < 0 or high >= len(splits.classes):
            raise InputError(f"{splits.name}: {part} targets run from {low} to {high}, expected 0 to {len(splits.classes) - 1}")
    first = int(splits.train.targets[0])
    if (splits.train.targets == first).all():
        raise InputError(f"{splits.name}: every training sample is of the class {splits.classes[first]!r}, expected two classes or more")
    if contract.labels and len(contract.labels) != len(splits.classes):
        raise ContractError(
            f"{contract.name}: has {len(contract.labels)} labels, {splits.name} has {len(splits.classes)} classes; expected as many"
        )


def labels(outputs: Array, classes: tuple[str, ...]) -> Array:
    """Return the name of each best class, (N,) str."""
    return np.array([classes[answer] for answer in outputs.argmax(axis=1)])


def examine(answers: Mapping[str, Array], splits: Splits, recipe: Recipe) -> Classified:
    """Judge logits (N, C) by split, and fit the temperature on the validation split."""
    metric = recipe.contract.metric.name
    figures = {part: evaluate(logits, splits.parts()[part].targets, splits.classes, metric) for part, logits in answers.items()}
    return Classified(figures, answers, calibrate(answers, splits), splits)
