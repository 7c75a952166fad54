"""From pixels to the numbers that a published model was trained on, where its graph does not begin with pixels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from edge.errors import ContractError
from edge.steps.context import Context

Array = np.ndarray[Any, Any]


def normalize(value: Any, context: Context, *, mean: Any, deviation: Any) -> Array:
    """Subtract a mean and divide by a deviation, both in pixels: 127.5 and 127.5 bring 0–255 to -1–1.

    Args:
        value: (H, W, C) uint8.
        context: Unused.
        mean: One number, or one for each channel.
        deviation: One number above 0, or one for each channel.

    Returns:
        (H, W, C) float32.

    Raises:
        ContractError: It is no picture, or one of another number of channels.
    """
    del context
    if not isinstance(value, np.ndarray) or value.ndim != 3:
        raise ContractError(f"normalize got {type(value).__name__}, expected pixels (H, W, C); put decode_image before it in the contract")
    shifts, scales = np.asarray(mean, np.float32), np.asarray(deviation, np.float32)
    channels = value.shape[-1]
    if any(numbers.ndim and len(numbers) != channels for numbers in (shifts, scales)):
        raise ContractError(
            f"normalize got a picture of {channels} channels, expected as many as in mean and deviation; correct the contract's steps"
        )
    found: Array = (value.astype(np.float32) - shifts) / scales
    return found


def check_normalize(mean: Any, deviation: Any) -> str:
    """Say what is wrong with the parameters of `normalize`; empty where nothing is."""
    for name, given in (("mean", mean), ("deviation", deviation)):
        numbers = given if isinstance(given, (list, tuple)) else [given]
        if not numbers or any(isinstance(n, bool) or not isinstance(n, (int, float)) or not math.isfinite(n) for n in numbers):
            return f"has {name}={given!r}, expected a number of pixels, or a list of one for each channel"
        if name == "deviation" and any(n <= 0 for n in numbers):
            return f"has deviation={given!r}, expected numbers above 0"
    return ""
