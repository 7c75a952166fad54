"""Systems: compositions of released models that one picture or text goes through, on the device and on the server alike.

A system is a module in this folder with `SYSTEM`, a class that keeps to the protocol below; `SYSTEMS` lists them. numpy and the
standard library only. `open_system` opens one on a device; the server mounts every system whose bundles it serves.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Optional, Protocol, Union

from edge import search_path
from edge.errors import BundleError, InputError, UsageError
from edge.model import Model

PICTURE, TEXT, JSON = "picture", "text", "json"
_FLAGS = {"true": True, "1": True, "on": True, "false": False, "0": False, "off": False, "": False}
SYSTEMS: dict[str, str] = {  # name to module; each module has `SYSTEM`
    "abstract": "edge.systems.abstract",
    "detection": "edge.systems.detection",
    "rollcall": "edge.systems.rollcall",
    "summary": "edge.systems.summary",
    "topics": "edge.systems.topics",
}


@dataclass(frozen=True)
class Request:
    """What a caller asks of a system.

    `fields` are those of a JSON object, or the text fields of a form; a plain text is the field `text`. `pictures` are what
    `edge.steps.image.decode_image` takes: encoded bytes, and from callers in Python paths and arrays too.
    """

    fields: Mapping[str, Any] = field(default_factory=dict)
    pictures: tuple[Any, ...] = ()

    def text(self, name: str, default: Optional[str] = None) -> str:
        """Give a field that is a text.

        Args:
            name: The field.
            default: What it is where it did not come; None where it has to come.

        Raises:
            InputError: It is missing, or no text.
        """
        value = self.fields.get(name, default)
        if value is None:
            raise InputError(f"the field {name!r} is missing, expected a text")
        if not isinstance(value, str):
            raise InputError(f"the field {name!r} is {type(value).__name__}, expected a text")
        return value

    def flag(self, name: str) -> bool:
        """Give a field that is true or false, false where it did not come; forms send it as a word.

        Raises:
            InputError: It is something else.
        """
        value = self.fields.get(name, False)
        if isinstance(value, str):
            value = _FLAGS.get(value.strip().lower(), value)
        if not isinstance(value, bool):
            raise InputError(f"the field {name!r} is {str(value)[:40]!r}, expected true or false")
        return value

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """Give a field that is a number within bounds; forms send it as a word.

        Raises:
            InputError: It is something else.
        """
        value = self.fields.get(name, default)
        try:
            number = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else math.nan
        except (ValueError, OverflowError):
            number = math.nan
        if not low <= number <= high:
            raise InputError(f"the field {name!r} is {str(value)[:40]!r}, expected a number from {low:g} to {high:g}")
        return number

    def expect(self, *names: str) -> None:
        """Refuse fields of other names.

        Raises:
            InputError: A field is unknown; the message lists those that are taken.
        """
        unknown = sorted(set(self.fields) - set(names))
        if unknown:
            raise InputError(f"the field {unknown[0][:40]!r} is unknown, expected only {', '.join(names) or 'none'}")


class System(Protocol):
    """What a system's class has.

    `TAKES` says which kinds of body its callers may send: `PICTURE` (a picture, or a form of pictures and text fields), `TEXT`,
    `JSON`. `NEEDS` and `OPTIONAL` map the part that a model plays to the name of the bundle that plays it by default.
    `SCHEMA` is the JSON Schema of its JSON body, and each of `EXAMPLES` such a body, by what it shows; both describe the API.
    """

    NAME: ClassVar[str]
    TITLE: ClassVar[str]
    TAKES: ClassVar[tuple[str, ...]]
    NEEDS: ClassVar[Mapping[str, str]]
    OPTIONAL: ClassVar[Mapping[str, str]]
    SCHEMA: ClassVar[Mapping[str, Any]]
    EXAMPLES: ClassVar[Mapping[str, Mapping[str, Any]]]

    @classmethod
    def of(cls, models: Mapping[str, Model], folder: Optional[Path] = None) -> System:
        """Put a system together.

        Args:
            models: By the part that each plays: all of `NEEDS`, of `OPTIONAL` those that are there.
            folder: Where the system may keep what it is told; None where it may keep nothing.

        Raises:
            TandemError: The models do not fit.
        """

    def answer(self, request: Request) -> dict[str, Any]:
        """Answer a request with what JSON can carry; callers may ask from several threads at once.

        Raises:
            InputError: The request does not fit; the message says what was expected.
        """


def find_system(name: str) -> type[System]:
    """Give the class of a system; only now its module is imported.

    Raises:
        UsageError: There is no system of that name.
    """
    if name not in SYSTEMS:
        raise UsageError(f"no system is called {name[:40]!r}; there are {', '.join(sorted(SYSTEMS))}")
    found: type[System] = importlib.import_module(SYSTEMS[name]).SYSTEM
    return found


def open_system(
    name: str, bundles: Optional[Mapping[str, Union[str, Path]]] = None, folder: Optional[Path] = None, **options: Any
) -> System:
    """Open a system with its models, as `Model.open` opens one.

    Args:
        name: One of `SYSTEMS`.
        bundles: Bundles for parts that another model than the default is to play; paths, or names that are looked up.
        folder: Where the system may keep what it is told.
        options: Of `Model.open`, for each model.

    Raises:
        UsageError: There is no such system, or no such part in it.
        TandemError: A model cannot be used; the message says why.
    """
    kind, given = find_system(name), dict(bundles or {})
    unknown = sorted(set(given) - set(kind.NEEDS) - set(kind.OPTIONAL))
    if unknown:
        raise UsageError(f"{name} has no part {unknown[0]!r}; its parts are {', '.join([*kind.NEEDS, *kind.OPTIONAL])}")
    wanted = {**{part: bundle for part, bundle in kind.OPTIONAL.items() if search_path.find(bundle)}, **kind.NEEDS, **given}
    models: dict[str, Model] = {}
    for part, bundle in wanted.items():
        try:
            models[part] = Model.open(bundle, **options)
        except BundleError as error:
            raise type(error)(f"{name} needs a {part}: {error}") from None
    return kind.of(models, folder)
