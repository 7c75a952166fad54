"""From a model's light to a picture: values to pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge.errors import ContractError
from edge.steps.context import Context

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


MARGINS = ("keep", "cut")


def picture(value: Any, context: Context, *, low: float = 0.0, high: float = 1.0, margins: str = "keep") -> Pixels:
    """Turn light into pixels, rounded to the nearest; what lies beyond black and white is cut off.

    Args:
        value: (H, W, C) float32, of 1 or 3 channels.
        context: Unused.
        low: The value that is black.
        high: The value that is white.
        margins: `cut` where an answer is to be given without what `resize` filled up around the caller's picture; it is cut where
            that picture's place is known, by `edge.model`.

    Returns:
        (H, W, C) uint8, 0–255.

    Raises:
        ContractError: The output has another shape.
    """
    del context, margins
    if not isinstance(value, np.ndarray) or value.ndim != 3 or value.shape[2] not in (1, 3):
        came = f"an array {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
        raise ContractError(f"picture got {came}, expected light (height, width, 1 or 3); mend the contract's postprocess steps or output")
    light = (np.asarray(value, np.float64) - low) * (255.0 / (high - low))
    return np.clip(np.rint(np.nan_to_num(light)), 0, 255).astype(np.uint8)


def check_picture(low: Any = 0.0, high: Any = 1.0, margins: Any = "keep") -> str:
    """Say what is wrong with the parameters of `picture`; empty where nothing is."""
    for name, bound in (("low", low), ("high", high)):
        if not isinstance(bound, (int, float)) or isinstance(bound, bool):
            return f"has {name}={bound!r}, expected a number"
    if margins not in MARGINS:
        return f"has margins={margins!r}, expected {' or '.join(MARGINS)}"
    return "" if low < high else f"has low={low!r} and high={high!r}, expected low below high"
