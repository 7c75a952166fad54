"""A system for tests: squares what it is told, with the model of rows, and says what it was told and where it may keep it."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from edge.errors import InputError
from edge.model import Model
from edge.steps.context import Context
from edge.steps.image import decode_image
from edge.systems import JSON, PICTURE, TEXT, Request


class Echo:
    """One model, and everything that a caller may send."""

    NAME: ClassVar[str] = "echo"
    TITLE: ClassVar[str] = "Squares, and what came"
    TAKES: ClassVar[tuple[str, ...]] = (PICTURE, TEXT, JSON)
    NEEDS: ClassVar[Mapping[str, str]] = {"squares": "tiny_rows"}
    OPTIONAL: ClassVar[Mapping[str, str]] = {"digits": "tiny_digits", "more": "not_there"}
    SCHEMA: ClassVar[Mapping[str, Any]] = {"type": "object", "properties": {"rows": {"type": "array"}}}
    EXAMPLES: ClassVar[Mapping[str, Mapping[str, Any]]] = {"two numbers": {"rows": [1, 2]}}
    gate = threading.Event()
    gate.set()
    made = 0

    def __init__(self, models: Mapping[str, Model], folder: Path | None) -> None:
        self._models, self._folder = models, folder
        Echo.made += 1

    @classmethod
    def of(cls, models: Mapping[str, Model], folder: Path | None = None) -> "Echo":
        return cls(models, folder)

    def answer(self, request: Request) -> dict[str, Any]:
        self.gate.wait(10)
        if request.fields.get("fail"):
            raise ZeroDivisionError("a defect inside")
        if request.fields.get("refuse"):
            raise InputError("nothing of that kind")
        rows = np.array([request.fields.get("rows", [])], np.float32)
        squares = self._models["squares"].run({"x": rows})["y"][0].tolist() if rows.size else []
        sizes = [list(decode_image(picture, Context()).shape) for picture in request.pictures]
        kept = None if self._folder is None else str(self._folder)
        return {"squares": squares, "fields": dict(request.fields), "sizes": sizes, "parts": sorted(self._models), "keep": kept}


SYSTEM = Echo
