"""What a model answered, as a person reads it: boxes drawn into the picture, pictures as pictures, the rest as words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.contract import Contract
from edge.detection import DECODERS
from edge.drawing import draw_boxes
from edge.steps.boxes import Box
from edge.steps.context import Context
from edge.steps.picture import picture

Array = np.ndarray[Any, Any]
LEAST_SIDE = 192  # pixels of a picture with boxes: smaller ones are enlarged, so that labels can be read
MOST_NAMED = 6


@dataclass(frozen=True)
class Answer:
    """An answer: its picture, (H, W, 1 or 3) uint8, or None where it has none, and words where these say more."""

    picture: Array | None
    words: str


def read(contract: Contract, inputs: Mapping[str, Array], output: Array) -> Answer | None:
    """Read one raw output of the first tensor as the contract's steps do; None where it is neither boxes nor a picture.

    Args:
        contract: Says by its steps what the output is.
        inputs: One row by tensor name; boxes are drawn into the first picture among them.
        output: (…) float32, without the batch axis.
    """
    for step in contract.postprocess:
        if step.name in DECODERS:
            found = DECODERS[step.name](output, **step.parameters)
            labels = contract.labels
            rows = zip(found.boxes.tolist(), found.scores.tolist(), found.classes.tolist(), strict=True)
            boxes = [Box(labels[kind] if kind < len(labels) else str(kind), kind, sure, tuple(box)) for box, sure, kind in rows]
            return Answer(_drawn(inputs, boxes), _told(boxes))
        if step.name == "picture" and output.ndim == 3 and output.shape[2] in (1, 3):
            levels = {name: value for name, value in step.parameters.items() if name in ("low", "high")}
            return Answer(picture(output, Context(), **levels), "")
    return None


def _drawn(inputs: Mapping[str, Array], boxes: list[Box]) -> Array | None:
    pixels = next((array for array in inputs.values() if array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] in (1, 3)), None)
    if pixels is None:
        return None
    times = -(-LEAST_SIDE // max(pixels.shape[:2]))
    large = pixels.repeat(times, axis=0).repeat(times, axis=1)
    enlarged = [Box(box.label, box.index, box.score, (*(times * corner for corner in box.box),)) for box in boxes]
    return draw_boxes(large, enlarged)


def _told(boxes: list[Box]) -> str:
    named = ", ".join(f"{box.label} {box.score:.2f}" for box in boxes[:MOST_NAMED])
    more = f" and {len(boxes) - MOST_NAMED} more" if len(boxes) > MOST_NAMED else ""
    return f"{named}{more}" if boxes else "nothing found"
