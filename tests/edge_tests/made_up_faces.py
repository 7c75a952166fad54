"""People for tests: a picture is a sheet of cells, a face a cell of one colour, and whose it is the colour tells."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from edge.systems.faces import Face

Array = np.ndarray[Any, Any]
CELL = 120
ANN, BEN, CLEO = (200, 40, 40), (40, 200, 40), (40, 40, 200)
_POINTS = np.array([[0.35, 0.4], [0.65, 0.4], [0.5, 0.55], [0.5, 0.7], [0.2, 0.45], [0.8, 0.45]])


def sheet(*colours: tuple[int, int, int], columns: int = 10) -> Array:
    """Paint a picture of faces; black is no face."""
    rows = -(-len(colours) // columns)
    picture = np.zeros((rows * CELL, min(len(colours), columns) * CELL, 3), np.uint8)
    for place, colour in enumerate(colours):
        top, left = place // columns * CELL, place % columns * CELL
        picture[top : top + CELL, left : left + CELL] = colour
    return picture


class Finder:
    """Finds cells that are not black; `turn` makes them look aside, `scale` makes them small."""

    def __init__(self, turn: float = 0.0, scale: float = 1.0) -> None:
        self.turn, self.scale = turn, scale

    def find(self, picture: Array, depth: int = 2) -> list[Face]:
        found = []
        for top in range(0, picture.shape[0] - CELL + 1, CELL):
            for left in range(0, picture.shape[1] - CELL + 1, CELL):
                if picture[top + CELL // 2, left + CELL // 2].any():
                    points = (_POINTS - 0.5) * CELL * self.scale + [left + CELL / 2, top + CELL / 2]
                    points[2, 0] += self.turn * (points[1, 0] - points[0, 0])
                    found.append(Face((left, top, left + CELL, top + CELL), 0.9, points))
        return found


def embedder(chips: Sequence[Array]) -> Array:
    """Turn each aligned face into the colour in its middle, 0–1."""
    return np.array([chip[60:90, 60:90].reshape(-1, 3).mean(axis=0) / 255 for chip in chips], np.float32).reshape(-1, 3)
