"""The files of a folder of labelled pictures: which there are, whose they are, and what cannot be read of them."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from edge.errors import InputError, TandemError
from edge.steps import image
from edge.steps.context import Context
from training.progress import bar, say
from training.recipe import Array

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
PART_NAMES = {"train": "train", "training": "train", "validation": "validation", "valid": "validation", "val": "validation", "test": "test"}
LEAST_SIDE = 4  # pixels
LISTED = 10  # lines
T = TypeVar("T")


@dataclass(frozen=True)
class Found:
    """A picture's file, its label, and the part that the user put it into; None where there are no parts."""

    path: Path
    label: str
    part: str | None


@dataclass(frozen=True)
class Listing:
    """What lies in a folder: the pictures in the order of their names, the labels, and the number of other files."""

    folder: Path
    pictures: tuple[Found, ...]
    labels: tuple[str, ...]
    others: int

    @property
    def parted(self) -> bool:
        """Whether the user has parted the pictures."""
        return self.pictures[0].part is not None


def browse(folder: Path) -> Listing:
    """List the pictures of a folder; none is opened.

    Hidden files do not count; pictures in folders below a label's folder are of that label. Labels are in order of spelling.

    Raises:
        InputError: There is no such folder, it cannot be read, or it holds no labelled picture.
    """
    if not folder.is_dir():
        came = "is no folder" if folder.exists() else "there is no such folder"
        raise InputError(f"{folder}: {came}; give a folder that holds one folder of pictures per label")
    folder = folder.resolve()
    try:
        pictures, others = _walk(folder)
    except OSError as error:
        raise InputError(f"{error.filename or folder}: cannot be read ({error.strerror}); mend its rights") from None
    if not pictures:
        there = f"; there are {others} other files" if others else ""
        kinds = ", ".join(sorted(SUFFIXES))
        raise InputError(f"{folder}: no labelled pictures, expected one folder per label that holds files such as {kinds}{there}")
    return Listing(folder, tuple(pictures), tuple(sorted({found.label for found in pictures})), others)


def read_all(pictures: tuple[Found, ...], use: Callable[[Found, Array], T], channels: int) -> tuple[list[T], list[str]]:
    """Decode pictures on all processors, a bar showing how far it is.

    Args:
        pictures: The files.
        use: Is given each file and its pixels, (H, W, channels) uint8.
        channels: 1 for grey, 3 for RGB.

    Returns:
        What `use` gave, in order, and one line for each picture that could not be read.

    Raises:
        InputError: None can be read.
    """

    def attempt(found: Found) -> tuple[T | None, str]:
        try:
            pixels = image.decode_image(found.path, Context(), channels=channels)
        except TandemError as error:
            return None, str(error).removeprefix(f"{found.path}: ")
        height, width = pixels.shape[:2]
        if min(height, width) < LEAST_SIDE:
            return None, f"{width}×{height} pixels, expected at least {LEAST_SIDE} a side"
        return use(found, pixels), ""

    given, skipped = [], []
    for found, (result, reason) in zip(pictures, _side_by_side(attempt, pictures), strict=True):
        if result is None:
            skipped.append(f"{found.path}: {reason}")
        else:
            given.append(result)
    if not given:
        raise InputError(f"none of {len(skipped)} pictures can be read; the first: {skipped[0]}")
    return given, skipped


def tell(listing: Listing, skipped: list[str], strict: bool) -> None:
    """Say which pictures are left out and why, the first ten by name.

    Raises:
        InputError: There are some, and `strict` refuses them.
    """
    if listing.others:
        say(f"{listing.folder}: {listing.others} other files ignored: no pictures by name, or in no label's folder")
    if not skipped:
        return
    count = f"{len(skipped)} of {len(listing.pictures)} pictures"
    say(f"{listing.folder}: {count} {'cannot be used' if strict else 'skipped'}:")
    for line in skipped[:LISTED]:
        say(f"  {line}")
    if len(skipped) > LISTED:
        say(f"  … and {len(skipped) - LISTED} more")
    if strict:
        raise InputError(f"{listing.folder}: {count} cannot be used; mend or remove those that are listed, or leave --strict out")


def _walk(folder: Path) -> tuple[list[Found], int]:
    below = _folders(folder)
    parts = [path for path in below if path.name.lower() in PART_NAMES]
    named = {PART_NAMES[path.name.lower()] for path in parts}
    places: list[tuple[Path, str | None]] = [(label, None) for label in below]
    if named >= {"train", "test"} or named >= {"train", "validation"}:
        places = [(label, PART_NAMES[part.name.lower()]) for part in parts for label in _folders(part)]
    pictures, others = [], sum(1 for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    for place, part in places:
        files = [path for path in sorted(place.rglob("*")) if not path.is_dir() and not path.name.startswith(".")]
        wanted = [path for path in files if path.suffix.lower() in SUFFIXES]
        others += len(files) - len(wanted)
        label = unicodedata.normalize("NFC", place.name)  # some systems take letters and accents apart
        pictures += [Found(path, label, part) for path in wanted]
    return pictures, others


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__")))


def _side_by_side(work: Callable[[Found], T], pictures: tuple[Found, ...]) -> Iterator[T]:
    with ThreadPoolExecutor(os.cpu_count()) as pool, bar(len(pictures), " pictures") as shown:
        shown.begin("reading pictures")
        for outcome in pool.map(work, pictures):
            shown.advance(1)
            yield outcome
