"""Resampling of 8-bit images in whole numbers, so that every machine gives the same bytes.

Separable filters with antialiasing: when an image shrinks, the filter widens with it, so no pixel is skipped.
Weights are rounded to 22 fractional bits and sums are integers, so the result does not depend on the processor. Along
one axis it equals Pillow's `Image.resize` bit for bit; with two, the axis that leaves the smaller picture between the
passes goes first. Repeating or cutting pixels (`numpy.resize`) is not resampling.

Source: P. Heckbert, "Fundamentals of Texture Mapping and Image Warping" (1989), ch. 3; Keys, "Cubic convolution
interpolation" (1981), a = -0.5. Fixed point as in Pillow's 8-bit resampling, to which the tests hold it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

_BITS = 22
Image = np.ndarray[Any, np.dtype[np.uint8]]


def _box(x: float) -> float:
    return 1.0 if -0.5 < x <= 0.5 else 0.0


def _triangle(x: float) -> float:
    return max(0.0, 1.0 - abs(x))


def _cubic(x: float) -> float:
    a, x = -0.5, abs(x)
    if x < 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return (((x - 5) * x + 8) * x - 4) * a if x < 2 else 0.0


FILTERS: Mapping[str, tuple[Callable[[float], float], float]] = {
    "box": (_box, 0.5),
    "bilinear": (_triangle, 1.0),
    "bicubic": (_cubic, 2.0),
}
NAMES = ("nearest", *FILTERS)


def resample(pixels: Image, height: int, width: int, name: str) -> Image:
    """Resample an image to another size.

    Args:
        pixels: (H, W, C) uint8.
        height: New height in pixels, at least 1.
        width: New width in pixels, at least 1.
        name: `nearest`, `box`, `bilinear` or `bicubic`.

    Returns:
        (height, width, C) uint8.
    """
    if name == "nearest":
        rows = _nearest(pixels.shape[0], height)
        columns = _nearest(pixels.shape[1], width)
        return np.ascontiguousarray(pixels[rows][:, columns])
    old_height, old_width = pixels.shape[:2]
    columns_first = old_height * width <= height * old_width
    if columns_first:
        pixels = _along_columns(pixels, width, name)
    pixels = _along_rows(pixels, height, name)
    if not columns_first:
        pixels = _along_columns(pixels, width, name)
    return np.ascontiguousarray(pixels)


def _nearest(old: int, new: int) -> np.ndarray[Any, Any]:
    """Index of the old pixel whose area holds each new pixel's centre; in integers."""
    return (2 * np.arange(new, dtype=np.int64) + 1) * old // (2 * new)


def _along_rows(pixels: Image, size: int, name: str) -> Image:
    """Resample the first axis to `size`: one multiply-add over all columns for each tap of the filter."""
    if size == pixels.shape[0]:
        return pixels
    first, weights = _taps(pixels.shape[0], size, name)
    total = np.full((size, *pixels.shape[1:]), 1 << (_BITS - 1), dtype=np.int32)
    for tap in range(weights.shape[1]):
        rows = np.minimum(first + tap, pixels.shape[0] - 1)  # beyond a window's end the weight is 0
        total += weights[:, tap, None, None] * pixels[rows].astype(np.int32)
    resampled: Image = np.clip(total >> _BITS, 0, 255).astype(np.uint8)
    return resampled


def _along_columns(pixels: Image, size: int, name: str) -> Image:
    """Resample the second axis to `size`."""
    return _along_rows(pixels.transpose(1, 0, 2), size, name).transpose(1, 0, 2)


@lru_cache(maxsize=64)
def _taps(old: int, new: int, name: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Windows of a filter.

    Returns:
        first: (new,) int64, the first old pixel under each new one; weights: (new, taps) int32, sums of about 1 << 22.
    """
    kernel, support = FILTERS[name]
    scale = old / new
    stretch = max(scale, 1.0)
    reach = support * stretch
    windows = []
    for position in range(new):
        centre = (position + 0.5) * scale
        low = max(int(centre - reach + 0.5), 0)
        high = min(int(centre + reach + 0.5), old)
        values = [kernel((x - centre + 0.5) * (1.0 / stretch)) for x in range(low, high)]
        total = _sum(values)
        scaled = [value / total if total else value for value in values]
        windows.append((low, [int(math.copysign(0.5, v) + v * (1 << _BITS)) for v in scaled]))
    weights = np.zeros((new, max(len(window) for _, window in windows)), dtype=np.int32)
    for position, (_, window) in enumerate(windows):
        weights[position, : len(window)] = window
    return np.array([low for low, _ in windows], dtype=np.int64), weights


def _sum(values: list[float]) -> float:
    """Add from left to right: `sum` rounds otherwise from Python 3.12 on."""
    total = 0.0
    for value in values:
        total += value
    return total
