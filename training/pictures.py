"""Pictures as callers send them: of any size, coloured, off-centre, not square."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

from training.recipe import Array

_Form: TypeAlias = tuple[tuple[int, int], tuple[int, int, int, int], tuple[float, float, float] | None]
# (height, width) of the digit, margins (top, bottom, left, right), all in pixels; tint as RGB shares, or grey.
_FORMS: tuple[_Form, ...] = (
    ((57, 57), (0, 0, 0, 0), None),
    ((83, 71), (5, 2, 0, 3), None),
    ((111, 111), (0, 0, 0, 0), (1.0, 0.8, 0.6)),
    ((45, 61), (1, 6, 4, 2), (0.7, 1.0, 0.9)),
    ((197, 203), (11, 0, 9, 31), None),
    ((23, 21), (0, 0, 0, 0), None),
    ((131, 113), (0, 17, 13, 0), (0.9, 0.9, 0.5)),
    ((29, 29), (2, 1, 0, 1), None),
)


def raw_pictures(inputs: Mapping[str, Array], random: np.random.Generator) -> list[Array]:
    """Turn prepared pictures into what a caller would send.

    Args:
        inputs: `image`: (N, H, W, C) uint8, NHWC.
        random: Decides the last pixels of each size.

    Returns:
        One uint8 per sample, (h, w) or (h, w, 3), each of another size.
    """
    pictures = inputs["image"]
    return [_disguise(picture, _FORMS[i % len(_FORMS)], 4 * (i // len(_FORMS)), random) for i, picture in enumerate(pictures)]


def _disguise(picture: Array, form: _Form, larger: int, random: np.random.Generator) -> Array:
    """Make one picture of a form, some pixels larger each time that the forms come round, so that no two share a size."""
    (height, width), (top, bottom, left, right), tint = form
    height, width = height + larger + 2 * int(random.integers(0, 2)), width + larger + 2 * int(random.integers(0, 2))
    large = _enlarge(picture.astype(np.float64), height, width)
    large = np.pad(large, ((top, bottom), (left, right), (0, 0)))
    if large.shape[2] == 1 and tint is not None:
        large = large * np.array(tint)
    pixels = np.clip(np.rint(large), 0, 255).astype(np.uint8)
    sent: Array = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
    return sent


def _enlarge(picture: Array, height: int, width: int) -> Array:
    """Resample (H, W, C) float64 by linear interpolation between pixel centres, rows first, then columns."""
    rows = _weights(picture.shape[0], height)  # (height, H)
    columns = _weights(picture.shape[1], width)  # (width, W)
    large: Array = np.einsum("hi,ijc,wj->hwc", rows, picture, columns)
    return large


def _weights(old: int, new: int) -> Array:
    """Return the (new, old) matrix of linear interpolation."""
    centres = (np.arange(new) + 0.5) * old / new - 0.5
    weights: Array = np.clip(1 - np.abs(centres[:, None].clip(0, old - 1) - np.arange(old)[None, :]), 0, 1)
    return weights
