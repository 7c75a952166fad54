"""Faces in a picture: found at several sizes, brought upright by eyes and mouth, turned into vectors. numpy alone.

Source: V. Bazarevsky et al., "BlazeFace" (2019) for the six points of a face; S. Umeyama, "Least-squares estimation of
transformation parameters between two point patterns" (1991) for the alignment.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from edge.errors import ContractError
from edge.model import Model
from edge.steps.frame import Frame
from edge.steps.image import resampled
from edge.steps.judged import judged
from edge.steps.single_shot import find
from edge.steps.suppression import suppress

Array = np.ndarray[Any, Any]
Pixels = np.ndarray[Any, np.dtype[np.uint8]]
CHIP = 150  # pixels of an aligned face
# Where the eyes and the mouth lie in it: near the mean face that the embedding learnt from, moved to where it tells people apart best.
PLACES = np.array([[46.3, 45.9], [101.7, 45.9], [74.0, 98.6]])
DEPTH = 2  # how often the windows that are looked at are halved
LEAST_EYES = 4.0  # pixels from eye to eye, below which there is nothing to see
MOST_WINDOWS, MOST_FACES = 40, 200
_LEAST = 0.75  # of the model's input: windows smaller than this would only be blown up
_STEP = 0.75  # of a window's side, to the next one
_SHARES, _SURE = (0.07, 0.45), 0.7  # what a face has of a window's side, larger ones are seen at the size before; how sure it must be
_EDGE = 0.02  # of a window's side: what reaches as near to its edge may be cut off
_OVERLAP, _WITHIN = 0.3, 0.6  # intersection over union, and over the smaller box, from which two boxes are one face


@dataclass(frozen=True)
class Face:
    """One face: `box` is (left, top, right, bottom), `score` 0–1, both as the detector says.

    `points` is (6, 2) float64: the eye on the picture's left, the other one, nose, mouth, and both ears. All in pixels.
    """

    box: tuple[float, float, float, float]
    score: float
    points: Array

    @property
    def eye_distance(self) -> float:
        """Pixels from eye to eye."""
        return float(np.hypot(*(self.points[1] - self.points[0])))

    @property
    def turn(self) -> float:
        """How far the nose lies beside the middle of the eyes, in distances of the eyes: 0 from the front, 0.5 and more from the side."""
        axis = self.points[1] - self.points[0]
        length = float(axis @ axis)
        return abs(float((self.points[2] - self.points[:2].mean(axis=0)) @ axis)) / length if length else 1.0


class _Window(NamedTuple):
    left: int
    top: int
    width: int
    height: int


class FaceFinder:
    """Finds faces with a single-shot detector that gives six points with each."""

    def __init__(self, model: Model) -> None:
        """Take a detector.

        Raises:
            ContractError: It gives no faces with six points.
        """
        step = next((step for step in model.contract.postprocess if step.name == "decode_ssd"), None)
        if step is None or step.parameters.get("coding", {}).get("points") != len(("eye", "eye", "nose", "mouth", "ear", "ear")):
            raise ContractError(
                f"{model.contract.name} finds no faces: expected a postprocess step decode_ssd with six points for each box"
            )
        self._model, self._parameters = model, dict(step.parameters)
        self._side = max(size for size in model.contract.main.inputs[0].row_shape if isinstance(size, int))

    def find(self, picture: Pixels, depth: int = DEPTH) -> list[Face]:
        """Find faces in the whole picture, and in windows of it, so that small ones are found too.

        Args:
            picture: (H, W, 3) uint8, RGB.
            depth: How often the windows are halved; 0 looks at the whole picture alone, which is quickest.

        Returns:
            The faces, the surest first, `MOST_FACES` at most.
        """
        found: list[Face] = []
        for window in windows(picture.shape[0], picture.shape[1], self._side, depth):
            found += self._look(picture, window)
        return one_each(found)

    def _look(self, picture: Pixels, window: _Window) -> list[Face]:
        """Find the faces that lie wholly in a window."""
        part = picture[window.top : window.top + window.height, window.left : window.left + window.width]
        row = self._model.prepare(np.ascontiguousarray(part))
        if not isinstance(row.frame, Frame):
            raise ContractError(f"{self._model.contract.name} does not resize its pictures; expected a preprocess step resize")
        outputs = self._model.run(self._model.stack([row]))
        pointed = find(judged(self._model.contract, outputs)[0], **self._parameters)
        scale = np.array([row.frame.width / row.frame.inner[1], row.frame.height / row.frame.inner[0]])
        shift = np.array([row.frame.left, row.frame.top])
        corner = np.array([window.left, window.top])
        faces = []
        for box, score, points in zip(pointed.boxes.astype(np.float64), pointed.scores.tolist(), pointed.points.astype(np.float64)):
            corners = (box.reshape(2, 2) - shift) * scale + corner
            (left, top), (right, bottom) = np.clip(corners, 0, [picture.shape[1], picture.shape[0]]).tolist()
            face = Face((left, top, right, bottom), score, (points - shift) * scale + corner)
            if whole(corners, window, picture.shape) and plausible(face) and _seen_well(face, window, picture):
                faces.append(face)
        return faces


def windows(height: int, width: int, side: int, depth: int) -> list[_Window]:
    """Lay windows over a picture: the whole of it, then squares of half its longer side, then of a quarter, and so on.

    Args:
        height: Of the picture in pixels.
        width: Of the picture in pixels.
        side: Of the model's input in pixels; much smaller windows would show nothing more.
        depth: How many times to halve.
    """
    found = [_Window(0, 0, width, height)]
    for level in range(1, depth + 1):
        size = max(height, width) >> level
        if size < _LEAST * side:
            break
        rows, columns = _starts(height, size), _starts(width, size)
        if len(found) + len(rows) * len(columns) > MOST_WINDOWS:
            break
        found += [_Window(left, top, min(size, width), min(size, height)) for top in rows for left in columns]
    return found


def whole(corners: Array, window: _Window, shape: Sequence[int]) -> bool:
    """Tell whether a box, (2, 2) corners, keeps away from those edges of a window behind which the picture goes on."""
    margin = _EDGE * max(window.width, window.height)
    (left, top), (right, bottom) = corners.tolist()
    ends = window.left + window.width, window.top + window.height
    clear_left, clear_top = left > window.left + margin or window.left == 0, top > window.top + margin or window.top == 0
    return (
        clear_left
        and clear_top
        and (right < ends[0] - margin or ends[0] >= shape[1])
        and (bottom < ends[1] - margin or ends[1] >= shape[0])
    )


def plausible(face: Face) -> bool:
    """Tell whether a face has eyes, and all its points within its box or near it; what has not cannot be brought upright."""
    corners = np.reshape(face.box, (2, 2))
    around = np.ptp(corners, axis=0)
    return face.eye_distance >= LEAST_EYES and bool(((face.points >= corners[0] - around) & (face.points <= corners[1] + around)).all())


def one_each(found: Sequence[Face]) -> list[Face]:
    """Leave one box for each face: the surest of those that cover one another, or lie mostly in one another."""
    if not found:
        return []
    boxes, scores = np.array([face.box for face in found], np.float32), np.array([face.score for face in found], np.float32)
    kept: list[Face] = []
    for row in suppress(boxes, scores, _OVERLAP, len(found)).tolist():
        if all(_within(found[row].box, other.box) < _WITHIN for other in kept):
            kept.append(found[row])
    return kept[:MOST_FACES]


def align(picture: Pixels, points: Array) -> Pixels:
    """Cut a face out, turned and scaled so that eyes and mouth lie as near as can be at `PLACES`.

    Args:
        picture: (H, W, 3) uint8.
        points: (6, 2), of a `Face`.

    Returns:
        (150, 150, 3) uint8; black where the picture ends.
    """
    turn, shift = similarity(PLACES, points[[0, 1, 3]])
    y, x = np.mgrid[0:CHIP, 0:CHIP]
    there = turn * (x + 1j * y) + shift  # the place of each pixel in the picture, x + iy
    shrink = max(1, int(abs(turn)))
    margin = shrink + 1
    left, top = math.floor(there.real.min()) - margin, math.floor(there.imag.min()) - margin
    right, bottom = math.ceil(there.real.max()) + margin + 1, math.ceil(there.imag.max()) + margin + 1
    wide, high = (-(-(end - start) // shrink) for start, end in ((left, right), (top, bottom)))
    part = _part(picture, left, top, wide * shrink, high * shrink)
    if shrink > 1:  # else only some of the pixels would count
        part = resampled(part, high, wide, "box")
    half = (shrink - 1) / 2
    return _sampled(part, (there.real - left - half) / shrink, (there.imag - top - half) / shrink)


def similarity(source: Array, target: Array) -> tuple[complex, complex]:
    """Return the turn with scale, and the shift, that bring points nearest to others: target ≈ turn · source + shift, as x + iy.

    Args:
        source: (P, 2).
        target: (P, 2).
    """
    first, second = source[:, 0] + 1j * source[:, 1], target[:, 0] + 1j * target[:, 1]
    centred = first - first.mean()
    turn = complex((centred.conj() * (second - second.mean())).sum() / max(float((np.abs(centred) ** 2).sum()), 1e-12))
    return turn, complex(second.mean() - turn * first.mean())


def embed(model: Model, chips: Sequence[Pixels]) -> Array:
    """Turn aligned faces, (150, 150, 3) uint8 each, into vectors, (N, D) float32."""
    tensor = model.contract.main.inputs[0].name
    vectors = [model.run({tensor: chip[None]})[model.contract.main.outputs[0].name] for chip in chips]
    width = model.contract.main.outputs[0].row_shape[-1]
    return np.concatenate(vectors) if vectors else np.zeros((0, int(width)), np.float32)


def _seen_well(face: Face, window: _Window, picture: Pixels) -> bool:
    """Tell whether a face is as large and as sure as faces are in such a window; parts of things often look like faces, but less."""
    share = (face.box[2] - face.box[0]) / max(window.width, window.height)
    if (window.width, window.height) == (picture.shape[1], picture.shape[0]):
        return share >= _SHARES[0]
    return _SHARES[0] <= share <= _SHARES[1] and face.score >= _SURE


def _starts(length: int, size: int) -> list[int]:
    """Return where windows begin, evenly, so that they overlap and end with the picture."""
    if size >= length:
        return [0]
    count = math.ceil((length - size) / (_STEP * size)) + 1
    return [round(number * (length - size) / (count - 1)) for number in range(count)]


def _within(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the share of the smaller of two boxes that lies in the other."""
    across, down = (min(one[end], other[end]) - max(one[start], other[start]) for start, end in ((0, 2), (1, 3)))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return max(across, 0.0) * max(down, 0.0) / max(min(areas), 1e-9)


def _part(picture: Pixels, left: int, top: int, width: int, height: int) -> Pixels:
    """Cut a part out of a picture, black where the picture does not reach."""
    part = np.zeros((height, width, picture.shape[2]), np.uint8)
    inner = picture[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
    part[max(-top, 0) : max(-top, 0) + inner.shape[0], max(-left, 0) : max(-left, 0) + inner.shape[1]] = inner
    return part


def _sampled(pixels: Pixels, x: Array, y: Array) -> Pixels:
    """Read pixels (H, W, C) at places between them, bilinearly: x and y are (h, w), within the picture."""
    column = np.clip(np.floor(x).astype(np.int64), 0, pixels.shape[1] - 2)
    row = np.clip(np.floor(y).astype(np.int64), 0, pixels.shape[0] - 2)
    right, below = np.clip(x - column, 0, 1)[..., None], np.clip(y - row, 0, 1)[..., None]
    upper = pixels[row, column] * (1 - right) + pixels[row, column + 1] * right
    lower = pixels[row + 1, column] * (1 - right) + pixels[row + 1, column + 1] * right
    return np.rint(upper * (1 - below) + lower * below).astype(np.uint8)
