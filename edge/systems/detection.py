"""Things in a picture, by one of two detectors that a caller names: `quick` looks once, `thorough` at seven views and finds more."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Optional

from edge import png
from edge.errors import InputError
from edge.model import Model
from edge.schema import encode
from edge.systems import PICTURE, Request
from edge.tiling import DETECTORS


class Detection:
    """The system: a picture, and the fields `detector` (`quick` where it is missing) and `draw`."""

    NAME: ClassVar[str] = "detection"
    TITLE: ClassVar[str] = "Which things are in a picture, and where, by a quick detector or a thorough one"
    TAKES: ClassVar[tuple[str, ...]] = (PICTURE,)
    NEEDS: ClassVar[Mapping[str, str]] = {"detector": "object_detector"}
    OPTIONAL: ClassVar[Mapping[str, str]] = {}
    SCHEMA: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "properties": {
            "detector": {"enum": sorted(DETECTORS), "default": "quick"},
            "draw": {"type": "boolean", "description": "whether the picture comes back with its boxes drawn, as PNG in base64"},
        },
        "additionalProperties": False,
    }
    EXAMPLES: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __init__(self, model: Model) -> None:
        """Take a detector."""
        self._detectors = {name: make(model) for name, make in DETECTORS.items()}

    @classmethod
    def of(cls, models: Mapping[str, Model], folder: Optional[Path] = None) -> Detection:
        """Put it together of its model; nothing is kept. See `edge.systems.System.of`.

        Raises:
            UsageError: The model finds no boxes in pictures.
        """
        del folder
        return cls(models["detector"])

    def answer(self, request: Request) -> dict[str, Any]:
        """Find what is in one picture; see `edge.systems.System.answer`.

        Returns:
            `detector`, `boxes` (label, index, score, box in pixels of the picture), and `image` and `media_type` where they are drawn.

        Raises:
            InputError: There is not one picture that can be read, or a field makes no sense.
        """
        request.expect("detector", "draw")
        if len(request.pictures) != 1:
            raise InputError(f"{len(request.pictures)} pictures came, expected one")
        name = request.text("detector", "quick")
        if name not in self._detectors:
            raise InputError(f"the field 'detector' is {name[:40]!r}, expected one of {', '.join(sorted(self._detectors))}")
        found = self._detectors[name].predict(request.pictures[0])
        drawn = {}
        if request.flag("draw"):
            drawn = {"image": base64.b64encode(png.encode(found.image)).decode("ascii"), "media_type": png.MEDIA_TYPE}
        return {"detector": name, "boxes": encode(found.boxes), **drawn}


SYSTEM = Detection
