"""Points in a plane, made by a formula: two half moons, three heaps of different width, and noise all over; nothing is fetched.

Which group a point was drawn from is known, but no clustering is told: it only says how well one has found them.
"""

from __future__ import annotations

import hashlib
from itertools import pairwise

import numpy as np

from training.data.dataset import DataSet
from training.recipe import Array, DataOptions, Split, Splits

GROUPS = ("moon above", "moon below", "narrow heap", "heap", "wide heap")
NOISE = len(GROUPS)
CLASSES = (*GROUPS, "noise")
SIZES = (1200, 400, 400)
_HEAPS = ((-2.5, 2.5, 0.12), (3.5, 2.5, 0.25), (3.5, -2.5, 0.45))  # x, y and standard deviation
_NOISE_SHARE = 0.1
_REACH = 5.0  # noise lies between -5 and 5 on both axes
_SEED = 20_260_101


def load(_options: DataOptions | None = None) -> Splits:
    """Load points as `point`: (N, 2) float32, and the group that each was drawn from, (N,) int64; 5 is noise."""
    points, groups = draw(sum(SIZES), np.random.default_rng(_SEED))
    edges = np.cumsum((0, *SIZES))
    train, validation, test = (Split({"point": points[begin:end]}, groups[begin:end]) for begin, end in pairwise(edges.tolist()))
    sha256 = hashlib.sha256(points.tobytes() + groups.tobytes()).hexdigest()
    return Splits("points", sha256, f"{len(points):,} points made by a formula, seed {_SEED}", CLASSES, train, validation, test)


def draw(count: int, random: np.random.Generator) -> tuple[Array, Array]:
    """Draw points, (N, 2) float32, and their groups, (N,) int64, in random order."""
    noise = random.random(count) < _NOISE_SHARE
    groups = np.where(noise, NOISE, random.integers(0, len(GROUPS), count))
    points = random.uniform(-_REACH, _REACH, (count, 2))
    for group in range(len(GROUPS)):
        own = np.flatnonzero(groups == group)
        points[own] = _moon(group, len(own), random) if group < 2 else _heap(*_HEAPS[group - 2], len(own), random)
    return points.astype(np.float32), groups.astype(np.int64)


def _moon(group: int, count: int, random: np.random.Generator) -> Array:
    """Draw half a circle, open below (0) or above (1), each reaching into the other."""
    angle = random.uniform(0, np.pi, count)
    x, y = (np.cos(angle), np.sin(angle)) if group == 0 else (1 - np.cos(angle), 0.5 - np.sin(angle))
    moon: Array = np.stack([1.5 * x - 1, 1.5 * y - 0.5], axis=1) + random.normal(0, 0.1, (count, 2))
    return moon


def _heap(x: float, y: float, deviation: float, count: int, random: np.random.Generator) -> Array:
    return random.normal((x, y), deviation, (count, 2))


DATASET = DataSet(
    name="points",
    title="2,000 points in a plane: two half moons, three heaps, and noise",
    licence="Apache-2.0, as this project",
    origin="made by a formula in this project",
    packages={"full": ()},
    loader=load,
)
