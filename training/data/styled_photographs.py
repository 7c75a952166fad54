"""Photographs to be drawn in a style, each with a style and a strength, and what the published network makes of it.

So the figures of a model that leaves here say how near it is to the file that somebody else published, run as it is.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edge.contract import Contract
from edge.steps import preprocessing
from edge.steps.context import Context
from edge.steps.image import decode_image
from edge.storage import save_npz
from training.data import packages
from training.data.photographs import SKIMAGE
from training.recipe import Array, Split, Splits

FOLDER = "skimage/data"
Publish = Callable[[Mapping[str, Array]], Array]  # one row of each input, without a batch, to the published answer


@dataclass(frozen=True)
class Asked:
    """A photograph by its file's name, with a style (a row of the input `style`) and a strength."""

    photograph: str
    style: Array | None = None
    strength: float = 1.0


def photographs(names: Sequence[str]) -> dict[str, Array]:
    """Return photographs by name, (H, W, 3) uint8.

    Raises:
        SetupError: The package is not cached and cannot be fetched.
        InputError: It holds something else than expected.
    """
    found = packages.read_members(packages.fetch(SKIMAGE), [f"{FOLDER}/{name}" for name in dict.fromkeys(names)])
    return {name.rpartition("/")[2]: decode_image(content, Context(), channels=3) for name, content in found.items()}


def splits(
    contract: Contract, parts: Mapping[str, Sequence[Asked]], publish: Publish, sha256: str, assets: Mapping[str, bytes] | None = None
) -> Splits:
    """Make the splits of a model that draws, or of one that reads a style off a picture, which has no further inputs.

    Args:
        contract: Its preprocessing prepares the photographs.
        parts: What is asked in `train`, `validation` and `test`.
        publish: Answers as the published network does.
        sha256: Of the package that holds it.
        assets: What the contract's steps read.

    Raises:
        SetupError: A package is not cached and cannot be fetched.
        InputError: A package holds something else than expected.
    """
    pictures = photographs([one.photograph for asked in parts.values() for one in asked])
    prepare, tensors = preprocessing(contract), contract.main.inputs
    made = {}
    for part, asked in parts.items():
        raw = np.empty(len(asked), object)
        raw[:] = [pictures[one.photograph] for one in asked]
        rows: dict[str, Array] = {tensors[0].name: np.stack([prepare(picture) for picture in raw])}
        if len(tensors) > 1:
            rows["style"] = np.stack([np.asarray(one.style, np.float32) for one in asked])
            rows["strength"] = np.array([[one.strength] for one in asked], np.float32)
        answers = np.stack([publish({name: array[i] for name, array in rows.items()}) for i in range(len(asked))])
        made[part] = Split(rows, answers.astype(np.float32), raw)
    return Splits(
        name="styled photographs",
        sha256=sha256,
        note=f"{sum(map(len, made.values()))} photographs of {SKIMAGE} as the published network draws them",
        classes=(),
        train=made["train"],
        validation=made["validation"],
        test=made["test"],
        assets=assets or {},
    )


def vectors_file(table: Array) -> bytes:
    """Write the asset of the step `choose`: a row of numbers for each name, (N, D) float32."""
    buffer = io.BytesIO()
    save_npz(buffer, {"vectors": np.asarray(table, np.float32)})
    return buffer.getvalue()


def blended(light: Array, drawn: Array, strength: float) -> Array:
    """Return light between a photograph and its drawing, both (H, W, 3) of 0–1."""
    return light + np.float32(strength) * (drawn - light)
