"""A folder of pictures with a list of the boxes in them, `boxes.csv` or `boxes.json`: name, label, x, y, width, height.

Each row is one box: the picture's file name within the folder, what is in the box, its left upper corner and its size in pixels
of the upright picture. A picture that no row names is not used. A hash of its pixels decides into which split a picture goes.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.contract import Contract
from edge.errors import InputError
from edge.steps import image
from edge.steps.context import Context
from edge.steps.frame import place
from training import anchors as sizes
from training.data import delimited, keyed
from training.recipe import Array, DataOptions, Split, Splits

COLUMNS = ("name", "label", "x", "y", "width", "height")
ANCHORS = 3
_LEAST = 10  # pictures
_SHARE = 0.1  # of the pictures, to validate and to test


@dataclass(frozen=True)
class Marked:
    """One box of a picture: its label, left upper corner and size in pixels."""

    label: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Folder:
    """What a folder holds: the boxes of each picture, by path, the labels, and the typical longer side of the pictures."""

    pictures: Mapping[Path, tuple[Marked, ...]]
    labels: tuple[str, ...]
    counts: Mapping[str, int]
    sizes: Mapping[Path, tuple[int, int]]

    @property
    def side(self) -> int:
        """The longer side of a picture in the middle, in pixels."""
        return int(np.median([max(size) for size in self.sizes.values()]))


def browse(folder: Path) -> Folder:
    """Read the list of boxes and hold it against the pictures.

    Raises:
        InputError: There is no list, a row cannot be used, a picture cannot be read, or there are fewer than ten.
    """
    rows = _rows(folder)
    pictures: dict[Path, list[Marked]] = {}
    for where, name, marked in rows:
        path = folder / name
        if path.resolve().parent != folder.resolve() and folder.resolve() not in path.resolve().parents:
            raise InputError(f"{where}: names {name!r}, which lies outside {folder}")
        pictures.setdefault(path, []).append(marked)
    if len(pictures) < _LEAST:
        raise InputError(f"{folder}: boxes of {len(pictures)} pictures, expected at least {_LEAST}")
    found = {path: image.decode_image(path, Context(), channels=3).shape[:2] for path in pictures}
    for where, name, marked in rows:
        height, width = found[folder / name]
        if marked.x < 0 or marked.y < 0 or marked.x + marked.width > width or marked.y + marked.height > height:
            raise InputError(f"{where}: the box reaches beyond the picture {name}, which has {width}×{height} pixels; correct it")
    counts = Counter(marked.label for _, _, marked in rows)
    return Folder({path: tuple(boxes) for path, boxes in pictures.items()}, tuple(sorted(counts)), dict(sorted(counts.items())), found)


def load(folder: Path, contract: Contract, options: DataOptions | None = None) -> Splits:
    """Load the pictures as `image`, (N, H, W, C) uint8, and their boxes as targets (N, M, 5) float32.

    Args:
        folder: Holds the pictures and the list.
        contract: Its labels are those of the list; its preprocessing is `decode_image`, then `resize`.
        options: Another folder instead of this one.

    Raises:
        InputError: The folder cannot be used, or has other labels.
    """
    folder = (options.folder if options else None) or folder
    found = browse(folder)
    if found.labels != contract.labels:
        raise InputError(f"{folder}: has the labels {', '.join(found.labels)}, the recipe {', '.join(contract.labels)}; correct the recipe")
    decode, resize = (dict(step.parameters) for step in contract.preprocess[:2])
    most = max(len(boxes) for boxes in found.pictures.values())
    pixels, keys, targets = [], [], np.full((len(found.pictures), most, 5), -1, np.float32)
    for number, (path, boxes) in enumerate(found.pictures.items()):
        decoded = image.decode_image(path, Context(), **decode)
        keys.append(keyed.key(str(decoded.shape).encode(), decoded.tobytes()))
        pixels.append(image.resize(decoded, Context(), **resize))
        targets[number, : len(boxes)] = _targets(boxes, found.labels, decoded.shape[:2], pixels[-1].shape[:2], resize.get("fit", "stretch"))
    order = np.argsort(np.array(keys), kind="stable")
    held = max(1, int(len(order) * _SHARE))
    whole = Split({"image": np.stack(pixels)}, targets)
    return Splits(
        name=folder.resolve().name,
        sha256=keyed.key(*(key.encode() for key in sorted(keys)), targets.tobytes()),
        note=f"{len(keys):,} pictures with {sum(found.counts.values()):,} boxes in the folder {folder.resolve().name}",
        classes=found.labels,
        train=whole.take(np.sort(order[2 * held :])),
        validation=whole.take(np.sort(order[held : 2 * held])),
        test=whole.take(np.sort(order[:held])),
        pinned=False,
    )


def anchors(found: Folder, side: int) -> list[list[float]]:
    """Return anchors for pictures that are brought into a square of `side` pixels."""
    rows = [_targets(boxes, found.labels, found.sizes[path], (side, side), "contain") for path, boxes in found.pictures.items()]
    return sizes.k_means(np.concatenate(rows)[None], ANCHORS)


def _targets(boxes: tuple[Marked, ...], labels: tuple[str, ...], old: tuple[int, ...], new: tuple[int, ...], fit: str) -> Array:
    """Return class, centre and size of boxes in pixels of the model's input: (K, 5) float32."""
    frame = place((old[0], old[1]), (new[0], new[1]), fit)
    down, across = frame.inner[0] / frame.height, frame.inner[1] / frame.width
    return np.array(
        [
            (
                labels.index(box.label),
                (box.x + box.width / 2) * across + frame.left,
                (box.y + box.height / 2) * down + frame.top,
                box.width * across,
                box.height * down,
            )
            for box in boxes
        ],
        np.float32,
    )


def _rows(folder: Path) -> list[tuple[str, str, Marked]]:
    """Read the list: where each row stands, its picture and its box."""
    table, document = folder / "boxes.csv", folder / "boxes.json"
    if table.exists():
        read = delimited.read(table)
        columns = [read.column(name) for name in COLUMNS]
        cells = [(f"{table}, line {line}", row) for line, row in zip(read.lines, zip(*columns, strict=True), strict=True)]
        return [_row(where, row) for where, row in cells]
    try:
        listed = json.loads(document.read_text(encoding="utf-8"))
        return [_row(f"{document}, entry {i}", tuple(entry[name] for name in COLUMNS)) for i, entry in enumerate(listed)]
    except OSError:
        raise InputError(f"{folder}: no boxes.csv and no boxes.json, expected rows of {', '.join(COLUMNS)}") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{document}: not a list of objects with {', '.join(COLUMNS)} ({error})") from None


def _row(where: str, cells: tuple[object, ...]) -> tuple[str, str, Marked]:
    name, label, *numbers = (str(cell) for cell in cells)
    try:
        x, y, width, height = (float(number) for number in numbers)
    except ValueError:
        raise InputError(f"{where}: x, y, width, height are {', '.join(numbers)}, expected numbers of pixels") from None
    if not all(math.isfinite(side) for side in (x, y, width, height)) or width <= 0 or height <= 0 or not label:
        raise InputError(f"{where}: expected a label, and a box with a width and a height above 0")
    return where, name, Marked(label, x, y, width, height)
