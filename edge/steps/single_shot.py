"""The step `decode_ssd`: what a single-shot detector gives, boxes and scores side by side, becomes labelled boxes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from edge.steps.boxes import Boxes, labelled
from edge.steps.context import Context
from edge.steps.ssd_anchors import Coding, Grid, Pointed, decode


def decode_ssd(
    value: Any,
    context: Context,
    *,
    grid: Any,
    coding: Any,
    score: float = 0.5,
    overlap: float = 0.5,
    most: int = 100,
    per_class: bool = True,
) -> Boxes:
    """Turn a row for each anchor into the boxes that are sure enough; points are left out, `find` gives them too.

    Args:
        value: (A, 4 + 2·points + scores) float32.
        context: Gives the labels, one for each score apart from that of nothing; an unnamed class is called by its index.
        grid: The fields of `edge.steps.ssd_anchors.Grid`.
        coding: The fields of `edge.steps.ssd_anchors.Coding`.
        score: What a box must have more of to count, 0–1.
        overlap: Intersection over union above which the worse of two boxes goes.
        most: How many boxes at most.
        per_class: Whether boxes of different classes leave one another alone.

    Raises:
        ContractError: The output does not fit the grid, the coding or the labels.
    """
    found = find(value, grid=grid, coding=coding, score=score, overlap=overlap, most=most, per_class=per_class)
    how = coding_of(coding)
    classes = value.shape[1] - 4 - 2 * how.points - how.background
    return labelled(found.boxes, found.scores, found.classes, context.labels, classes)


def find(
    value: Any, *, grid: Any, coding: Any, score: float = 0.5, overlap: float = 0.5, most: int = 100, per_class: bool = True
) -> Pointed:
    """Decode the raw outputs for one picture with a step's parameters; see `decode_ssd` and `edge.steps.ssd_anchors.decode`."""
    return decode(value, grid_of(grid), coding_of(coding), score=score, overlap=overlap, most=most, per_class=per_class)


def grid_of(fields: Any) -> Grid:
    """Make a grid of a step's parameter, an object of plain lists and numbers."""
    return Grid(**_frozen(fields))


def coding_of(fields: Any) -> Coding:
    """Make a coding of a step's parameter; see `grid_of`."""
    return Coding(**_frozen(fields))


def _frozen(fields: Any) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, (list, tuple)) else value for name, value in fields.items()}


def check_decode_ssd(grid: Any, coding: Any, score: Any = 0.5, overlap: Any = 0.5, most: Any = 100, per_class: Any = True) -> str:
    """Say what is wrong with the parameters of `decode_ssd`; empty where nothing is."""
    for name, given, known, checks in (("grid", grid, Grid, _GRID), ("coding", coding, Coding, _CODING)):
        fields = known.__dataclass_fields__
        if not isinstance(given, dict) or any(key not in fields for key in given):
            return f"has {name}={given!r}, expected an object of {', '.join(fields)}"
        for key, (check, expected) in checks.items():
            if key in given and not check(given[key]):
                return f"has {name}.{key}={given[key]!r}, expected {expected}"
    for name, part, needed in (("grid", grid, ("size", "strides")), ("coding", coding, ("scale",))):
        missing = [key for key in needed if key not in part]
        if missing:
            return f"has {name} without {missing[0]!r}"
    for name, share in (("score", score), ("overlap", overlap)):
        if not _number(share) or not 0 <= share <= 1:
            return f"has {name}={share!r}, expected a number from 0 to 1"
    if type(most) is not int or most < 1:
        return f"has most={most!r}, expected a whole number of at least 1"
    return "" if isinstance(per_class, bool) else f"has per_class={per_class!r}, expected true or false"


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _list(value: Any, count: int = 0) -> bool:
    """Tell whether a value is a list of numbers above 0, of so many where a count is given."""
    is_list = isinstance(value, (list, tuple)) and bool(value) and (not count or len(value) == count)
    return is_list and all(_number(item) and item > 0 for item in value)


def _pixels(value: Any, count: int = 0) -> bool:
    return _list(value, count) and all(type(item) is int for item in value)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


_Checks = Mapping[str, "tuple[Callable[[Any], bool], str]"]
_FLAG = (_flag, "true or false")
_GRID: _Checks = {
    "size": (lambda value: _pixels(value, 2), "[height, width] in pixels"),
    "strides": (_pixels, "a list of pixels, at least 1"),
    "scales": (lambda value: _list(value, 2) and max(value) <= 1, "two shares of the picture, above 0 to 1"),
    "ratios": (_list, "a list of numbers above 0"),
    "between": (lambda value: _number(value) and value >= 0, "a number, 0 for none"),
    "few": _FLAG,
    "fixed": _FLAG,
}
_CODING: _Checks = {
    "scale": (lambda value: _list(value, 4), "[x, y, width, height], each above 0"),
    "swapped": _FLAG,
    "exponential": _FLAG,
    "points": (lambda value: type(value) is int and value >= 0, "a whole number of at least 0"),
    "background": _FLAG,
}
