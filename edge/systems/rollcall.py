"""The roll-call of faces: find them, bring them upright, turn each into a vector, name those who were enrolled, keep the day's list.

Somebody is enrolled from one photograph, without training; what is kept is a vector, a name and a note of consent, never a picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Callable, ClassVar, Optional, Protocol

import numpy as np

from edge.contract import Contract
from edge.errors import ContractError, InputError, UsageError
from edge.model import Model
from edge.steps.context import Context
from edge.steps.image import decode_image
from edge.systems import JSON, PICTURE, Request
from edge.systems.enrolment import MOST_TURN, clean_consent, clean_name, key_of, only
from edge.systems.faces import CHIP, DEPTH, Face, FaceFinder, align, embed
from edge.systems.matching import THRESHOLD, THRESHOLDS, Match, distances, match
from edge.systems.register import Register

Array = np.ndarray[Any, Any]
LIMIT = "a printed or shown photograph of a person is taken for that person: this is a list for convenience, and no lock"


class Finder(Protocol):
    """What finds faces."""

    def find(self, picture: Array, depth: int = DEPTH) -> list[Face]:
        """Find the faces in a picture, (H, W, 3) uint8; see `FaceFinder.find`."""


class Rollcall:
    """The system: ask it with `answer`, or from Python with its other methods, which take and give the same things."""

    NAME: ClassVar[str] = "rollcall"
    TITLE: ClassVar[str] = "Whose faces are in a picture, of those who were enrolled, and who was there today"
    TAKES: ClassVar[tuple[str, ...]] = (PICTURE, JSON)
    NEEDS: ClassVar[Mapping[str, str]] = {"detector": "face_rollcall_detector", "embedder": "face_rollcall"}
    OPTIONAL: ClassVar[Mapping[str, str]] = {}
    SCHEMA: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "properties": {
            "action": {"enum": ["about", "people", "list", "forget"], "default": "about"},
            "name": {"type": "string", "description": "whom to forget"},
            "lists": {"type": "boolean", "description": "whether to take them from the lists of all days too"},
            "day": {"type": "string", "description": "whose list, such as 2026-11-21; today's where it is missing"},
        },
        "additionalProperties": False,
    }
    EXAMPLES: ClassVar[Mapping[str, Mapping[str, Any]]] = {"what it is": {"action": "about"}}

    def __init__(self, finder: Finder, embedder: Callable[[Sequence[Array]], Array], register: Optional[Register] = None) -> None:
        """Put the roll-call together.

        Args:
            finder: Finds faces.
            embedder: Turns aligned faces, (150, 150, 3) uint8 each, into vectors, (N, D) float32.
            register: Where people and lists are kept; None keeps nothing, and nobody can be enrolled.
        """
        self._finder, self._embedder, self._register = finder, embedder, register

    @classmethod
    def of(cls, models: Mapping[str, Model], folder: Optional[Path] = None, zone: Optional[str] = None) -> Rollcall:
        """Put it together of its models; see `edge.systems.System.of`.

        Args:
            models: Its detector and its embedder.
            folder: Where people and lists are kept; None keeps nothing.
            zone: Whose midnight ends a day; see `Register`.

        Raises:
            ContractError: The models do not fit.
            InputError: The time zone does not.
            StoreError: The folder cannot be used, or holds the vectors of another embedder.
        """
        embedder = models["embedder"]
        width = _width(embedder.contract)
        register = None if folder is None else Register(folder, zone)
        if register is not None:
            register.fit(f"{embedder.contract.name} {embedder.contract.version}", width)
        return cls(FaceFinder(models["detector"]), lambda chips: embed(embedder, chips), register)

    @property
    def register(self) -> Register:
        """Who is enrolled, and the lists.

        Raises:
            UsageError: Nothing is kept here.
        """
        if self._register is None:
            raise UsageError(
                "nothing is kept here, so nobody can be enrolled and there are no lists; give a folder: tandem serve --keep FOLDER"
            )
        return self._register

    def answer(self, request: Request) -> dict[str, Any]:
        """Answer a request; see `edge.systems.System.answer`."""
        action = request.text("action", "recognise" if request.pictures else "about")
        known: Mapping[str, tuple[Callable[[Request], dict[str, Any]], tuple[str, ...], int]] = {
            "about": (lambda _: self.about(), (), 0),
            "people": (lambda _: self.register.listed(), (), 0),
            "list": (lambda asked: self.register.day(asked.text("day", "")), ("day",), 0),
            "forget": (lambda asked: self.register.forget(asked.text("name"), from_lists=asked.flag("lists")), ("name", "lists"), 0),
            "enrol": (self._enrol, ("name", "consent", "again", "threshold"), 1),
            "recognise": (self._recognise, ("mark", "threshold"), 1),
        }
        if action not in known:
            raise InputError(f"the action is {action[:40]!r}, expected one of {', '.join(known)}")
        handler, fields, pictures = known[action]
        request.expect("action", *fields)
        if len(request.pictures) != pictures:
            expected = "one" if pictures else "none"
            raise InputError(f"{len(request.pictures)} pictures came with the action {action}, expected {expected}")
        return handler(request)

    def about(self) -> dict[str, Any]:
        """Say what this is, and what it cannot do."""
        facts: dict[str, Any] = {}
        if self._register is not None:
            today = self._register.attendance.today()
            facts = {"enrolled": len(self._register.enrolment.people()), "day": today, "zone": self._register.zone}
        kept = "name, consent, numbers; never a picture"
        return {"keeps": bool(facts), **facts, "threshold": THRESHOLD, "kept_of_a_person": kept, "limit": LIMIT}

    def recognise(self, picture: Any, *, mark: bool = False, threshold: float = THRESHOLD, depth: int = DEPTH) -> dict[str, Any]:
        """Name the faces in a picture.

        Args:
            picture: As `decode_image` takes it.
            mark: Whether to put who was recognised on today's list.
            threshold: The distance up to which a face is somebody's.
            depth: How closely to look for small faces; see `FaceFinder.find`.

        Raises:
            InputError: It is no picture.
            UsageError: To be marked, where nothing is kept.
            StoreError: The store cannot be used.
        """
        if mark:
            _ = self.register
        faces, vectors = self._faces(decode_image(picture, Context()), depth)
        found = self._match(vectors, threshold)
        answer: dict[str, Any] = {"faces": [_told(face, one) for face, one in zip(faces, found)], "limit": LIMIT}
        if mark:
            there = {one.name: one.distance for one in found if one.name is not None and one.distance is not None}
            answer.update(marked=self.register.attendance.mark(there), day=self.register.attendance.today())
        return answer

    def enrol(self, name: str, picture: Any, consent: str, *, again: bool = False, threshold: float = THRESHOLD) -> dict[str, Any]:
        """Enrol somebody from one photograph.

        Args:
            name: Whose face it is.
            picture: As `decode_image` takes it, with one face.
            consent: The words in which they have agreed, or where that is written down.
            again: Whether to add a picture of somebody who is enrolled.
            threshold: The distance up to which two faces are one person's.

        Raises:
            InputError: Name, consent or picture do not fit; the message says what was expected.
            UsageError: Nothing is kept here.
            StoreError: The store cannot be used.
        """
        name, consent, register = clean_name(name), clean_consent(consent), self.register
        pixels = decode_image(picture, Context())
        face = only(self._finder.find(pixels, 0))  # a photograph of one person needs no closer look
        vectors = self._embedder([align(pixels, face.points)])
        self._check_others(name, vectors, threshold, again)
        person = register.enrolment.enrol(name, vectors[0], consent, register.attendance.now(), again=again)
        kept = f"{vectors.shape[1]} numbers; the picture is not kept"
        return {"enrolled": person.name, "pictures": person.vectors, "consented": person.consented, "kept": kept, "box": list(face.box)}

    def _enrol(self, request: Request) -> dict[str, Any]:
        threshold = _threshold(request)
        name, consent = request.text("name"), request.text("consent", "")
        return self.enrol(name, request.pictures[0], consent, again=request.flag("again"), threshold=threshold)

    def _recognise(self, request: Request) -> dict[str, Any]:
        return self.recognise(request.pictures[0], mark=request.flag("mark"), threshold=_threshold(request))

    def _faces(self, pixels: Array, depth: int = DEPTH) -> tuple[list[Face], Array]:
        faces = self._finder.find(pixels, depth)
        return faces, self._embedder([align(pixels, face.points) for face in faces])

    def _match(self, vectors: Array, threshold: float) -> list[Match]:
        if self._register is None:
            return [Match(None, None, "nothing is kept here, so nobody is enrolled") for _ in vectors]
        return match(vectors, self._register.enrolment.known(), threshold)

    def _check_others(self, name: str, vectors: Array, threshold: float, again: bool) -> None:
        """Refuse a face that is somebody else's by all that can be told, and a further one that is too unlike the first."""
        others, far = distances(vectors, self.register.enrolment.known())
        own = key_of(name)
        for other, distance in zip(others, far[0].tolist()):
            if key_of(other) != own and distance <= threshold:
                raise InputError(f"this face is enrolled as {other} (distance {distance:.2f}); the two could not be told apart")
            if key_of(other) == own and again and distance > threshold:
                raise InputError(
                    f"this face is unlike {other}'s (distance {distance:.2f}), expected at most {threshold:g}; is it the same person?"
                )


def _told(face: Face, one: Match) -> dict[str, Any]:
    facts: dict[str, Any] = {"name": one.name, "known": one.name is not None, "distance": one.distance}
    if one.note:
        facts["note"] = one.note
    return {**facts, "box": [round(side, 1) for side in face.box], "score": round(face.score, 4), "aside": face.turn > MOST_TURN}


def _width(contract: Contract) -> int:
    shapes = contract.main.inputs[0].row_shape, contract.main.outputs[0].row_shape
    if shapes[0] != (CHIP, CHIP, 3) or len(shapes[1]) != 1 or not isinstance(shapes[1][0], int):
        raise ContractError(f"{contract.name} embeds no faces: expected ({CHIP}, {CHIP}, 3) to one row of numbers, it takes {shapes[0]}")
    return shapes[1][0]


def _threshold(request: Request) -> float:
    return request.number("threshold", THRESHOLD, *THRESHOLDS)


SYSTEM = Rollcall
