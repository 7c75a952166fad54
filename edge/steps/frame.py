"""Where a caller's picture lies within a model's input after it was resized, so that boxes can be told in the picture's own pixels."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Optional

from edge.steps.boxes import Box, Boxes


@dataclass(frozen=True)
class Frame:
    """A picture of `height` by `width` pixels, scaled to `inner` (height, width) and laid with its corner at `top`, `left`.

    What is cut off by `cover` lies above or left of the input: `top` and `left` are then negative. `picture` holds the
    pixels themselves, (height, width, C) uint8, so that boxes can be drawn into them.
    """

    height: int
    width: int
    inner: tuple[int, int]
    top: int
    left: int
    picture: Optional[Any] = field(default=None, compare=False, repr=False)

    def back(self, found: Boxes) -> Boxes:
        """Return boxes of the model's input in pixels of the caller's picture, cut off at its edges."""
        return Boxes(tuple(replace(item, box=self._box(item)) for item in found.items))

    def cut(self, picture: Any) -> Any:
        """Return of a picture of the input's size, (H, W, C), what the caller's picture covers: without what was filled up."""
        top, left = max(self.top, 0), max(self.left, 0)
        return picture[top : top + self.inner[0], left : left + self.inner[1]]

    def _box(self, item: Box) -> tuple[float, float, float, float]:
        left, top, right, bottom = item.box
        return (self._x(left), self._y(top), self._x(right), self._y(bottom))

    def _x(self, x: float) -> float:
        return min(max((x - self.left) * self.width / self.inner[1], 0.0), float(self.width))

    def _y(self, y: float) -> float:
        return min(max((y - self.top) * self.height / self.inner[0], 0.0), float(self.height))


def place(old: tuple[int, int], new: tuple[int, int], fit: str) -> Frame:
    """Return where a picture lies after `resize`.

    Args:
        old: Height and width of the picture.
        new: Height and width that it is brought to.
        fit: `stretch`, `contain` or `cover`.
    """
    (old_height, old_width), (height, width) = old, new
    if fit == "stretch":
        return Frame(old_height, old_width, new, 0, 0)
    by_height = (old_height * width <= old_width * height) == (fit == "cover")
    if by_height:
        inner = (height, max(1, _round_div(old_width * height, old_height)))
    else:
        inner = (max(1, _round_div(old_height * width, old_width)), width)
    return Frame(old_height, old_width, inner, _half(height - inner[0]), _half(width - inner[1]))


def _half(margin: int) -> int:
    """Halve a margin: the larger half goes below, whether it is filled or cut off."""
    return margin // 2


def _round_div(numerator: int, denominator: int) -> int:
    """Divide and round half up, in whole numbers."""
    return (2 * numerator + denominator) // (2 * denominator)
