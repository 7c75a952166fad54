"""Pictures that a generator learns to make: digits, or whatever lies in a folder; each beside random numbers that it starts from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge.errors import InputError
from edge.steps import image
from edge.steps.context import Context
from edge.steps.latent import drawn
from training.data import keyed, mnist
from training.data.picture_files import SUFFIXES, Found, Listing, read_all, tell
from training.recipe import Array, DataOptions, Split, Splits

FIRST_SEED = {"train": 0, "validation": 1_000_000, "test": 2_000_000}  # of the random numbers, one seed each
_LEAST = 30  # pictures in a folder
_SHARES = (0.8, 0.9)  # of the pictures' keys: where validation and test begin


def digits(options: DataOptions, latent: int, counts: Sequence[int], enlarge: int = 1, channels: int = 1) -> Splits:
    """Load MNIST on 32×32 pixels, in light.

    Args:
        options: Which content of MNIST.
        latent: Random numbers for each picture.
        counts: The most that train, validation and test take.
        enlarge: How often each pixel is repeated in both directions.
        channels: How often each grey is repeated.

    Returns:
        `latent`, (N, latent) float32; targets (N, 32 × enlarge, 32 × enlarge, channels) float32, 0–1.

    Raises:
        InputError: As `training.data.mnist.load`.
        SetupError: As `training.data.mnist.load`.
    """
    source = mnist.load(options)

    def part(name: str, count: int) -> Split:
        pixels = source.parts()[name].inputs["image"][:count]
        light = np.pad(pixels, ((0, 0), (2, 2), (2, 2), (0, 0))).repeat(enlarge, 1).repeat(enlarge, 2).repeat(channels, 3)
        return _beside(name, latent, light)

    train, validation, test = (part(name, count) for name, count in zip(FIRST_SEED, counts, strict=True))
    return Splits("digits", source.sha256, source.note, (), train, validation, test, source.subset, source.stand_in, source.pinned)


def folder(place: Path, side: int, latent: int, strict: bool = False) -> Splits:
    """Load the pictures of a folder and of the folders in it, in colour; the middle of each, brought to one size.

    Args:
        place: The folder.
        side: Pixels.
        latent: Random numbers for each picture.
        strict: Refuse pictures that cannot be read, instead of leaving them out.

    Raises:
        InputError: There is no such folder, it holds too few pictures, or `strict` refuses one.
    """
    paths = sorted(path for path in place.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()) if place.is_dir() else []
    if len(paths) < _LEAST:
        there = f"{len(paths)} pictures" if place.is_dir() else "no such folder"
        raise InputError(f"{place}: {there}, expected a folder of at least {_LEAST}, better thousands")
    listing = Listing(place, tuple(Found(path, "", None) for path in paths), (), 0)
    sized, skipped = read_all(
        listing.pictures, lambda _, pixels: image.resize(pixels, Context(), height=side, width=side, fit="cover"), channels=3
    )
    tell(listing, skipped, strict)
    once = {keyed.key(pixels.tobytes()): pixels for pixels in sized}
    keys = sorted(once)  # in an order that has nothing to do with the files' names
    begins = [0, *(int(len(keys) * share) for share in _SHARES), len(keys)]
    train, validation, test = (
        _beside(name, latent, np.stack([once[key] for key in keys[begins[number] : begins[number + 1]]]))
        for number, name in enumerate(FIRST_SEED)
    )
    note = f"{len(keys):,} pictures in the folder {place.name}"
    return Splits(place.name, keyed.key(*(key.encode() for key in keys)), note, (), train, validation, test, pinned=False)


def _beside(name: str, latent: int, pixels: Array) -> Split:
    """Turn pixels (N, H, W, C) uint8 into light, and draw the numbers that stand beside each."""
    numbers = np.stack([drawn(FIRST_SEED[name] + row, latent) for row in range(len(pixels))])
    return Split({"latent": numbers}, pixels.astype(np.float32) / np.float32(255))
