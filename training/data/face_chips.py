"""Faces of 23 people, or a few less, upright and in twelve views each: a stand-in for a set of people by name, which cannot be had.

The faces are those of `face_photographs.py`; one person has three photographs, all others one. Views of a face differ as pictures of
one moment do: where exactly its points were found, in light, sharpness, noise and side. So what is measured is whether a face is
found again in a worse picture, among others; how like two photographs of a person are, years apart, only three photographs can tell.

A view depends on its number alone, so every machine makes the same ones. No photograph is in two splits; who is in the photographs
of groups is not known.
"""

from __future__ import annotations

import numpy as np

from edge.steps.resample import resample
from edge.systems.faces import align
from training.data import face_photographs as source
from training.data.dataset import DataSet
from training.data.face_photographs import Marked
from training.recipe import Array, DataOptions, Split, Splits

VIEWS = 12  # of each face
_AWAY = 0.03  # of the distance of the eyes, by which points are off
_SIDES = (60, 150)  # pixels that a view is shrunk to, before it is brought back to its size


def load(_options: DataOptions) -> Splits:
    """Make the views as `image`: (N, 150, 150, 3) uint8, NHWC; targets (N, 1) int64, a number for each person.

    Raises:
        SetupError: A package is not cached and cannot be fetched.
        InputError: It holds something else than expected.
    """
    people: dict[str, int] = {}
    parts: dict[str, list[tuple[Array, int]]] = {"train": [], "validation": [], "test": []}
    for photograph, picture in zip(source.PHOTOGRAPHS, source.pixels(), strict=True):
        for face in (face for face in photograph.faces if not face.aside):
            person = people.setdefault(face.person, len(people))
            views = [view(picture, face, np.random.default_rng([person, *face.box, number]), number) for number in range(VIEWS)]
            parts[photograph.part] += [(pixels, person) for pixels in views]
    splits = {
        part: Split({"image": np.stack([pixels for pixels, _ in rows])}, np.array([[person] for _, person in rows], np.int64))
        for part, rows in parts.items()
    }
    note = f"a stand-in: {sum(map(len, parts.values()))} views of the faces of {len(people)} people"
    return Splits("face_chips", source.PORTRAITS.sha256, note, tuple(people), splits["train"], splits["validation"], splits["test"])


def view(picture: Array, face: Marked, random: np.random.Generator, number: int) -> Array:
    """Cut a face out, (150, 150, 3) uint8: view 0 as it is, view 1 mirrored, the others worse."""
    points = np.zeros((6, 2))
    points[[0, 1, 3]] = [*face.eyes, face.mouth]
    if number < 2:
        return _mirrored(align(picture, points), number == 1)
    points += random.normal(0, _AWAY, points.shape) * np.hypot(*(points[1] - points[0]))
    chip = align(picture, points)
    side = int(random.integers(_SIDES[0], _SIDES[1]))
    chip = resample(resample(chip, side, side, "bilinear"), chip.shape[0], chip.shape[1], "bilinear")
    light = 255 * (chip / 255) ** random.uniform(0.6, 1.6) + random.normal(0, random.uniform(0, 8), chip.shape)
    return _mirrored(np.clip(np.rint(light), 0, 255).astype(np.uint8), bool(random.integers(0, 2)))


def _mirrored(chip: Array, yes: bool) -> Array:
    return np.ascontiguousarray(chip[:, ::-1]) if yes else chip


DATASET = DataSet(
    name="face_chips",
    title="Faces of 23 people, upright, 150×150 pixels, in twelve views each; a stand-in for people by name",
    licence=source.LICENCE,
    origin=source.ORIGIN,
    packages={"full": (source.GROUPS, source.PORTRAITS)},
    loader=load,
)
