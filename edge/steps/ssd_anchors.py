"""Single-shot detectors: the grids of anchors that they begin from, and the decoding of what they give into boxes and points.

The grids are those of the published mobile detectors (SSD with MobileNet, BlazeFace and its kin): for each stride a grid over
the picture, in each of its cells some anchors of different scales and shapes. Boxes and scores come as two outputs, which are laid
side by side here: a row for each anchor, its offsets first, then its points, then its scores.

Source: W. Liu et al., "SSD: single shot multibox detector" (2016), section 2.2; V. Bazarevsky et al., "BlazeFace: sub-millisecond
neural face detection on mobile GPUs" (2019), section 3.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from edge.errors import ContractError
from edge.steps.boxes import Found
from edge.steps.suppression import suppress

Array = np.ndarray[Any, Any]
_WIDEST = 8.0  # of the exponent of a size: 3,000 times the anchor, and no overflow
_LOWEST = (1.0, 2.0, 0.5)  # the shapes of the lowest grid where it has fewer anchors
_SMALL = 0.1  # the scale of its first


@dataclass(frozen=True)
class Grid:
    """How anchors lie; strides that stand one after another with the same value share one grid.

    Attributes:
        size: Height and width of the model's input in pixels.
        strides: Pixels from cell to cell, one for each layer of the model.
        scales: The scale of the first layer's anchors and of the last's, as shares of the picture; between them it grows evenly.
        ratios: Width to height of the anchors of a cell.
        between: Width to height of one more anchor, whose scale lies between this layer's and the next one's; 0 means none.
        few: Whether the first layer has three anchors only, of shapes of its own.
        fixed: Whether all anchors are as large as the whole picture, so that offsets alone tell a box's size.
    """

    size: tuple[int, int]
    strides: tuple[int, ...]
    scales: tuple[float, float] = (0.2, 0.95)
    ratios: tuple[float, ...] = (1.0, 2.0, 0.5, 3.0, 1 / 3)
    between: float = 1.0
    few: bool = False
    fixed: bool = False


@dataclass(frozen=True)
class Coding:
    """What the numbers of a row mean.

    Attributes:
        scale: What offsets of x, y, width and height are divided by.
        swapped: Whether a row begins with y, x, height, width, and not with x, y, width, height.
        exponential: Whether sizes are exponents, and not shares of the anchor.
        points: How many points (x, y) follow the four offsets.
        background: Whether the first score is that of nothing.
    """

    scale: tuple[float, float, float, float]
    swapped: bool = False
    exponential: bool = False
    points: int = 0
    background: bool = False


@dataclass(frozen=True)
class Pointed(Found):
    """Boxes with their points: `points` is (K, P, 2) float32, x and y in pixels of the model's input."""

    points: Array


@lru_cache(maxsize=16)
def anchors(grid: Grid) -> Array:
    """Lay out the anchors: (A, 4) float64, centre x, centre y, width and height as shares of the picture; row by row, cell by cell."""
    found, layer = [], 0
    while layer < len(grid.strides):
        stride, shapes = grid.strides[layer], []
        while layer < len(grid.strides) and grid.strides[layer] == stride:
            shapes += _shapes(grid, layer)
            layer += 1
        rows, columns = (math.ceil(side / stride) for side in grid.size)
        y, x = np.mgrid[0:rows, 0:columns]
        centres = np.stack([(x + 0.5) / columns, (y + 0.5) / rows], axis=-1)[:, :, None]  # (rows, columns, 1, 2)
        cells = np.empty((rows, columns, len(shapes), 4))
        cells[..., :2], cells[..., 2:] = centres, np.ones(2) if grid.fixed else np.array(shapes)
        found.append(cells.reshape(-1, 4))
    laid: Array = np.concatenate(found)
    laid.flags.writeable = False
    return laid


