"""The parts of the OpenAPI document for models that take texts and models that write them; every example can be sent as it stands."""

from __future__ import annotations

from typing import Any

from edge.generation import DEFAULT_LENGTH, MAX_LENGTH
from edge.model import Model
from edge.sampling import MAX_SEED, MAX_TEMPERATURE
from edge.wire_texts import BYTES
from serving.generating import MEDIA_TYPE

JSON, PLAIN = "application/json", "text/plain"
MAX_EXAMPLE_CHARACTERS = 400


def example_text(model: Model) -> str:
    """Give a text that the model takes: one of its golden ones, where it has short ones."""
    golden = [str(raw) for raw in model.bundle.golden.raw if raw.ndim == 0 and raw.dtype.kind == "U"]
    return next((text for text in golden if len(text) <= MAX_EXAMPLE_CHARACTERS), "an example")


def predict_body(model: Model) -> dict[str, Any]:
    """Describe the body of a predict request to a model that takes texts."""
    text = example_text(model)
    several = {"type": "array", "items": {"type": "string"}, "minItems": 1}
    one = {"type": "object", "required": ["inputs"], "properties": {"inputs": {"oneOf": [{"type": "string"}, several]}}}
    many = {"type": "object", "required": ["instances"], "properties": {"instances": several}}
    bodies = [{**body, "additionalProperties": False} for body in (one, many)]
    examples = {
        "one text": {"value": {"inputs": text}},
        "two texts": {"value": {"instances": [text, text]}},
    }
    plain = {"schema": {"type": "string", "description": "one text"}, "examples": {"one text": {"value": text}}}
    return {JSON: {"schema": {"oneOf": bodies}, "examples": examples}, PLAIN: plain}


def text_tensor() -> dict[str, Any]:
    """Describe the tensor of texts that V2 inference takes in the place of a model's inputs."""
    shape = {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1, "maxItems": 2}
    return {
        "type": "object",
        "description": "texts, from which the server makes the inputs; alone, and of any name",
        "required": ["name", "shape", "datatype"],
        "properties": {
            "name": {"type": "string"},
            "datatype": {"const": BYTES},
            "shape": shape,
            "parameters": {"type": "object", "properties": {"binary_data_size": {"type": "integer", "minimum": 0}}},
            "data": {"type": "array", "items": {"type": "string"}},
        },
    }


def infer_example(model: Model) -> dict[str, Any]:
    """Give a V2 request that holds a text."""
    return {"inputs": [{"name": "text", "datatype": BYTES, "shape": [1], "data": [example_text(model)]}]}


def generate_body(model: Model) -> dict[str, Any]:
    """Describe the body of a request for a text."""
    contract = model.contract
    first = next((label for label in contract.labels if label.strip()), contract.labels[0])
    properties = {
        "prompt": {"type": "string", "description": "what the text begins with; the model must know each of its signs"},
        "length": {"type": "integer", "minimum": 1, "maximum": MAX_LENGTH, "default": DEFAULT_LENGTH},
        "temperature": {"type": "number", "minimum": 0, "maximum": MAX_TEMPERATURE, "default": 1.0},
        "top_k": {"type": "integer", "minimum": 0, "default": 0, "description": "0 for all"},
        "seed": {"type": "integer", "minimum": 0, "maximum": MAX_SEED, "description": "by chance where it is missing"},
    }
    schema = {"type": "object", "required": ["prompt"], "properties": properties, "additionalProperties": False}
    value = {"prompt": first, "length": 8, "temperature": 0.8, "seed": 1}
    return {JSON: {"schema": schema, "examples": {"eight tokens": {"value": value}}}}


def event_stream() -> dict[str, Any]:
    """Describe the answer to a request for a text."""
    text = (
        "Server-sent events: for each token one with an id and {token, text}; at the end `done` with reason, tokens, seed, model and "
        "version, or `error` with error, reason and request_id."
    )
    return {MEDIA_TYPE: {"schema": {"type": "string", "description": text}}}
