"""Twelve photographs with boxes that were marked by hand, for detectors that others trained: nine of them are the test split.

So few pictures tell that a detector works and that two files answer alike; how good it is in general they cannot tell, and the
interval of a figure says so. The pictures lie in two packages, the boxes beside this file.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from edge.contract import Contract
from edge.steps import preprocessing
from edge.steps.context import Context
from edge.steps.image import decode_image
from edge.steps.resample import resample
from training.data import packages
from training.data.packages import Package
from training.recipe import Array, DataOptions, Split, Splits

SKIMAGE = Package("PyPI", "scikit-image", "0.26.0", "74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af")
FACES = Package("PyPI sdist", "face-recognition", "1.3.0", "5e5efdd1686aa566af0d3cc1313b131e4b197657a8ffd03669e6d3fad92705ec")
PACKAGES = {"scikit-image": SKIMAGE, "face-recognition": FACES}
LARGEST = 480  # pixels of a photograph's longer side here: what goes into a bundle as an example shall be small
_MARKED = Path(__file__).with_suffix(".json")


def load(options: DataOptions, contract: Contract) -> Splits:
    """Load the photographs, prepared as a contract says, with their boxes.

    Args:
        options: Nothing in it changes what is loaded.
        contract: Whose preprocessing makes the one input, and whose labels say which boxes count.

    Returns:
        The input's rows, targets (N, M, 5) float32 (class, centre x, centre y, width, height in pixels of the input, -1 for no box),
        and the photographs themselves as `raw`.

    Raises:
        SetupError: A package is not cached and cannot be fetched.
        InputError: A package holds something else than expected.
    """
    del options
    pictures, marked = photographs(), json.loads(_MARKED.read_text(encoding="utf-8"))["photographs"]
    prepare, tensor = preprocessing(contract), contract.main.inputs[0]
    most = max(len(item["boxes"]) for item in marked)
    parts = {}
    for part in ("train", "validation", "test"):
        chosen = [item for item in marked if item["part"] == part]
        raw = np.empty(len(chosen), object)
        raw[:] = [pictures[item["name"]] for item in chosen]
        rows = np.stack([prepare(picture) for picture in raw])
        height, width = rows.shape[1:3]
        parts[part] = Split({tensor.name: rows}, _targets(chosen, contract.labels, most, (height, width)), raw)
    return Splits(
        name="photographs",
        sha256=SKIMAGE.sha256,
        note=f"{len(marked)} photographs with boxes marked by hand, from {SKIMAGE} and {FACES}",
        classes=contract.labels,
        train=parts["train"],
        validation=parts["validation"],
        test=parts["test"],
    )


@lru_cache(maxsize=1)
def photographs() -> dict[str, Array]:
    """Return the photographs by name, (H, W, 3) uint8, at most 480 pixels a side.

    Raises:
        SetupError: A package is not cached and cannot be fetched.
        InputError: A package holds something else than expected.
    """
    marked = json.loads(_MARKED.read_text(encoding="utf-8"))["photographs"]
    found: dict[str, Array] = {}
    for source, package in PACKAGES.items():
        chosen = {item["name"]: item["member"] for item in marked if item["from"] == source}
        content = packages.read_members(packages.fetch(package), chosen.values())
        found |= {name: _smaller(decode_image(content[member], Context(), channels=3)) for name, member in chosen.items()}
    return found


def _smaller(picture: Array) -> Array:
    height, width = picture.shape[:2]
    scale = LARGEST / max(height, width)
    return picture if scale >= 1 else resample(picture, round(height * scale), round(width * scale), "bilinear")


def _targets(marked: list[dict[str, Any]], labels: tuple[str, ...], most: int, size: tuple[int, int]) -> Array:
    """Turn marked boxes into (N, most, 5) float32; kinds that have no label are left out."""
    height, width = size
    targets = np.full((len(marked), most, 5), -1, np.float32)
    for row, item in zip(targets, marked, strict=True):
        known = [box for box in item["boxes"] if box[0] in labels]
        for place, (kind, left, top, right, bottom) in enumerate(known):
            centre = (left + right) / 2 * width, (top + bottom) / 2 * height
            row[place] = labels.index(kind), *centre, (right - left) * width, (bottom - top) * height
    return targets
