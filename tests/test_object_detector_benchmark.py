"""The benchmark of the detectors lays things where it says, and counts what is found."""

from types import SimpleNamespace

import numpy as np

from benchmarks import object_detector as bench
from edge.steps.boxes import Box

ONE = bench.Marked(np.full((20, 10, 3), 200, np.uint8), np.array([[1, 5, 10, 10, 20]], np.float32))  # fills its picture


def test_in_a_mosaic_things_lie_where_their_photograph_does():
    for laid in bench.mosaics([ONE] * 9):
        assert laid.picture.shape == (3 * bench.CELL, 3 * bench.CELL, 3)
        for _, x, y, width, height in laid.things.astype(int):
            assert (laid.picture[y - height // 2 : y + height // 2, x - width // 2 : x + width // 2] == 200).all()
        assert int((laid.picture == 200).sum()) == 9 * 20 * 10 * 3


def test_what_is_right_counts_and_what_is_beside_does_not():
    right, beside = Box("b", 1, 0.9, (0, 0, 10, 20)), Box("b", 1, 0.8, (50, 50, 60, 70))
    answers = [SimpleNamespace(boxes=(right, beside)), SimpleNamespace(boxes=())]
    assert bench.score(answers[:1], [ONE]) == (1.0, 1)
    map50, found = bench.score(answers, [ONE, ONE])
    assert (found, 0.4 < map50 < 0.6) == (1, True)
