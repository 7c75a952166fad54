"""A user's folder of pictures whose classes nobody named beforehand: one folder per class, as many as there are."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from pathlib import Path

from edge.contract import Contract
from edge.errors import InputError
from training.data import image_folder
from training.data.keyed import LEAST_OF_CLASS
from training.data.picture_files import Listing, browse
from training.recipe import DataOptions, Splits


def load(folder: Path, contract: Contract, options: DataOptions) -> Splits:
    """Load a folder of pictures; its folders' names are the classes.

    Args:
        folder: Holds one folder per class, or `train`, `validation` and `test` with those in each.
        contract: Its preprocessing is `decode_image`, then `resize`; its labels do not matter.
        options: Whether to be strict.

    Raises:
        InputError: There is no such folder, fewer than two classes, a class without pictures or with too few, or none can be read.
    """
    listing = browse(folder)
    for empty in _without_pictures(listing):
        raise InputError(
            f"{empty}: holds no picture, expected {LEAST_OF_CLASS} or more of the class {empty.name!r}; add some or remove the folder"
        )
    if len(listing.labels) < 2:
        raise InputError(
            f"{listing.folder}: one class only ({listing.labels[0]}), expected two folders of pictures or more; "
            "a classifier needs something to tell apart, such as a folder of everything else"
        )
    return image_folder.load(folder, replace(contract, labels=listing.labels), replace(options, folder=None))


def _without_pictures(listing: Listing) -> list[Path]:
    """List the folders of classes in which there is no picture, by their names."""
    places = _folders(listing.folder) if listing.parted else [listing.folder]
    return [path for place in places for path in _folders(place) if unicodedata.normalize("NFC", path.name) not in listing.labels]


def _folders(place: Path) -> list[Path]:
    return sorted(path for path in place.iterdir() if path.is_dir() and not path.name.startswith((".", "__")))
