"""The parts of the OpenAPI document for systems; every example can be sent as it stands."""

from __future__ import annotations

from typing import Any

from edge.systems import JSON, PICTURE, TEXT, System
from serving.bodies import FORM_TYPE, JSON_TYPES
from serving.inputs import TEXT_TYPE


def body(system: type[System]) -> dict[str, Any]:
    """Describe the body of a request to a system, by content type."""
    content: dict[str, Any] = {}
    if JSON in system.TAKES:
        examples = {name: {"value": dict(value)} for name, value in system.EXAMPLES.items()}
        content[JSON_TYPES[0]] = {"schema": dict(system.SCHEMA), **({"examples": examples} if examples else {})}
    if TEXT in system.TAKES:
        content[TEXT_TYPE] = {"schema": {"type": "string"}}
    if PICTURE in system.TAKES:
        picture = {"type": "string", "contentMediaType": "image/*"}
        content[FORM_TYPE] = {"schema": {"type": "object", "properties": {"image": picture}, "additionalProperties": {"type": "string"}}}
        content["image/*"] = {"schema": {"description": "an encoded picture"}}
    return content
