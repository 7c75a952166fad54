"""What the roll-call does on the few real photographs that can be had: faces found, distances, and what fools it.

Run: python -m benchmarks.face_rollcall [--page docs/face-rollcall.md]

It needs the released bundles `face_rollcall` and `face_rollcall_detector`, and fetches three packages of photographs. With
`--page` the table between the marks of that page is written anew.
"""

from __future__ import annotations

import itertools
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.marked_page import page_of, show
from edge.model import Model
from edge.steps.context import Context
from edge.steps.image import decode_image, resampled
from edge.systems.faces import Face, FaceFinder, align, embed
from training.data import packages
from training.data.face_photographs import PHOTOGRAPHS, PORTRAITS, pixels

Array = np.ndarray[Any, Any]
Row = tuple[str, str]
LESSER = ("32bit.png", "obama_partial_face.jpg", "obama_partial_face2.jpg")  # copies and parts of the others


class Models(NamedTuple):
    """The two models, opened."""

    finder: FaceFinder
    embedder: Model

    @classmethod
    def open(cls, target: str = "device") -> Models:
        """Open the released bundles."""
        return cls(FaceFinder(Model.open("face_rollcall_detector", target=target)), Model.open("face_rollcall", target=target))

    def vectors(self, picture: Array) -> tuple[list[Face], Array]:
        """Find the faces of a picture, seen as a whole, from left to right, and embed them."""
        faces = sorted(self.finder.find(picture, 0), key=lambda face: face.box[0])
        return faces, embed(self.embedder, [align(picture, face.points) for face in faces])


def portraits() -> dict[str, Array]:
    """Give all portraits by file name, copies and parts too."""
    names = [*(Path(one.path).name for one in PHOTOGRAPHS if one.package == PORTRAITS), *LESSER]
    folder = "face_recognition-1.3.0/tests/test_images"
    found = packages.read_members(packages.fetch(PORTRAITS), [f"{folder}/{name}" for name in names])
    return {name: decode_image(found[f"{folder}/{name}"], Context()) for name in names}


def groups() -> list[Array]:
    """Give the photographs of several people."""
    return [picture for one, picture in zip(PHOTOGRAPHS, pixels(), strict=True) if one.package != PORTRAITS]


def tiled(size: int = 120, rows: int = 10) -> Array:
    """Lay the faces of the photographs out in a sheet of `rows` by `rows`, each in a square of `size` pixels."""
    crops = []
    for one, picture in zip(PHOTOGRAPHS, pixels(), strict=True):
        for face in one.faces:
            left, top, right, bottom = face.box
            grown = round(0.35 * (right - left))
            part = picture[max(top - grown, 0) : bottom + grown, max(left - grown, 0) : right + grown]
            crops.append(resampled(np.ascontiguousarray(part), size, size, "bilinear"))
    chosen = list(itertools.islice(itertools.cycle(crops), rows * rows))
    return np.concatenate([np.concatenate(chosen[row * rows : (row + 1) * rows], axis=1) for row in range(rows)])


def drawing() -> Array:
    """Draw a face as children do."""
    y, x = np.mgrid[0:400, 0:400]
    picture = np.full((400, 400, 3), 255, np.uint8)
    picture[np.hypot(x - 200, y - 200) < 150] = (255, 220, 60)
    for left in (150, 250):
        picture[np.hypot(x - left, y - 160) < 18] = 0
    smile = np.abs(np.hypot(x - 200, y - 190) - 90) < 7
    picture[smile & (y > 220)] = 0
    return picture


def printed(portrait: Array) -> Array:
    """Put a portrait, as a print with a white border, small and askew, before a grey wall."""
    side = 420
    small = resampled(portrait, side, round(side * portrait.shape[1] / portrait.shape[0]), "bilinear")
    sheet = np.pad(small, ((20, 20), (20, 20), (0, 0)), constant_values=245)
    wall = np.full((900, 1200, 3), 120, np.uint8)
    slant = np.tan(np.radians(6))
    for row, line in enumerate(sheet):
        left = 350 + round(row * slant)
        wall[200 + row, left : left + line.shape[0]] = np.rint(line * 0.85 + 15).astype(np.uint8)
    return wall


