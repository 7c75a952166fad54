"""MNIST's digits under noise, and the clean digits that they were: what a denoiser learns from.

The noise is part of the data set. It is Gaussian, cut off at black and white, drawn once for each part from a seed of its own:
so training sees no noise of the test pictures, and everybody tests on the same ones.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from training.data import mnist
from training.recipe import Array, DataOptions, Split, Splits

DEVIATION = 0.5  # of the noise, where white is 1
_SEEDS = {"train": 11, "validation": 12, "test": 13}


def load(options: DataOptions) -> Splits:
    """Load noisy digits as `image`: (N, 28, 28, 1) uint8, NHWC; targets are the clean ones, (N, 28, 28, 1) float32, 0–1.

    Raises:
        SetupError: MNIST is not cached and cannot be fetched.
        InputError: It holds something else than expected.
    """
    digits = mnist.load(options)
    parts = {part: _noisy(split, _SEEDS[part]) for part, split in digits.parts().items()}
    note = f"{digits.note}, under Gaussian noise of deviation {DEVIATION}"
    return replace(digits, name="noisy_digits", note=note, train=parts["train"], validation=parts["validation"], test=parts["test"])


def clean(options: DataOptions) -> Splits:
    """Load digits as `image`, uint8, with themselves as targets, (N, 28, 28, 1) float32, 0–1: what an autoencoder learns from.

    Raises:
        SetupError: MNIST is not cached and cannot be fetched.
        InputError: It holds something else than expected.
    """
    digits = mnist.load(options)
    train, validation, test = (Split(split.inputs, light(split.inputs["image"])) for split in digits.parts().values())
    return replace(digits, train=train, validation=validation, test=test)


def kinds(splits: Splits) -> Array:
    """Return which digits the test pictures of `load` or `clean` show, (N,) int64; their targets are pictures and do not say it."""
    digits = mnist.load(DataOptions(source="subset" if splits.subset else "full"))
    return digits.test.targets[: len(splits.test)]


def light(pixels: Array) -> Array:
    """Return pixels 0–255 as float32, 0–1."""
    return pixels.astype(np.float32) / np.float32(255)


def add_noise(pixels: Array, random: np.random.Generator) -> Array:
    """Add noise to pictures (…) uint8: the same shape and dtype."""
    noisy = pixels + (255 * DEVIATION) * random.standard_normal(pixels.shape, np.float32)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def _noisy(digits: Split, seed: int) -> Split:
    pictures = digits.inputs["image"]
    return Split({"image": add_noise(pictures, np.random.default_rng(seed))}, light(pictures))
