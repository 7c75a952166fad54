"""The parts of the OpenAPI document for models that take pictures, with what can be chosen beside them; every example can be sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edge.contract import Contract
from edge.steps import options_of
from edge.steps.options import Option

JSON, BINARY, FORM = "application/json", "application/octet-stream", "multipart/form-data"
Schema = dict[str, Any]


def predict_body(contract: Contract, inputs_schema: Callable[[Schema], Schema]) -> Schema:
    """Describe the body of a predict request: JSON, a form, or an encoded picture.

    Args:
        contract: The model's.
        inputs_schema: Makes the JSON body's schema of that of one input.
    """
    options = {option.name: option_schema(option) for option in options_of(contract)}
    pixels = {"type": "array", "description": "[height][width], or [height][width][channels], of 0 to 255"}
    picture = {"type": "string", "contentMediaType": "image/*"}
    images = {"type": "array", "items": picture, "description": "one picture or several"}
    return {
        JSON: {"schema": _with_options(inputs_schema(pixels), options), "examples": _examples(options)},
        FORM: {"schema": {"type": "object", "properties": {"image": images, **options}}},
        "image/*": {"schema": {"description": f"an encoded picture, for {contract.name}"}},
        BINARY: {"schema": {"description": "an encoded picture"}},
    }


def option_schema(option: Option) -> Schema:
    """Describe an option: its names, or the ends of its number, and what holds where it is left out."""
    if option.names:
        return {"type": "string", "enum": list(option.names), "default": option.default}
    return {"type": "number", "minimum": option.low, "maximum": option.high, "default": option.default}


def _with_options(schema: Schema, options: Schema) -> Schema:
    """Let both forms of a JSON body have options; a name may also be as many numbers as it stands for."""
    if not options:
        return schema
    numbers = {"type": "array", "items": {"type": "number"}}
    loose = {name: {"oneOf": [one, numbers]} if "enum" in one else one for name, one in options.items()}
    beside = {"type": "object", "properties": loose, "additionalProperties": False}
    return {"oneOf": [{**form, "properties": {**form["properties"], "options": beside}} for form in schema["oneOf"]]}


def _examples(options: Schema) -> Schema:
    checks = [[255 * ((row // 2 + column // 2) % 2) for column in range(8)] for row in range(8)]
    chosen = {"options": {name: one["default"] for name, one in options.items()}} if options else {}
    return {
        "one small picture": {"value": {"inputs": checks, **chosen}},
        "two pictures": {"value": {"instances": [checks, [row[::-1] for row in checks]], **chosen}},
    }
