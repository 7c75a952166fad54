"""Scenes of real MNIST digits: several in one grey picture, of different sizes, one over another, among clutter and noise.

A scene depends on its number alone, so every machine makes the same ones. Training, validation and test scenes are composed of
the digits of MNIST's own training, validation and test split only: no digit is in two of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edge.steps.resample import resample
from training.data import mnist
from training.recipe import Array, DataOptions, Split, Splits

CLASSES = mnist.CLASSES
SIDE = 96  # pixels of a scene
MOST = 6  # digits of a scene
SIZES = {"train": 16_000, "validation": 500, "test": 1_000}
SUBSET_SIZES = {"train": 2_000, "validation": 200, "test": 200}
_HEIGHTS = (18, 23, 28, 34, 41)  # pixels of a digit's whole picture, margins included
_INK = 64  # from which a pixel belongs to a digit's box
_COVERED = 0.30  # of a digit's box by another's, at most, when it is laid down
_SEEDS = {"train": 1, "validation": 2, "test": 3}


@dataclass(frozen=True)
class Stamp:
    """One digit at one size, cut off at its ink: (h, w) uint8, and its class."""

    pixels: Array
    kind: int


def load(options: DataOptions) -> Splits:
    """Compose the scenes as `image`: (N, 96, 96, 1) uint8, NHWC; targets (N, 6, 5) float32.

    A row of the targets is class, centre x, centre y, width, height in pixels, -1 where there are fewer digits.

    Raises:
        SetupError: MNIST is not cached and cannot be fetched.
        InputError: It holds something else than expected.
    """
    digits = mnist.load(options)
    sizes = SUBSET_SIZES if digits.subset else SIZES
    parts = {part: _scenes(split, sizes[part], _SEEDS[part]) for part, split in digits.parts().items()}
    return replace(
        digits,
        name="digit_scenes",
        note=f"scenes composed of the digits of {digits.note}",
        train=parts["train"],
        validation=parts["validation"],
        test=parts["test"],
    )


def compose(stamps: list[Stamp], random: np.random.Generator) -> tuple[Array, Array]:
    """Lay digits into one scene; one that finds no place is left out, except for the first.

    Args:
        stamps: What may be laid down, the first one surely.
        random: Decides everything else.

    Returns:
        (96, 96) uint8 and targets (6, 5) float32.
    """
    scene = _background(random)
    targets, taken = np.full((MOST, 5), -1, np.float32), np.empty((0, 4))
    for stamp in stamps[:MOST]:
        height, width = stamp.pixels.shape
        for _ in range(12):
            top, left = int(random.integers(0, SIDE - height + 1)), int(random.integers(0, SIDE - width + 1))
            box = np.array([left, top, left + width, top + height], float)
            if _covered(box, taken) <= _COVERED:
                break
        else:
            continue
        place = scene[top : top + height, left : left + width]
        np.maximum(place, stamp.pixels * random.uniform(0.55, 1.0), out=place)
        targets[len(taken)] = stamp.kind, left + width / 2, top + height / 2, width, height
        taken = np.concatenate([taken, box[None]])
    noisy = scene + random.normal(0, random.uniform(0, 14), scene.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8), targets


def _scenes(digits: Split, count: int, seed: int) -> Split:
    """Compose `count` scenes of one split's digits."""
    pictures, targets = np.empty((count, SIDE, SIDE, 1), np.uint8), np.empty((count, MOST, 5), np.float32)
    for number in range(count):
        random = np.random.default_rng((seed, number))
        rows = random.integers(0, len(digits), int(random.integers(1, MOST + 1)))
        stamps = [_stamp(digits.inputs["image"][row], int(digits.targets[row]), int(random.choice(_HEIGHTS))) for row in rows]
        pictures[number, :, :, 0], targets[number] = compose(stamps, random)
    return Split({"image": pictures}, targets)


def _stamp(digit: Array, kind: int, height: int) -> Stamp:
    """Bring a digit, (28, 28, 1) uint8, to a size and cut its margins off."""
    pixels = resample(digit, height, height, "bilinear")[..., 0]
    ink = pixels >= _INK
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return Stamp(pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], kind)


def _background(random: np.random.Generator) -> Array:
    """Draw a dim slope, and some strokes and dots that are no digits: (96, 96) float64."""
    down, across = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    scene: Array = random.uniform(0, 40) + random.uniform(-25, 25) * down + random.uniform(-25, 25) * across
    for _ in range(int(random.integers(0, 5))):
        reach, angle = np.arange(random.integers(3, 14)), random.uniform(0, 2 * np.pi)
        rows = np.rint(random.uniform(0, SIDE) + reach * np.sin(angle)).astype(int)
        columns = np.rint(random.uniform(0, SIDE) + reach * np.cos(angle)).astype(int)
        thick = int(random.integers(1, 3))
        for shift in range(thick):
            scene[np.clip(rows + shift, 0, SIDE - 1), np.clip(columns, 0, SIDE - 1)] = random.uniform(80, 200)
    return scene


def _covered(box: Array, taken: Array) -> float:
    """Return the largest share of a box, or of one of those taken (N, 4), that they have in common; xyxy."""
    if not len(taken):
        return 0.0
    shared = np.prod(np.clip(np.minimum(box[2:], taken[:, 2:]) - np.maximum(box[:2], taken[:, :2]), 0, None), axis=1)
    areas = np.minimum(np.prod(box[2:] - box[:2]), np.prod(taken[:, 2:] - taken[:, :2], axis=1))
    return float((shared / areas).max())
