"""From a detector's raw output to boxes: the decoding of YOLO's grid of anchors, then non-maximum suppression.

Both stand outside the graph: so every runtime can run it, and int8 rounds scores and offsets, not the choice among boxes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.errors import ContractError
from edge.steps.context import Context
from edge.steps.suppression import suppress

Array = np.ndarray[Any, Any]
_WIDEST = 8.0  # of tw and th: 3,000 times the anchor, and no overflow


@dataclass(frozen=True)
class Box:
    """One thing that was found: its label and class number, how sure that is (0–1), and where.

    `box` is (left, top, right, bottom) in pixels: as the step gives it, of the model's input; as `Model.predict` gives it,
    of the caller's own picture, upright.
    """

    label: str
    index: int
    score: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Boxes:
    """Everything that was found in one picture, the surest first; there may be nothing."""

    items: tuple[Box, ...] = ()


@dataclass(frozen=True)
class Found:
    """The same as arrays: `boxes` (K, 4) float32, xyxy, pixels of the model's input; `scores` (K,) float32; `classes` (K,) int64."""

    boxes: Array
    scores: Array
    classes: Array


def decode_boxes(
    value: Any,
    context: Context,
    *,
    anchors: Any,
    stride: int,
    score: float = 0.3,
    overlap: float = 0.5,
    most: int = 100,
    per_class: bool = True,
) -> Boxes:
    """Turn a grid of raw predictions into the boxes that are sure enough; see `find` for the parameters.

    Args:
        value: (H, W, A·(5 + C)) float32.
        context: Gives the labels; an unnamed class is called by its index.
        anchors: See `find`.
        stride: See `find`.
        score: See `find`.
        overlap: See `find`.
        most: See `find`.
        per_class: See `find`.

    Raises:
        ContractError: The output does not fit the anchors or the labels.
    """
    found = find(value, anchors=anchors, stride=stride, score=score, overlap=overlap, most=most, per_class=per_class)
    classes = value.shape[2] // len(anchors) - 5
    return labelled(found.boxes, found.scores, found.classes, context.labels, classes)


def labelled(boxes: Array, scores: Array, classes: Array, labels: Sequence[str], count: int) -> Boxes:
    """Name boxes by their classes.

    Args:
        boxes: (K, 4) float32, xyxy, pixels of the model's input.
        scores: (K,) float32.
        classes: (K,) int64, below `count`.
        labels: One for each class, or none: an unnamed class is called by its index.
        count: How many classes the model scores.

    Raises:
        ContractError: There are labels, but not `count`.
    """
    names = labels or tuple(map(str, range(count)))
    if len(names) != count:
        raise ContractError(f"the model scores {count} classes, but the contract has {len(names)} labels; they must be equal")
    rows = zip(boxes.tolist(), scores.tolist(), classes.tolist())
    return Boxes(tuple(Box(names[number], number, sure, (box[0], box[1], box[2], box[3])) for box, sure, number in rows))


def find(
    value: Any, *, anchors: Any, stride: int, score: float = 0.3, overlap: float = 0.5, most: int = 100, per_class: bool = True
) -> Found:
    """Decode a grid of raw predictions.

    Cell (cy, cx) holds for each anchor (pw, ph) the numbers tx, ty, tw, th, to and one per class. A box's centre is
    ((cx + σ(tx)) · stride, (cy + σ(ty)) · stride), its size pw · e^tw by ph · e^th, its score σ(to) times the softmax of its
    best class. What sticks out of the picture is cut off. Computed in float64, rounded to float32.

    Source: J. Redmon, A. Farhadi, "YOLO9000: better, faster, stronger" (2017), section 2.

    Args:
        value: (H, W, A·(5 + C)) float32.
        anchors: A pairs (width, height) in pixels of the model's input.
        stride: Pixels of the model's input from cell to cell.
        score: What a box must have more of to count, 0–1.
        overlap: Intersection over union above which the worse of two boxes goes.
        most: How many boxes at most.
        per_class: Whether boxes of different classes leave one another alone.

    Raises:
        ContractError: The output does not fit the anchors.
    """
    if not isinstance(value, np.ndarray) or value.ndim != 3 or value.shape[2] % len(anchors) or value.shape[2] // len(anchors) < 6:
        came = f"an array {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
        raise ContractError(f"decode_boxes got {came}, expected (height, width, anchors·(5 + classes)) for {len(anchors)} anchors")
    height, width = value.shape[:2]
    raw = value.reshape(height, width, len(anchors), -1)
    certain = _logit(score)
    rows, columns, kinds = np.nonzero(raw[..., 4] > certain)  # a box's score is at most σ(to)
    cells = raw[rows, columns, kinds].astype(np.float64)  # (N, 5 + C)
    powers = np.exp(cells[:, 5:] - cells[:, 5:].max(axis=1, keepdims=True))
    scores = (_sigmoid(cells[:, 4]) * powers.max(axis=1) / powers.sum(axis=1)).astype(np.float32)
    centres = (np.stack([columns, rows], axis=1) + _sigmoid(cells[:, :2])) * stride  # (N, 2)
    halves = np.asarray(anchors, np.float64)[kinds] * np.exp(np.clip(cells[:, 2:4], -_WIDEST, _WIDEST)) / 2
    ends = np.array([width, height, width, height], np.float64) * stride
    boxes = np.clip(np.concatenate([centres - halves, centres + halves], axis=1), 0, ends).astype(np.float32)
    sure = np.flatnonzero(scores > np.float32(score))
    boxes, scores, classes = boxes[sure], scores[sure], powers.argmax(axis=1)[sure]
    kept = suppress(boxes, scores, overlap, most, classes if per_class else None)
    return Found(boxes[kept], scores[kept], classes[kept].astype(np.int64))


def check_decode_boxes(anchors: Any, stride: Any, score: Any = 0.3, overlap: Any = 0.5, most: Any = 100, per_class: Any = True) -> str:
    """Say what is wrong with the parameters of `decode_boxes`; empty where nothing is."""
    pairs = isinstance(anchors, (list, tuple)) and anchors and all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in anchors)
    if not pairs or not all(_number(side) and side > 0 for pair in anchors for side in pair):
        return f"has anchors={anchors!r}, expected a list of [width, height] in pixels, each above 0"
    if type(stride) is not int or stride < 1:
        return f"has stride={stride!r}, expected pixels, at least 1"
    for name, share in (("score", score), ("overlap", overlap)):
        if not _number(share) or not 0 <= share <= 1:
            return f"has {name}={share!r}, expected a number from 0 to 1"
    if type(most) is not int or most < 1:
        return f"has most={most!r}, expected a whole number of at least 1"
    return "" if isinstance(per_class, bool) else f"has per_class={per_class!r}, expected true or false"


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _sigmoid(values: Array) -> Array:
    shares: Array = 1 / (1 + np.exp(-np.clip(values, -60, 60)))
    return shares


def _logit(share: float) -> float:
    """Return the logit of a share, a little lower, so that no rounding loses a box."""
    return -math.inf if share <= 0 else math.inf if share >= 1 else math.log(share / (1 - share)) - 1e-6
