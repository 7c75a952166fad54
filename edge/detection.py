"""Mean average precision of boxes, with intervals: one implementation for training, for the release gate and on the device.

What is judged is what a caller gets: the contract's step of `DECODERS` with its own score threshold makes the boxes. The
average precision of a class is COCO's: detections of all pictures in the order of their scores, the precision at 101 recalls,
each the best at that recall or beyond. The tests hold it to figures of COCO's own evaluator. numpy only.

Source: T.-Y. Lin et al., "Microsoft COCO: common objects in context" (2014), and its evaluation's description.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable

import numpy as np

from edge.contract import Contract
from edge.errors import ContractError
from edge.steps import single_shot
from edge.steps.boxes import Found, find
from edge.steps.suppression import overlaps

Array = Any  # of numpy; its type parameters differ from version to version
DECODERS: Mapping[str, Callable[..., Found]] = {"decode_boxes": find, "decode_ssd": single_shot.find}
LEVELS = {"map50": (0.5,), "map": tuple(np.linspace(0.5, 0.95, 10).tolist())}
SAME = 0.75  # intersection over union from which two boxes of a class are the same answer
_RECALLS = np.linspace(0, 1, 101)
_RESAMPLED = 1000
_CHUNK = 250  # draws at once


@dataclass(frozen=True)
class Matched:
    """Every detection of some pictures, the best score first, held against what is there.

    `pictures`, `classes`: (D,) int64; `right`: (levels, D) bool; `there`: (N, C) int64, how many boxes of each class each picture has.
    """

    pictures: Array
    classes: Array
    right: Array
    there: Array


@dataclass(frozen=True)
class MeanAveragePrecision:
    """A metric of raw outputs (N, …) and targets (N, M, 5) float32: class, centre x, centre y, width, height in pixels; -1 fills up.

    `decode` makes boxes of one raw output; `levels` are the overlaps from which a box counts as found, over which is averaged.
    """

    decode: Callable[[Array], Found]
    levels: tuple[float, ...]
    direction: str = "higher"
    share: bool = False
    classes: bool = False

    def of(self, outputs: Array, targets: Array) -> float:
        """Compute the metric."""
        matched = self._matched(outputs, targets)
        return float(precision(matched, np.ones((1, len(targets)), np.int64))[0])

    def interval(self, outputs: Array, targets: Array) -> tuple[float, float]:
        """Give the 95 % interval from resampled pictures (Efron, 1979), seed 0."""
        values = precision(self._matched(outputs, targets), draws(len(targets)))
        return float(np.quantile(values, 0.025)), float(np.quantile(values, 0.975))

    def loss(self, outputs: Array, reference: Array, targets: Array) -> tuple[float, float, float]:
        """Give how much worse outputs are than a reference's on the same pictures, with the 95 % interval; positive is worse."""
        ours, theirs = self._matched(outputs, targets), self._matched(reference, targets)
        counts = np.concatenate([np.ones((1, len(targets)), np.int64), draws(len(targets))])
        losses = precision(theirs, counts) - precision(ours, counts)
        return float(losses[0]), float(np.quantile(losses[1:], 0.025)), float(np.quantile(losses[1:], 0.975))

    def agree(self, outputs: Array, reference: Array) -> Array:
        """Tell which pictures are answered alike, (N,) bool: as many boxes, and for each one of its class that overlaps by 0.75 or more."""
        return np.array([_alike(self.decode(one), self.decode(other)) for one, other in zip(outputs, reference)], dtype=bool)

    def _matched(self, outputs: Array, targets: Array) -> Matched:
        return match([self.decode(output) for output in outputs], targets, self.levels)


def bound(name: str, contract: Contract) -> MeanAveragePrecision:
    """Return a metric of `LEVELS` for a contract's raw outputs.

    Raises:
        ContractError: The contract has no step that makes boxes.
    """
    step = next((step for step in contract.postprocess if step.name in DECODERS), None)
    if step is None:
        raise ContractError(f"{contract.name}: the metric {name} judges boxes, expected a postprocess step {' or '.join(DECODERS)}")
    decoder, parameters = DECODERS[step.name], dict(step.parameters)
    return MeanAveragePrecision(lambda output: decoder(output, **parameters), LEVELS[name])


def corners(targets: Array) -> tuple[Array, Array]:
    """Return the boxes of one picture's targets (M, 5): (K, 4) float32, xyxy, and their classes, (K,) int64."""
    rows = targets[targets[:, 0] >= 0]
    halves = rows[:, 3:5] / 2
    boxes = np.concatenate([rows[:, 1:3] - halves, rows[:, 1:3] + halves], axis=1)
    return boxes, rows[:, 0].astype(np.int64)


