"""Frozen dataclasses from JSON and back, strictly; and the JSON Schema of a dataclass.

A document from outside is refused with the path of the field at fault (`graphs[0].inputs[1].dtype`), what
came and what was expected. Unknown fields are refused, so a misspelt name never becomes a default.
Supported annotations: dataclasses, `str`, `int`, `float`, `bool`, `Any`, `Literal`, `Optional`, `Union`,
`tuple[T, ...]`, `tuple[A, B]`, `Mapping[str, T]`, and classes with `from_json`/`to_json`/`json_schema`.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping as AbstractMapping
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from edge.errors import ContractError

T = TypeVar("T")
_SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean"}


def decode(cls: type[T], value: Any, path: str = "") -> T:
    """Build a dataclass from parsed JSON.

    Args:
        cls: The dataclass to build.
        value: What `json.loads` gave.
        path: Where the value stands in its document, for messages.

    Returns:
        An instance of `cls`; its own `__post_init__` has checked it.

    Raises:
        ContractError: A field is missing, unknown or of another type; the message names it.
    """
    return cast("T", _decode_class(cls, value, path))


def encode(value: Any) -> Any:
    """Turn a dataclass into what `json.dumps` takes; the inverse of `decode`."""
    if hasattr(value, "to_json"):
        return value.to_json()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, AbstractMapping):
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    return value


def json_schema(cls: type) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a dataclass, nested classes in `$defs`."""
    definitions: dict[str, Any] = {}
    root = _schema_of(cls, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": cls.__name__,
        **root,
        "$defs": dict(sorted(definitions.items())),
    }


def read_json(text: str | bytes, where: str) -> Any:
    """Parse a document, in which no key may stand twice.

    Raises:
        ContractError: It is not JSON, or a key stands twice; the message names the document.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            twice = next(key for i, (key, _) in enumerate(pairs) if key in dict(pairs[:i]))
            raise ContractError(f"{where}: {twice!r} stands twice in one object; remove one of them")
        return found

    try:
        return json.loads(text, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise ContractError(f"{where}: not valid JSON ({error})") from None


def refuse(path: str, came: Any, expected: str) -> ContractError:
    """Make the error for one field: where, what came, what was expected."""
    shown = repr(came)
    return ContractError(f"{path or 'document'} is {shown if len(shown) <= 80 else shown[:77] + '...'}, expected {expected}")


def _decode_class(cls: Any, value: Any, path: str) -> Any:
    if hasattr(cls, "from_json"):
        return cls.from_json(value, path)
    if not isinstance(value, dict):
        raise refuse(path, value, "an object")
    hints = get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls)}
    unknown = sorted(set(value) - set(fields))
    if unknown:
        raise ContractError(f"{_join(path, unknown[0])} is not a known field; known here: {', '.join(fields)}")
    arguments = {}
    for name, field in fields.items():
        if name in value:
            arguments[name] = _decode_value(hints[name], value[name], _join(path, name))
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ContractError(f"{_join(path, name)} is missing")
    try:
        return cls(**arguments)
    except ContractError as error:
        raise ContractError(f"{path}: {error}" if path else str(error)) from None


def _decode_value(hint: Any, value: Any, path: str) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin is Union:
        return _decode_union(args, value, path)
    if origin is Literal:
        if value not in args or isinstance(value, bool) != isinstance(args[0], bool):
            raise refuse(path, value, "one of " + ", ".join(map(str, args)))
        return value
    if origin is tuple:
        return _decode_tuple(args, value, path)
    if origin is AbstractMapping:
        if not isinstance(value, dict):
            raise refuse(path, value, "an object")
        return {key: _decode_value(args[1], item, _join(path, key)) for key, item in value.items()}
    if hint in _SCALARS:
        return _decode_scalar(hint, value, path)
    return _decode_class(hint, value, path)


def _decode_union(args: tuple[Any, ...], value: Any, path: str) -> Any:
    if value is None and type(None) in args:
        return None
    choices = [a for a in args if a is not type(None)]
    for choice in choices[:-1]:
        try:
            return _decode_value(choice, value, path)
        except ContractError:
            continue
    return _decode_value(choices[-1], value, path)


def _decode_tuple(args: tuple[Any, ...], value: Any, path: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise refuse(path, value, "a list")
    if args[-1] is Ellipsis:
        return tuple(_decode_value(args[0], item, f"{path}[{i}]") for i, item in enumerate(value))
    if len(value) != len(args):
        raise refuse(path, value, f"a list of {len(args)}")
    return tuple(_decode_value(arg, item, f"{path}[{i}]") for i, (arg, item) in enumerate(zip(args, value)))


def _decode_scalar(hint: Any, value: Any, path: str) -> Any:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            value = float(value)
        except OverflowError:
            raise refuse(path, value, "a finite number") from None
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        article = "an" if _SCALARS[hint][0] in "aeiou" else "a"
        raise refuse(path, value, f"{article} {_SCALARS[hint]}")
    if isinstance(value, float) and not math.isfinite(value):
        raise refuse(path, value, "a finite number")
    return value


def _schema_of(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        return {}
    if hint is type(None):
        return {"type": "null"}
    if hint in _SCALARS:
        return {"type": _SCALARS[hint]}
    if origin is Literal:
        return {"enum": list(args)}
    if origin is Union:
        return {"anyOf": [_schema_of(arg, definitions) for arg in args]}
    if origin is tuple and args[-1] is Ellipsis:
        return {"type": "array", "items": _schema_of(args[0], definitions)}
    if origin is tuple:
        items = [_schema_of(arg, definitions) for arg in args]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
    if origin is AbstractMapping:
        return {"type": "object", "additionalProperties": _schema_of(args[1], definitions)}
    return _schema_of_class(hint, definitions)


def _schema_of_class(cls: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if cls.__name__ not in definitions:
        definitions[cls.__name__] = {}
        if hasattr(cls, "json_schema"):
            definitions[cls.__name__] = cls.json_schema()
        else:
            definitions[cls.__name__] = _schema_of_fields(cls, definitions)
    return {"$ref": f"#/$defs/{cls.__name__}"}


def _schema_of_fields(cls: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    hints, required, properties = get_type_hints(cls), [], {}
    for field in dataclasses.fields(cls):
        properties[field.name] = _schema_of(hints[field.name], definitions)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            required.append(field.name)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