def distances(models: Models) -> list[Row]:
    """Measure how far apart faces lie."""
    found = {name: models.vectors(picture) for name, picture in portraits().items()}
    one = {name: vectors[0] for name, (faces, vectors) in found.items() if len(faces) == 1}
    own = [name for name in one if name.startswith("obama") and name not in LESSER]
    every = [name for name in one if not name.startswith("biden")]
    same = [_far(one[a], one[b]) for a, b in itertools.combinations(own, 2)]
    more = [_far(one[a], one[b]) for a, b in itertools.combinations(every, 2)]
    other = [_far(one[name], one["biden.jpg"]) for name in own]
    within, across = [], []
    for picture in groups():
        _, vectors = models.vectors(picture)
        within += [_far(a, b) for a, b in itertools.combinations(vectors, 2)]
        across += [_far(a, one[name]) for a in vectors for name in (*own, "biden.jpg")]
    return [
        ("one person, three photographs: distances of 3 pairs", _spread(same)),
        ("the same with copies and parts of them: 15 pairs", _spread(more)),
        ("two people, one photograph of the other: 3 pairs", _spread(other)),
        (f"two people in one photograph: {len(within)} pairs", _spread(within)),
        (f"those in groups and the two portrayed: {len(across)} pairs", _spread(across)),
    ]


def found(models: Models) -> list[Row]:
    """Count the faces that are found."""
    counts = [(len(models.finder.find(picture)), len(one.faces)) for one, picture in zip(PHOTOGRAPHS, pixels(), strict=True)]
    rows = [("faces found in ten photographs", f"{sum(a for a, _ in counts)} of {sum(b for _, b in counts)}")]
    for size in (120, 60):
        sheet = tiled(size)
        started = time.perf_counter()
        rows.append((f"faces found in a sheet of 100 faces, {size}×{size} pixels each", str(len(models.finder.find(sheet)))))
        rows.append((f"seconds for that sheet, {sheet.shape[1]}×{sheet.shape[0]} pixels", f"{time.perf_counter() - started:.1f}"))
    rows.append(("faces found in a drawing of one", str(len(models.finder.find(drawing())))))
    return rows


def fooled(models: Models) -> list[Row]:
    """Show a print of a photograph, and small ones."""
    pictures = portraits()
    _, reference = models.vectors(pictures["obama.jpg"])
    _, before_wall = models.vectors(printed(pictures["obama2.jpg"]))
    rows = [
        ("a print of another photograph, before a wall: distance to the person", _spread([_far(reference[0], one) for one in before_wall]))
    ]
    face = models.finder.find(pictures["obama2.jpg"])[0]
    for eyes in (40, 24, 12, 8):
        scale = eyes / face.eye_distance
        height, width = (max(1, round(side * scale)) for side in pictures["obama2.jpg"].shape[:2])
        small = resampled(pictures["obama2.jpg"], height, width, "bilinear")
        faces, vectors = models.vectors(small)
        told = f"{_far(reference[0], vectors[0]):.2f}" if faces else "no face is found"
        rows.append((f"one person, the second photograph with {eyes} pixels from eye to eye", told))
    return rows


def table(rows: list[Row]) -> str:
    """Write figures as a table."""
    return "\n".join(["| what | figure |", "| --- | --- |", *(f"| {what} | {figure} |" for what, figure in rows)]) + "\n"


def main() -> int:
    """Measure, print, and where wanted write."""
    page = page_of(__doc__)
    models = Models.open()
    show(table([*distances(models), *found(models), *fooled(models)]), page)
    return 0


def _far(one: Array, other: Array) -> float:
    return float(np.linalg.norm(one.astype(np.float64) - other))


def _spread(values: list[float]) -> str:
    if not values:
        return "no face is found"
    return f"{min(values):.2f}" if len(values) == 1 else f"{min(values):.2f} to {max(values):.2f}"


if __name__ == "__main__":
    sys.exit(main())