def decode(
    value: Any, grid: Grid, coding: Coding, *, score: float = 0.5, overlap: float = 0.5, most: int = 100, per_class: bool = True
) -> Pointed:
    """Decode the raw outputs for one picture, and let of boxes that cover one another the surest stay.

    A score is the logistic function of the best class's number. Computed in float64, rounded to float32; what sticks out of the
    picture is cut off, points are not.

    Args:
        value: (A, 4 + 2·points + scores) float32, a row for each anchor.
        grid: How the anchors lie.
        coding: What the numbers mean.
        score: What a box must have more of to count, 0–1.
        overlap: Intersection over union above which the worse of two boxes goes.
        most: How many boxes at most.
        per_class: Whether boxes of different classes leave one another alone.

    Raises:
        ContractError: The output does not fit the grid or the coding.
    """
    laid, first = anchors(grid), 4 + 2 * coding.points
    if not isinstance(value, np.ndarray) or value.ndim != 2 or len(value) != len(laid) or value.shape[1] <= first + coding.background:
        came = f"an array {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
        raise ContractError(
            f"decode_ssd got {came}, expected ({len(laid)}, {first} + scores), boxes and scores side by side; "
            "correct the step's grid, or the order of the contract's outputs"
        )
    logits = value[:, first + coding.background :]
    best = logits.argmax(axis=1)
    scores = _logistic(logits[np.arange(len(best)), best].astype(np.float64)).astype(np.float32)
    sure = np.flatnonzero(scores > np.float32(score))
    scores, classes, rows = scores[sure], best[sure].astype(np.int64), value[sure].astype(np.float64)
    height, width = grid.size
    boxes = _boxes(rows[:, :4], laid[sure], coding)
    boxes = (np.clip(boxes, 0, 1) * [width, height, width, height]).astype(np.float32)
    points = _points(rows[:, 4:first], laid[sure], coding) * [width, height]
    kept = suppress(boxes, scores, overlap, most, classes if per_class else None)
    return Pointed(boxes[kept], scores[kept], classes[kept], points[kept].astype(np.float32))


def _shapes(grid: Grid, layer: int) -> list[tuple[float, float]]:
    """Return width and height of a layer's anchors, as shares of the picture."""
    scale = _scale(grid, layer)
    if layer == 0 and grid.few:
        pairs = [(_SMALL, _LOWEST[0]), *((scale, ratio) for ratio in _LOWEST[1:])]
    else:
        pairs = [(scale, ratio) for ratio in grid.ratios]
        if grid.between > 0:
            following = 1.0 if layer == len(grid.strides) - 1 else _scale(grid, layer + 1)
            pairs.append((math.sqrt(scale * following), grid.between))
    return [(size * math.sqrt(ratio), size / math.sqrt(ratio)) for size, ratio in pairs]


def _scale(grid: Grid, layer: int) -> float:
    low, high = grid.scales
    return (low + high) / 2 if len(grid.strides) == 1 else low + (high - low) * layer / (len(grid.strides) - 1)


def _boxes(offsets: Array, laid: Array, coding: Coding) -> Array:
    """Return corners, (K, 4) xyxy, as shares of the picture."""
    ordered = (offsets[:, [1, 0, 3, 2]] if coding.swapped else offsets) / np.asarray(coding.scale)
    centres = ordered[:, :2] * laid[:, 2:] + laid[:, :2]
    sizes = np.exp(np.clip(ordered[:, 2:], -_WIDEST, _WIDEST)) if coding.exponential else ordered[:, 2:]
    halves = sizes * laid[:, 2:] / 2
    return np.concatenate([centres - halves, centres + halves], axis=1)


def _points(offsets: Array, laid: Array, coding: Coding) -> Array:
    """Return points, (K, P, 2), as shares of the picture."""
    pairs = offsets.reshape(len(offsets), coding.points, 2)
    ordered = (pairs[..., ::-1] if coding.swapped else pairs) / np.asarray(coding.scale[:2])
    found: Array = ordered * laid[:, None, 2:] + laid[:, None, :2]
    return found


def _logistic(values: Array) -> Array:
    shares: Array = 1 / (1 + np.exp(-np.clip(values, -60, 60)))
    return shares
