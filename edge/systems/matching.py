"""Whose face it is: the nearest of those who are enrolled, where it is near enough and no other is as near."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np

from edge.systems.enrolment import Known

Array = np.ndarray[Any, Any]
THRESHOLD = 0.5  # straight distance from which faces are of two people; docs/face-rollcall.md shows how it was found
THRESHOLDS = (0.2, 0.8)  # those that a caller may choose
MARGIN = 0.03  # by which the nearest person has to be nearer than the next one


@dataclass(frozen=True)
class Match:
    """Who a face is: `name` is None where it is unknown, then `note` says why; `distance` is that to the nearest person, if any."""

    name: Optional[str]
    distance: Optional[float] = None
    note: str = ""


def distances(vectors: Array, known: Known) -> tuple[tuple[str, ...], Array]:
    """Return the people, and how far each vector is from the nearest vector of each.

    Args:
        vectors: (N, D) float32.
        known: Who is enrolled.

    Returns:
        P names, and (N, P) float64.
    """
    people = tuple(dict.fromkeys(known.names))
    if not people or not len(vectors):
        return people, np.zeros((len(vectors), len(people)))
    place = {name: number for number, name in enumerate(people)}
    whose = np.array([place[name] for name in known.names])
    far = np.linalg.norm(vectors.astype(np.float64)[:, None] - known.vectors.astype(np.float64)[None], axis=2)  # (N, V)
    return people, np.stack([far[:, whose == number].min(axis=1) for number in range(len(people))], axis=1)


def match(vectors: Array, known: Known, threshold: float = THRESHOLD) -> list[Match]:
    """Name the faces of one picture; nobody is in it twice, so of two faces that are one person's the nearer one is.

    Args:
        vectors: (N, D) float32, one for each face.
        known: Who is enrolled.
        threshold: The distance up to which a face is somebody's.
    """
    people, far = distances(vectors, known)
    if not people:
        return [Match(None, None, "nobody is enrolled") for _ in vectors]
    found = [_nearest(people, row, threshold) for row in far]
    for name in {one.name for one in found if one.name is not None}:
        rows = [row for row, one in enumerate(found) if one.name == name]
        first = min(rows, key=lambda row: found[row].distance or 0.0)
        for row in rows:
            if row != first:
                found[row] = Match(None, found[row].distance, f"{name} was recognised in another face of the picture")
    return found


def _nearest(people: Sequence[str], far: Array, threshold: float) -> Match:
    order = np.argsort(far, kind="stable")
    least = float(far[order[0]])
    if not least <= threshold:  # NaN is nobody's
        return Match(None, least if np.isfinite(least) else None, "nobody who is enrolled is near enough")
    if len(order) > 1 and far[order[1]] - least < MARGIN:
        return Match(None, least, f"it could be {people[order[0]]} or {people[order[1]]}")
    return Match(people[order[0]], least)
