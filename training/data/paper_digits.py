"""Two domains of digits that share none: white on black as MNIST has them, and thick blue ink on squared paper.

Both stand on 32×32 pixels. Of each part of MNIST some digits are put on paper and others stay plain, so no picture of the one domain
has a counterpart in the other: what a translation between them learns from. Where the squares begin and the grain of the paper are
drawn once for each part from a seed of its own, so everybody has the same pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from training.data import mnist
from training.data.noisy_digits import light
from training.recipe import Array, DataOptions, Split, Splits

SIDE, SQUARE = 32, 8  # pixels
COUNTS = {"train": 4_000, "validation": 1_000, "test": 2_000}  # at most, of each domain
PAPER, LINE, INK = (0.96, 0.93, 0.82), (0.72, 0.80, 0.84), (0.08, 0.14, 0.45)  # light of red, green and blue
GRAIN = 0.03
_SEEDS = {"train": 21, "validation": 22, "test": 23}


def load(options: DataOptions) -> Splits:
    """Load paper as `image`, (N, 32, 32, 3) uint8, NHWC, with as many plain digits of others as targets, (N, 32, 32, 1) float32, 0–1.

    Raises:
        SetupError: MNIST is not cached and cannot be fetched.
        InputError: It holds something else than expected.
    """
    return _splits(options, lambda paper, plain: Split({"image": paper}, light(plain)))


def load_back(options: DataOptions) -> Splits:
    """Load the same the other way round: plain digits as `image`, (N, 32, 32, 1) uint8, and paper as targets, (N, 32, 32, 3) float32.

    Raises:
        SetupError: MNIST is not cached and cannot be fetched.
        InputError: It holds something else than expected.
    """
    return _splits(options, lambda paper, plain: Split({"image": plain}, light(paper)))


def kinds(splits: Splits) -> tuple[Array, Array]:
    """Return which digits the test pictures of `load` show on paper, and which plain: (N,) int64 each."""
    digits = mnist.load(DataOptions(source="subset" if splits.subset else "full"))
    paper, plain = apart(digits.test, COUNTS["test"])
    return paper.targets[: len(splits.test)], plain.targets[: len(splits.test)]


def apart(digits: Split, most: int) -> tuple[Split, Split]:
    """Return two sets of different digits, of equal size and spread over all of them: those for paper, and those that stay plain."""
    count = min(most, len(digits) // 2)
    rows = np.arange(count) * (len(digits) // count)
    return digits.take(rows), digits.take(rows + 1)


def on_paper(pixels: Array, random: np.random.Generator) -> Array:
    """Write digits on squared paper.

    Args:
        pixels: (N, 32, 32, 1) uint8, white on black.
        random: Decides where the squares begin, and the grain.

    Returns:
        (N, 32, 32, 3) uint8.
    """
    padded = np.pad(light(pixels[..., 0]), ((0, 0), (1, 1), (1, 1)))
    thick = np.max([padded[:, y : y + SIDE, x : x + SIDE] for y in range(3) for x in range(3)], axis=0)[..., None]  # (N, 32, 32, 1)
    begins = random.integers(0, SQUARE, (2, len(pixels), 1))
    rows, columns = ((np.arange(SIDE) + begin) % SQUARE == 0 for begin in begins)  # (N, 32) each
    lines = (rows[:, :, None] | columns[:, None, :])[..., None]  # (N, 32, 32, 1)
    paper = np.where(lines, np.array(LINE, np.float32), np.array(PAPER, np.float32))
    grain = np.float32(GRAIN) * random.standard_normal(thick.shape, np.float32)
    written = (paper + grain) * (1 - thick) + np.array(INK, np.float32) * thick
    drawn: Array = np.clip(np.rint(written * 255), 0, 255).astype(np.uint8)
    return drawn


def ink(paper: Array) -> Array:
    """Return how much ink there is by the red light, (N, H, W, 1) float32, 0–1; lines count as paper. `paper`: (N, H, W, 3), 0–1."""
    found: Array = np.clip((LINE[0] - paper[..., :1]) / (LINE[0] - INK[0]), 0, 1)
    return found.astype(np.float32)


def _splits(options: DataOptions, split: Callable[[Array, Array], Split]) -> Splits:
    digits = mnist.load(options)

    def part(name: str) -> Split:
        paper, plain = (_padded(side) for side in apart(digits.parts()[name], COUNTS[name]))
        return split(on_paper(paper, np.random.default_rng(_SEEDS[name])), plain)

    note = f"{digits.note}; some digits in ink on squared paper, others plain"
    train, validation, test = (part(name) for name in COUNTS)
    return replace(digits, name="paper_digits", note=note, classes=(), train=train, validation=validation, test=test)


def _padded(digits: Split) -> Array:
    edge = (SIDE - mnist.SIDE) // 2
    return np.pad(digits.inputs["image"], ((0, 0), (edge, edge), (edge, edge), (0, 0)))
