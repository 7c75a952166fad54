"""Non-maximum suppression: of boxes that cover one another, the one with the best score. Pure numpy, the same everywhere.

Source: greedy suppression as in P. Felzenszwalb et al., "Object detection with discriminatively trained part-based models"
(2010), section 7; ties and rounding as in ONNX's NonMaxSuppression, to which the tests hold it.
"""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

Array = np.ndarray[Any, Any]
_BLOCK, _LARGER = 64, 1024  # boxes that are held against one another at once, and against those chosen before
_FEW = 8  # of those chosen before that a block is held against first
_SMALLEST = np.finfo(np.float32).tiny  # the least that no processor rounds to 0


def overlaps(first: Array, second: Array) -> Array:
    """Return intersection over union of every pair of boxes.

    Args:
        first: (N, 4) float32, two opposite corners (x, y, x, y), in any unit.
        second: (M, 4) float32, the same.

    Returns:
        (N, M) float32, 0–1; 0 where a box has no area.
    """
    return _overlaps(_sides(first), _sides(second))


def suppress(boxes: Array, scores: Array, overlap: float, most: int, classes: Optional[Array] = None) -> Array:
    """Choose boxes greedily: the best score first, then whatever covers no chosen one by more than `overlap`.

    Args:
        boxes: (N, 4) float32, two opposite corners (x, y, x, y), in any unit.
        scores: (N,) float32; among equals the lower row comes first.
        overlap: Intersection over union, 0–1, above which the worse of two boxes goes.
        most: How many to choose at most.
        classes: (N,) whole numbers; boxes of different classes then leave one another alone. None: all are of one class.

    Returns:
        Rows that were chosen, (K,) int64, the best first.
    """
    order = np.argsort(-np.asarray(scores, np.float32), kind="stable")
    sides = _sides(np.asarray(boxes, np.float32)[order])  # (5, N)
    kinds = None if classes is None else np.asarray(classes)[order]
    limit = np.float32(overlap)
    chosen = np.empty(0, np.int64)
    start, size = 0, _BLOCK
    while start < len(order) and len(chosen) < most:
        block = np.arange(start, min(start + size, len(order)))
        start, size = start + size, _LARGER
        block = _left(sides, kinds, chosen, block, limit)
        while len(block) and len(chosen) < most:
            head, block = block[:_BLOCK], block[_BLOCK:]
            kept = head[_first_come(_clashes(sides, kinds, head, head, limit), most - len(chosen))]
            chosen = np.concatenate([chosen, kept])
            block = _left(sides, kinds, kept, block, limit)
    return np.asarray(order[chosen], np.int64)


def _sides(boxes: Array) -> Array:
    """Return left, top, right, bottom and area of boxes (N, 4): (5, N) float32."""
    left, top = np.minimum(boxes[:, 0], boxes[:, 2]), np.minimum(boxes[:, 1], boxes[:, 3])
    right, bottom = np.maximum(boxes[:, 0], boxes[:, 2]), np.maximum(boxes[:, 1], boxes[:, 3])
    return np.stack([left, top, right, bottom, (right - left) * (bottom - top)])


def _overlaps(first: Array, second: Array) -> Array:
    left, top, right, bottom, area = first[:, :, None]  # (N, 1) each
    shared = np.minimum(right, second[2]) - np.maximum(left, second[0])  # (N, M)
    np.maximum(shared, 0, out=shared)
    height = np.minimum(bottom, second[3])
    height -= np.maximum(top, second[1])
    np.maximum(height, 0, out=height)
    shared *= height
    union = np.add(area, second[4], out=height)
    union -= shared
    np.maximum(union, _SMALLEST, out=union)  # where a box has no area nothing is shared, and nothing divided by little stays nothing
    found: Array = np.divide(shared, union, out=shared)
    return found


def _left(sides: Array, kinds: Optional[Array], chosen: Array, block: Array, limit: Any) -> Array:
    """Return the rows of a block that clash with none chosen: few of these, the best, take most away, so they go first and alone."""
    start, size = 0, _FEW
    while start < len(chosen) and len(block):
        block = block[~_clashes(sides, kinds, chosen[start : start + size], block, limit).any(axis=0)]
        start, size = start + size, 2 * size
    return block


def _clashes(sides: Array, kinds: Optional[Array], first: Array, second: Array, limit: Any) -> Array:
    """Tell which pairs of rows cannot both stay: (N, M) bool."""
    found: Array = _overlaps(sides[:, first], sides[:, second]) > limit
    if kinds is not None:
        found &= kinds[first][:, None] == kinds[second]
    return found


def _first_come(clashes: Array, most: int) -> list[int]:
    """Choose places greedily from the first on, `most` at most; clashes is (B, B) bool."""
    alive, chosen = np.ones(len(clashes), dtype=bool), []
    for place in range(len(clashes)):
        if alive[place]:
            chosen.append(place)
            if len(chosen) == most:
                break
            alive &= ~clashes[place]
    return chosen
