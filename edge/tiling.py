"""A more thorough way to ask a detector: for the whole picture, mirrored, not stretched, and for four overlapping parts of it.

A network that looks at 300 pixels sees little things only where they fill more of what it is shown, and long ones only where
they are not squeezed. So this finds more, and takes seven times as long. `DETECTORS` gives both ways by name.

Source: F. Ö. Ünel et al., "The power of tiling for small object detection" (2019).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Callable, Optional

import numpy as np

from edge.errors import UsageError
from edge.limits import MAX_PIXELS
from edge.model import Model, Prediction
from edge.steps.boxes import Box, Boxes
from edge.steps.context import Context
from edge.steps.image import decode_image
from edge.steps.suppression import suppress

Array = np.ndarray[Any, Any]
SHARE = 0.6  # of the picture's height and width that a part has
PARTS = 2  # in each direction
LEAST = 64  # pixels of a side from which a picture is worth parting
MOST_SQUARE = 2 * MAX_PIXELS  # pixels of the square; a long and narrow picture would be blown up to far more than it has
_EDGE = 0.02  # of a part's side: what comes so near to an edge within the picture was cut there, and is left to the other parts
_INSIDE = 0.7  # of a box within a surer one of its kind: then it is a part of the same thing
OVERLAP, MOST = 0.5, 100


class TiledDetector:
    """Asks a detector several times and puts its answers together; it is asked like a `Model`."""

    def __init__(self, model: Model) -> None:
        """Take a model.

        Raises:
            UsageError: It finds no boxes in pictures.
        """
        steps = model.contract.preprocess
        if "detection" not in model.contract.task or not steps or steps[0].name != "decode_image":
            raise UsageError(f"{model.contract.name} is for {model.contract.task}; parts of a picture are shown to detectors alone")
        self._model, self._channels = model, int(steps[0].parameters["channels"])

    def predict(self, value: Any) -> Prediction:
        """Answer one picture as `Model.predict` does; the raw outputs are those for the whole.

        Raises:
            InputError: It is no picture that can be read.
        """
        picture = decode_image(value, Context(), channels=self._channels)
        height, width = picture.shape[:2]
        places = list(parts(height, width))
        squares = [squared(picture)] if max(height, width) ** 2 <= MOST_SQUARE else []
        views = (picture[top:bottom, left:right] for left, top, right, bottom in places)
        whole, mirrored, *others = self._model.predict_many([picture, picture[:, ::-1], *squares, *views])
        found = [*whole.boxes, *(_mirrored(item, width) for item in mirrored.boxes)]
        for _ in squares:
            found += [box for item in others.pop(0).boxes if (box := _cut(item, width, height))]
        for place, answer in zip(places, others):
            found += [box for item in answer.boxes if (box := _within(item, place, picture.shape))]
        return Prediction(whole.outputs, Boxes(together(found)), picture)


def _quick(model: Model) -> Any:
    """Ask a model as it is, but for one that finds no boxes."""
    TiledDetector(model)
    return model


DETECTORS: Mapping[str, Callable[[Model], Any]] = {"quick": _quick, "thorough": TiledDetector}


def parts(height: int, width: int) -> Iterator[tuple[int, int, int, int]]:
    """Give the parts of a picture: left, top, right, bottom in pixels; none of one that is too small."""
    if min(height, width) < LEAST:
        return
    tall, wide = round(height * SHARE), round(width * SHARE)
    for row in range(PARTS):
        for column in range(PARTS):
            top, left = (height - tall) * row // (PARTS - 1), (width - wide) * column // (PARTS - 1)
            yield left, top, left + wide, top + tall


def squared(picture: Array) -> Array:
    """Lay a picture, (H, W, C) uint8, into the upper left of a grey square, so that nothing in it is stretched."""
    height, width, channels = picture.shape
    canvas = np.full((max(height, width),) * 2 + (channels,), 127, np.uint8)
    canvas[:height, :width] = picture
    return canvas


def together(found: list[Box]) -> tuple[Box, ...]:
    """Put boxes of several answers together: of those of a kind that cover one another, or lie within one another, the surest stays."""
    if not found:
        return ()
    boxes = np.array([item.box for item in found], np.float32)
    scores, kinds = np.array([item.score for item in found], np.float32), np.array([item.index for item in found])
    chosen: list[int] = []
    for row in suppress(boxes, scores, OVERLAP, MOST, kinds).tolist():
        if not any(kinds[row] == kinds[other] and _share(boxes[row], boxes[other]) > _INSIDE for other in chosen):
            chosen.append(row)
    return tuple(found[row] for row in chosen)


def _mirrored(item: Box, width: int) -> Box:
    left, top, right, bottom = item.box
    return replace(item, box=(width - right, top, width - left, bottom))


def _cut(item: Box, width: int, height: int) -> Optional[Box]:
    """Return a box of the square, cut off where the picture ends; None where little of it is in the picture."""
    left, top, right, bottom = item.box
    box = left, top, min(right, float(width)), min(bottom, float(height))
    return replace(item, box=box) if (box[2] - left) * (box[3] - top) > _INSIDE * (right - left) * (bottom - top) else None


def _within(item: Box, place: tuple[int, int, int, int], shape: tuple[int, ...]) -> Optional[Box]:
    """Return a part's box in pixels of the whole; None where the part's edge has cut it."""
    left, top, right, bottom = place
    x, y = _EDGE * (right - left), _EDGE * (bottom - top)
    box = item.box
    cut = (
        (left > 0 and box[0] < x)
        or (top > 0 and box[1] < y)
        or (right < shape[1] and box[2] > right - left - x)
        or (bottom < shape[0] and box[3] > bottom - top - y)
    )
    return None if cut else replace(item, box=(box[0] + left, box[1] + top, box[2] + left, box[3] + top))


def _share(one: Array, other: Array) -> float:
    """Return which share of the smaller of two boxes lies within the other."""
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    areas = [float(np.prod(box[2:] - box[:2])) for box in (one, other)]
    return float(np.prod(np.maximum(sides, 0))) / max(min(areas), 1e-6)
