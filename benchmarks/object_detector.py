"""What the quick and the thorough detector find on the few photographs whose boxes were marked by hand, and on mosaics of them.

Run: python -m benchmarks.object_detector [--page docs/object-detector.md]

It needs the released bundle `object_detector`, and fetches two packages of photographs. With `--page` the table between the marks of
that page is written anew.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.marked_page import page_of, show
from edge import detection
from edge.model import Model, Prediction
from edge.steps.boxes import Box, Found
from edge.tiling import DETECTORS
from training.data import photographs

Array = np.ndarray[Any, Any]
MOSAICS, SIDE = 6, 3  # how many, and photographs in each direction
CELL = photographs.LARGEST
LEVELS = detection.LEVELS["map50"]


class Marked(NamedTuple):
    """A picture, and what is in it: (K, 5) float32, class, centre x, centre y, width, height in pixels."""

    picture: Array
    things: Array


def single(labels: Sequence[str]) -> list[Marked]:
    """Give the photographs of the test split."""
    pictures = photographs.photographs()
    listed = json.loads(Path(photographs.__file__).with_suffix(".json").read_text(encoding="utf-8"))["photographs"]
    found = []
    for item in (item for item in listed if item["part"] == "test"):
        height, width = pictures[item["name"]].shape[:2]
        rows = [
            (labels.index(kind), (left + right) / 2 * width, (top + bottom) / 2 * height, (right - left) * width, (bottom - top) * height)
            for kind, left, top, right, bottom in item["boxes"]
        ]
        found.append(Marked(pictures[item["name"]], np.array(rows, np.float32).reshape(-1, 5)))
    return found


def mosaics(ones: Sequence[Marked]) -> Iterator[Marked]:
    """Lay photographs out three by three, on black, in other orders: in a mosaic everything is a third as large."""
    for seed in range(MOSAICS):
        canvas, things = np.zeros((SIDE * CELL, SIDE * CELL, 3), np.uint8), []
        for place, number in enumerate(np.random.default_rng(seed).permutation(len(ones))):
            one, top, left = ones[number], place // SIDE * CELL, place % SIDE * CELL
            canvas[top : top + one.picture.shape[0], left : left + one.picture.shape[1]] = one.picture
            things.append(one.things + np.array([0, left, top, 0, 0], np.float32))
        yield Marked(canvas, np.concatenate(things))


def score(answers: Sequence[Prediction], pictures: Sequence[Marked]) -> tuple[float, int]:
    """Return the mean average precision at an overlap of .5, and how many of the things were found."""
    most = max(len(one.things) for one in pictures)
    targets = np.full((len(pictures), most, 5), -1, np.float32)
    for row, one in zip(targets, pictures, strict=True):
        row[: len(one.things)] = one.things
    matched = detection.match([_found(answer.boxes) for answer in answers], targets, LEVELS)
    return float(detection.precision(matched, np.ones((1, len(pictures)), np.int64))[0]), int(matched.right.sum())


def rows(model: Model) -> Iterator[str]:
    """Measure both detectors, and yield a row of the table for each."""
    ones = single(model.contract.labels)
    laid = list(mosaics(ones))
    for name, make in DETECTORS.items():
        detector = make(model)
        detector.predict(ones[0].picture)  # warm
        started = time.perf_counter()
        answers = [detector.predict(one.picture) for one in ones]
        each_ms = (time.perf_counter() - started) / len(ones) * 1000
        (map50, _), (laid50, right) = score(answers, ones), score([detector.predict(one.picture) for one in laid], laid)
        there = sum(len(one.things) for one in laid)
        yield f"| `{name}` | {map50:.3f} | {laid50:.3f} | {right} of {there} | {each_ms:.0f} ms |"


def main() -> int:
    """Measure, print, and where wanted write."""
    page = page_of(__doc__)
    head = f"| `--detector` | map50, 9 photographs | map50, {MOSAICS} mosaics | things found in the mosaics | one picture |"
    with Model.open("object_detector") as model:
        show("\n".join([head, "|---|--:|--:|--:|--:|", *rows(model)]) + "\n", page)
    return 0


def _found(boxes: Sequence[Box]) -> Found:
    return Found(
        np.array([box.box for box in boxes], np.float32).reshape(-1, 4),
        np.array([box.score for box in boxes], np.float32),
        np.array([box.index for box in boxes], np.int64),
    )


if __name__ == "__main__":
    sys.exit(main())