def match(found: list[Found], targets: Array, levels: tuple[float, ...]) -> Matched:
    """Hold what was found in N pictures against targets (N, M, 5)."""
    count = 1 + int(max([targets[..., 0].max(initial=-1), *(one.classes.max(initial=-1) for one in found)]))
    there = np.zeros((len(found), count), np.int64)
    right = [np.zeros((len(levels), 0), dtype=bool)]
    for number, (one, target) in enumerate(zip(found, targets)):
        boxes, classes = corners(target)
        np.add.at(there[number], classes, 1)
        right.append(hits(one, boxes, classes, levels))
    scores = np.concatenate([one.scores for one in found])
    order = np.argsort(-scores, kind="stable")
    pictures = np.repeat(np.arange(len(found)), [len(one.scores) for one in found])
    return Matched(pictures[order], np.concatenate([one.classes for one in found])[order], np.concatenate(right, axis=1)[:, order], there)


def hits(found: Found, boxes: Array, classes: Array, levels: tuple[float, ...]) -> Array:
    """Tell which boxes of one picture are right, (levels, K) bool: the surest first, each takes the free one that it covers best."""
    shared = np.where(found.classes[:, None] == classes, overlaps(found.boxes, boxes), -1.0)  # (K, M)
    right = np.zeros((len(levels), len(shared)), dtype=bool)
    if not shared.size:
        return right
    for number, level in enumerate(levels):
        free = shared.copy()
        for row in np.flatnonzero(shared.max(axis=1) >= level):
            best = int(free[row].argmax())
            if free[row, best] >= level:
                right[number, row] = True
                free[:, best] = -1.0
    return right


def precision(matched: Matched, counts: Array) -> Array:
    """Return the mean average precision of pictures that count (R, N) times: (R,), over classes and levels; 0 where nothing is there."""
    return np.concatenate([_precision(matched, counts[start : start + _CHUNK]) for start in range(0, len(counts), _CHUNK)])


def average_precisions(matched: Matched, counts: Array) -> Array:
    """Return the average precision of each class at each level, (R, levels, C); NaN where a class is in none of the pictures."""
    there = counts @ matched.there  # (R, C)
    found = np.full((len(counts), len(matched.right), there.shape[1]), np.nan)
    for kind in range(there.shape[1]):
        rows = np.flatnonzero(matched.classes == kind)
        weights = counts[:, matched.pictures[rows]]  # (R, D)
        passed = np.cumsum(weights, axis=1)
        for level, right in enumerate(matched.right[:, rows]):
            found[:, level, kind] = _average(np.cumsum(weights * right, axis=1), passed, there[:, kind])
    return found


def draws(count: int) -> Array:
    """Return how often each picture is drawn, with replacement, in each of 1,000 samples: (1000, count) int64."""
    return np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), _RESAMPLED)


def _precision(matched: Matched, counts: Array) -> Array:
    each = average_precisions(matched, counts)  # (R, levels, C)
    known = ~np.isnan(each)
    return np.where(known, each, 0).sum(axis=(1, 2)) / np.maximum(known.sum(axis=(1, 2)), 1)


def _average(right: Array, passed: Array, there: Array) -> Array:
    """Average the precision at 101 recalls: right and passed so far, (R, D), of `there`, (R,); NaN where nothing is there."""
    samples, length = right.shape
    whole = np.maximum(there, 1)[:, None]
    # What is the best precision at or after each detection; behind the last one it is 0.
    best = np.zeros((samples, length + 1))
    shares = right / np.maximum(passed, 1)
    best[:, :length] = np.maximum.accumulate(shares[:, ::-1], axis=1)[:, ::-1]
    # Recalls go up in each row, so rows that are put one after another can be searched at once.
    ends = 2.0 * np.arange(samples)[:, None]
    places = np.searchsorted((right / whole + ends).ravel(), (_RECALLS + ends).ravel()).reshape(samples, -1)
    places = np.clip(places - length * np.arange(samples)[:, None], 0, length)
    values = np.take_along_axis(best, places, axis=1).mean(axis=1)
    return np.where(there > 0, values, np.nan)


def _alike(one: Found, other: Found) -> bool:
    if len(one.scores) != len(other.scores):
        return False
    return bool(hits(one, other.boxes, other.classes, (SAME,)).all())
