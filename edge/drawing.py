"""Boxes with their labels drawn into a picture, with numpy alone, so that a device without Pillow can show what it found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edge.steps.boxes import Box

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
COLOURS = (
    *((230, 25, 75), (60, 140, 75), (67, 99, 216), (200, 110, 30), (145, 30, 180)),
    *((0, 128, 128), (154, 99, 36), (110, 110, 0), (0, 0, 117), (190, 50, 110)),
)
HEIGHT, WIDTH = 5, 3  # of a letter, in dots; one dot between letters and around them
# Each letter row by row; the bits of a digit are the dots of a row, from left (4) to right (1).
_LETTERS: Mapping[str, str] = {
    **{"A": "25755", "B": "65656", "C": "34443", "D": "65556", "E": "74647", "F": "74644", "G": "34553", "H": "55755", "I": "72227"},
    **{"J": "11152", "K": "55655", "L": "44447", "M": "57755", "N": "65555", "O": "25552", "P": "65644", "Q": "25563", "R": "65655"},
    **{"S": "34216", "T": "72222", "U": "55557", "V": "55552", "W": "55775", "X": "55255", "Y": "55222", "Z": "71247"},
    **{"0": "75557", "1": "26227", "2": "71747", "3": "71717", "4": "55711", "5": "74717", "6": "74757", "7": "71122", "8": "75757"},
    **{"9": "75717", " ": "00000", ".": "00002", ",": "00024", "-": "00700", "_": "00007", ":": "02020", "/": "11244", "%": "51245"},
    **{"(": "12221", ")": "42224", "+": "02720", "#": "57575", "&": "25253", "'": "22000", "!": "22202"},
}
_UNKNOWN = "71202"  # a question mark


def draw_boxes(picture: Pixels, boxes: Sequence[Box]) -> Pixels:
    """Draw boxes and their labels with scores into a copy of a picture, the surest above the others.

    Args:
        picture: (H, W), (H, W, 1) grey, (H, W, 3) RGB or (H, W, 4) RGBA, uint8; transparency is dropped.
        boxes: With corners in its pixels.

    Returns:
        (H, W, 3) uint8.
    """
    flat = picture if picture.ndim == 3 else picture[:, :, None]
    canvas = np.ascontiguousarray(np.repeat(flat, 3, axis=2) if flat.shape[2] == 1 else flat[:, :, :3]).copy()
    side = max(canvas.shape[:2])
    line, dot = max(1, side // 300), max(1 if side < 150 else 2, side // 250)
    for item in reversed(boxes):
        colour = COLOURS[item.index % len(COLOURS)]
        left, top, right, bottom = _corners(item, canvas.shape)
        for rows, columns in _edges(left, top, right, bottom, line):
            canvas[rows, columns] = colour
        _stamp(canvas, write(f"{item.label} {item.score:.2f}", dot), left, top, colour)
    return canvas


def write(words: str, dot: int = 1) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Write a line in capital letters, each three dots wide; a sign without a letter here becomes a question mark.

    Args:
        words: What to write.
        dot: Pixels of a dot.

    Returns:
        ((5 + 2) · dot, (4 · letters + 1) · dot) bool, True where there is ink.
    """
    ink = np.zeros((HEIGHT + 2, (WIDTH + 1) * len(words) + 1), dtype=bool)
    for place, sign in enumerate(words.upper()[: len(words)]):
        rows = np.array([int(digit) for digit in _LETTERS.get(sign, _UNKNOWN)])
        start = 1 + place * (WIDTH + 1)
        ink[1 : 1 + HEIGHT, start : start + WIDTH] = (rows[:, None] >> np.array([2, 1, 0])) & 1
    return np.repeat(np.repeat(ink, dot, axis=0), dot, axis=1)


def _corners(item: Box, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Round corners to pixels within the picture; a box has one pixel at least."""
    height, width = shape[:2]
    left, top, right, bottom = (round(value) for value in item.box)
    left, top = min(max(left, 0), width - 1), min(max(top, 0), height - 1)
    return left, top, min(max(right, left + 1), width), min(max(bottom, top + 1), height)


def _edges(left: int, top: int, right: int, bottom: int, line: int) -> tuple[tuple[slice, slice], ...]:
    across, down = slice(left, right), slice(top, bottom)
    return (
        (slice(top, min(top + line, bottom)), across),
        (slice(max(bottom - line, top), bottom), across),
        (down, slice(left, min(left + line, right))),
        (down, slice(max(right - line, left), right)),
    )


def _stamp(canvas: Pixels, ink: np.ndarray[Any, np.dtype[np.bool_]], left: int, top: int, colour: tuple[int, int, int]) -> None:
    """Lay a label above a box, or within it where there is no room above; what does not fit is cut off."""
    height, width = ink.shape
    top = top - height if top >= height else top
    left = max(0, min(left, canvas.shape[1] - width))
    place = canvas[top : top + height, left : left + width]
    cut = ink[: place.shape[0], : place.shape[1]]
    place[:] = colour
    place[cut] = 255
