"""A folder of labelled pictures: one folder per label, in `train`, `validation` and `test` where the user has parted them.

Pictures are decoded and resized by the steps that server and device run. What those refuse is skipped and listed, or
refused with `--strict`. A picture that is there twice counts once. Where the user has not parted them, a hash of its
pixels decides where a picture goes, so that pictures that are added later move no others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.contract import Contract
from edge.errors import InputError
from edge.steps import image
from edge.steps.context import Context
from training.data import keyed
from training.data.picture_files import Found, Listing, browse, read_all, tell
from training.recipe import Array, DataOptions, Split, Splits

_FIRST = ("test", "validation", "train", None)  # of a picture that is in several parts, the one that it stays in


@dataclass(frozen=True)
class Picture:
    """A picture that could be read: (H, W, C) uint8 at the model's size, and the key of its own pixels."""

    found: Found
    pixels: Array
    key: str


def load(folder: Path, contract: Contract, options: DataOptions | None = None) -> Splits:
    """Load a folder of pictures as `image`: (N, H, W, C) uint8, NHWC.

    Args:
        folder: Holds one folder per label, or `train`, `validation` and `test` with those in each.
        contract: Its labels are those of the folder; its preprocessing is `decode_image`, then `resize`.
        options: Another folder instead of this one, and whether to be strict.

    Raises:
        InputError: The folder is missing or empty, has other labels, or too few pictures of a class; or, where it has to be
            strict, a picture cannot be used.
    """
    options = options or DataOptions()
    listing = browse(options.folder or folder)
    labels = contract.labels
    _check_labels(listing, labels)
    pictures, skipped = read_all(listing.pictures, _prepared(contract), contract.preprocess[0].parameters["channels"])
    pictures, repeats = _once(pictures)
    tell(listing, skipped + repeats, options.strict)
    samples = Split(
        {"image": np.stack([picture.pixels for picture in pictures])},
        np.array([labels.index(picture.found.label) for picture in pictures], np.int64),
    )
    rows = _parts(pictures, samples.targets, labels, listing)
    lines = sorted(f"{picture.found.part} {picture.found.label} {picture.key}" for picture in pictures)
    return Splits(
        name=listing.folder.name,
        sha256=keyed.key(*(line.encode() for line in lines)),
        note=f"{len(pictures):,} pictures of {len(labels)} labels in the folder {listing.folder.name}",
        classes=labels,
        train=samples.take(rows["train"]),
        validation=samples.take(rows["validation"]),
        test=samples.take(rows["test"]),
        pinned=False,
    )


def _check_labels(listing: Listing, labels: tuple[str, ...]) -> None:
    extra, missing = sorted(set(listing.labels) - set(labels)), sorted(set(labels) - set(listing.labels))
    if extra:
        raise InputError(f"{listing.folder}: has folders for {', '.join(extra)}, which the recipe's labels do not name; add them there")
    if missing:
        raise InputError(f"{listing.folder}: has no pictures of {', '.join(missing)}; add some, or take the label out of the recipe")


def _prepared(contract: Contract) -> Callable[[Found, Array], Picture]:
    resize = contract.preprocess[1].parameters

    def prepare(found: Found, pixels: Array) -> Picture:
        key = keyed.key(str(pixels.shape).encode(), pixels.tobytes())
        return Picture(found, image.resize(pixels, Context(), **resize), key)

    return prepare


def _once(pictures: list[Picture]) -> tuple[list[Picture], list[str]]:
    """Keep one of pictures that are equal to the last pixel at the model's size, and none where they have two labels."""
    groups: dict[str, list[Picture]] = {}
    for picture in sorted(pictures, key=lambda picture: _FIRST.index(picture.found.part)):
        groups.setdefault(keyed.key(picture.pixels.tobytes()), []).append(picture)
    kept, left_out = [], []
    for first, *others in groups.values():
        if len({picture.found.label for picture in (first, *others)}) > 1:
            left_out += [f"{picture.found.path}: the same picture has other labels too; expected one" for picture in (first, *others)]
        else:
            kept.append(first)
            left_out += [f"{picture.found.path}: the same picture as {first.found.path}" for picture in others]
    return sorted(kept, key=lambda picture: picture.found.path), left_out


def _parts(pictures: list[Picture], targets: Array, labels: tuple[str, ...], listing: Listing) -> dict[str, Array]:
    """Return the rows of each part: the user's own parts, and by key what of them is missing."""
    keys = [picture.key for picture in pictures]
    where = str(listing.folder)
    if not listing.parted:
        return keyed.split(keys, targets, labels, where)
    rows = {part: np.array([i for i, p in enumerate(pictures) if p.found.part == part], np.int64) for part in keyed.PARTS}
    absent = [part for part in keyed.PARTS if not len(rows[part])]
    train = rows["train"]
    by_key = keyed.split([keys[row] for row in train], targets[train], labels, f"{where}, train")
    for part in absent:
        rows[part] = train[by_key[part]]
    taken = np.concatenate([rows[part] for part in absent]) if absent else np.empty(0, np.int64)
    return {**rows, "train": np.setdiff1d(train, taken)}
