"""A detector's part of the run's page: pictures with their boxes drawn, the right ones, the missed and the false."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from edge.detection import corners, hits
from edge.steps.boxes import Found
from training import panels
from training.recipe import Array, Split

MOST_SHOWN = 24  # pictures


@dataclass(frozen=True)
class Drawn:
    """A box as the page draws it: in pixels of the model's input, its label, and what became of it."""

    left: float
    top: float
    width: float
    height: float
    text: str
    kind: Literal["right", "missed", "false"]


@dataclass(frozen=True)
class Picture:
    """A test picture: its row in eval.npz, its address, its size in pixels, and its boxes."""

    row: int
    picture: str
    width: int
    height: int
    boxes: tuple[Drawn, ...]

    def count(self, kind: str) -> int:
        """Count the boxes of a kind."""
        return sum(box.kind == kind for box in self.boxes)


def worst(split: Split, found: list[Found], labels: tuple[str, ...], level: float) -> list[Picture]:
    """Return the pictures with the most missed and false boxes, 24 at most; none where the inputs are no pictures."""
    inputs = next(iter(split.inputs.values()))
    drawn = [_drawn(one, target, labels, level) for one, target in zip(found, split.targets, strict=True)]
    mistakes = np.array([sum(box.kind != "right" for box in boxes) for boxes in drawn])
    shown = []
    for row in np.argsort(-mistakes, kind="stable")[:MOST_SHOWN]:
        address = panels.sample(inputs[row])
        if address is not None:
            shown.append(Picture(int(row), address, inputs[row].shape[1], inputs[row].shape[0], drawn[row]))
    return shown


def _drawn(found: Found, target: Array, labels: tuple[str, ...], level: float) -> tuple[Drawn, ...]:
    boxes, classes = corners(target)
    right = hits(found, boxes, classes, (level,))[0]
    taken = hits(Found(boxes, np.ones(len(boxes), np.float32), classes), found.boxes[right], found.classes[right], (level,))[0]
    given = [
        _box(box, f"{labels[kind]} {score:.2f}", "right" if good else "false")
        for box, kind, score, good in zip(found.boxes, found.classes, found.scores, right, strict=True)
    ]
    return (*given, *(_box(box, labels[kind], "missed") for box, kind, seen in zip(boxes, classes, taken, strict=True) if not seen))


def _box(box: Array, text: str, kind: Literal["right", "missed", "false"]) -> Drawn:
    left, top, right, bottom = (float(side) for side in box)
    return Drawn(left, top, right - left, bottom - top, text, kind)
