"""OpenAPI 3.1, generated from the contracts of the models that answer. Every example in it can be sent as it stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edge import __version__, png
from edge.client import TIMEOUT_HEADER
from edge.contract import Contract, Tensor
from edge.detection import DECODERS
from edge.generation import is_generator
from edge.model import Model
from edge.protocol import DATATYPES, HEADER_LENGTH
from edge.systems import System
from serving import openapi_pictures, openapi_systems, openapi_texts
from serving.inputs import CSV_TYPE, takes_pictures, takes_rows, takes_tables, takes_texts
from serving.pictures import gives_picture

JSON, BINARY = "application/json", "application/octet-stream"
MAX_EXAMPLE_VALUES = 4096
_NUMBERS = {"uint8": "integer", "int8": "integer", "int32": "integer", "int64": "integer", "float32": "number", "bool": "boolean"}
_REFUSALS = {
    "400": "The request does not fit; `error` says what came and what was expected.",
    "401": "No bearer token came, or one that nobody has.",
    "403": "A page of another origin may not ask this.",
    "404": "No such model, version or path.",
    "405": "The path does not take that method.",
    "406": "The model gives no answer of a kind that `Accept` names.",
    "408": "The body did not come in time.",
    "413": "The body is larger than the limit.",
    "415": "The content type is not taken.",
    "429": "The queue is full, or one caller asks too often; `Retry-After` says when to try again.",
    "503": "The model is not ready, or the server is stopping; `error` says why.",
    "504": "The deadline cannot be met, or passed before the request could begin.",
}


def document(models: Sequence[Model], max_body_bytes: int, systems: Sequence[type[System]] = ()) -> dict[str, Any]:
    """Describe the whole API.

    Args:
        models: Those that answer; each has its own paths, with its own tensors, labels and examples.
        max_body_bytes: The body limit, for the description.
        systems: Those whose models answer.
    """
    paths: dict[str, Any] = _server_paths()
    for model in models:
        paths.update(_model_paths(model))
    for system in systems:
        paths.update(_system_path(system))
    about = f"Tandem serves released models. Bodies may have {max_body_bytes} bytes. Refusals are JSON with error, reason and request_id."
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tandem", "version": __version__, "description": about},
        "paths": paths,
        "components": {"schemas": _schemas()},
    }


def secured(described: dict[str, Any]) -> dict[str, Any]:
    """Add to a description that every request needs a bearer token."""
    described["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    described["security"] = [{"token": []}]
    for methods in described["paths"].values():
        for operation in methods.values():
            operation["responses"].update(_refusals("401", "429"))
    described["paths"]["/v2/health/live"]["get"]["security"] = []
    return described


def _server_paths() -> dict[str, Any]:
    ready = _get("server", "ready", "Readiness of the server and of each model", {"type": "object"})
    ready["get"]["responses"]["503"] = {"description": "Some model is not ready.", **_json({"type": "object"})}
    metrics = _get("server", "metrics", "Metrics for Prometheus", {"type": "string"})
    metrics["get"]["responses"]["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    wanted = {"type": "object", "properties": {"ready": {"type": "boolean", "description": "whether to list those alone that answer"}}}
    index = _post("server", "repository_index", "Models and their states", {JSON: {"schema": wanted}}, "RepositoryIndex")["post"]
    index["requestBody"]["required"] = False
    index["parameters"] = []
    return {
        "/v2": _get("server", "server", "Metadata of the server", {"type": "object"}),
        "/v2/health/live": _get("server", "live", "Liveness", {"type": "object"}),
        "/v2/health/ready": ready,
        "/v2/models/stats": _get("server", "statistics", "Statistics of every model, in Triton's form", {"type": "object"}),
        "/v2/repository/index": {"post": index},
        "/metrics": metrics,
        "/v1/systems": _get("server", "systems", "Systems of several models, and whether they answer", {"type": "object"}),
    }


def _system_path(system: type[System]) -> dict[str, Any]:
    page = _get(system.NAME, f"page_{system.NAME}", "Its page", {"type": "string"})
    page["get"]["responses"]["200"]["content"] = {"text/html": {"schema": {"type": "string"}}}
    asked = _post(system.NAME, f"ask_{system.NAME}", system.TITLE, openapi_systems.body(system), "SystemAnswer")
    asked["post"]["responses"].update(_refusals("403"))
    return {f"/v1/systems/{system.NAME}": {**page, **asked}}


def _model_paths(model: Model) -> dict[str, Any]:
    contract = model.contract
    name, version = contract.name, contract.version
    paths: dict[str, Any] = {
        f"/predict/{name}": _post(name, f"predict_{name}", contract.description or contract.task, _predict_body(model), "Predictions")
    }
    if gives_picture(contract):
        paths[f"/predict/{name}"]["post"]["responses"]["200"]["content"][png.MEDIA_TYPE] = _png(contract)
    if is_generator(contract):
        paths[f"/generate/{name}"] = _post(name, f"generate_{name}", "A text, token by token", openapi_texts.generate_body(model), "Error")
        paths[f"/generate/{name}"]["post"]["responses"]["200"] = {"description": "A text.", "content": openapi_texts.event_stream()}
    for base, key in ((f"/v2/models/{name}", name), (f"/v2/models/{name}/versions/{version}", f"{name}_{version}")):
        paths[base] = _get(name, f"metadata_{key}", "Metadata: inputs, outputs, versions", {"type": "object"})
        paths[f"{base}/ready"] = _get(name, f"ready_{key}", "Readiness of the model", {"type": "object"})
        paths[f"{base}/config"] = _get(name, f"config_{key}", "Configuration, in Triton's form", {"type": "object"})
        paths[f"{base}/stats"] = _get(name, f"stats_{key}", "Statistics, in Triton's form", {"type": "object"})
        paths[f"{base}/contract"] = _get(name, f"contract_{key}", "The whole contract", {"type": "object"})
        paths[f"{base}/infer"] = _post(name, f"infer_{key}", "V2 inference on tensors, without steps", _infer_body(model), "InferResponse")
        paths[f"{base}/infer"]["post"]["parameters"].append(_header_length())
        paths[f"{base}/infer"]["post"]["responses"]["200"]["content"][BINARY] = {}
    return paths


def _png(contract: Contract) -> dict[str, Any]:
    drawn = any(step.name in DECODERS for step in contract.postprocess)
    what = "the picture that was sent, with the boxes drawn" if drawn else "the picture that the model gives"
    return {"schema": {"type": "string", "contentMediaType": png.MEDIA_TYPE, "description": f"{what}; for Accept: image/png, one input"}}


def _infer_body(model: Model) -> dict[str, Any]:
    graph = model.contract.main
    schema: dict[str, Any] = {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string"},
            "parameters": {"type": "object", "properties": {"binary_data_output": {"type": "boolean"}}},
            "inputs": {"type": "array", "items": {"oneOf": [_tensor_schema(t) for t in graph.inputs]}, "minItems": len(graph.inputs)},
            "outputs": {"type": "array", "items": {"type": "object", "properties": {"name": {"enum": [t.name for t in graph.outputs]}}}},
        },
    }
    content: dict[str, Any] = {"schema": schema}
    inputs = {name: array[:1] for name, array in model.bundle.golden.inputs.items()}
    if sum(array.size for array in inputs.values()) <= MAX_EXAMPLE_VALUES:
        entries = [
            {"name": name, "shape": list(array.shape), "datatype": DATATYPES[array.dtype.name], "data": array.ravel().tolist()}
            for name, array in inputs.items()
        ]
        content["examples"] = {"golden sample": {"value": {"id": "example", "inputs": entries}}}
    if takes_texts(model.contract):
        schema["properties"]["inputs"] = {
            "anyOf": [schema["properties"]["inputs"], {"type": "array", "items": openapi_texts.text_tensor()}]
        }
        content.setdefault("examples", {})["a text"] = {"value": openapi_texts.infer_example(model)}
    return {JSON: content, BINARY: {}}


def _predict_body(model: Model) -> dict[str, Any]:
    contract = model.contract
    if takes_pictures(contract):
        return openapi_pictures.predict_body(contract, _inputs_schema)
    if takes_texts(contract):
        return openapi_texts.predict_body(model)
    rows = {name: array[0] for name, array in model.bundle.golden.inputs.items()}
    content: dict[str, Any] = {"schema": _inputs_schema({"type": "object"} if len(rows) > 1 else {"type": "array"})}
    if contract.preprocess == () and sum(np.size(row) for row in rows.values()) <= MAX_EXAMPLE_VALUES:
        content["examples"] = {"golden sample": {"value": {"instances": [{name: row.tolist() for name, row in rows.items()}]}}}
    found: dict[str, Any] = {JSON: content}
    if takes_tables(contract):
        found[CSV_TYPE] = {
            "schema": {"contentMediaType": CSV_TYPE, "description": "a table of daily prices, columns named in its header line"}
        }
    if takes_rows(contract):
        row = ",".join(map(str, next(iter(rows.values())).tolist()))
        csv = {"type": "string", "description": "one input a line, numbers separated by commas, no header line"}
        found[CSV_TYPE] = {"schema": csv, "examples": {"two lines": {"value": f"{row}\n{row}\n"}}}
    return found


def _inputs_schema(item: dict[str, Any]) -> dict[str, Any]:
    one = {"type": "object", "required": ["inputs"], "properties": {"inputs": item}, "additionalProperties": False}
    instances = {"type": "array", "items": item, "minItems": 1}
    many = {"type": "object", "required": ["instances"], "properties": {"instances": instances}, "additionalProperties": False}
    return {"oneOf": [one, many]}


def _tensor_schema(tensor: Tensor) -> dict[str, Any]:
    shape = [{"const": axis} if isinstance(axis, int) else {"type": "integer", "minimum": 1} for axis in tensor.shape]
    value: dict[str, Any] = {"type": _NUMBERS[tensor.dtype]}
    if tensor.range is not None:
        value.update(minimum=tensor.range[0], maximum=tensor.range[1])
    return {
        "type": "object",
        "description": tensor.meaning or tensor.name,
        "required": ["name", "shape", "datatype"],
        "properties": {
            "name": {"const": tensor.name},
            "datatype": {"const": DATATYPES[tensor.dtype]},
            "shape": {"type": "array", "prefixItems": shape, "minItems": len(shape), "maxItems": len(shape)},
            "parameters": {"type": "object", "properties": {"binary_data_size": {"type": "integer", "minimum": 0}}},
            "data": {"type": "array", "items": {"anyOf": [value, {"type": "array"}]}, "description": "flat, or nested as the shape"},
        },
    }


def _schemas() -> dict[str, Any]:
    text, number, whole = {"type": "string"}, {"type": "number"}, {"type": "integer"}
    ranked = {"type": "object", "properties": {"label": text, "index": whole, "score": number}}
    corners = {"type": "array", "items": number, "description": "left, top, right, bottom, in pixels of the picture that was sent, upright"}
    box = {"type": "object", "properties": {"label": text, "index": whole, "score": number, "box": corners}}
    lists = {"ranking": {"type": "array", "items": ranked}, "boxes": {"type": "array", "items": box}}
    picture = {"image": {"type": "string", "contentEncoding": "base64", "contentMediaType": png.MEDIA_TYPE}, "media_type": text}
    prediction = {"type": "object", "properties": {"label": text, "score": number, **lists, **picture, "result": {}}}
    sizes = {"type": "array", "items": whole}
    output = {
        "type": "object",
        "properties": {"name": text, "datatype": text, "shape": sizes, "data": {"type": "array"}, "parameters": {"type": "object"}},
    }
    outputs = {"type": "array", "items": output}
    predictions = {"type": "array", "items": prediction}
    state = _record({"name": text, "version": text, "state": text, "reason": text})
    return {
        "RepositoryIndex": {"type": "array", "items": state},
        "Error": _record({"error": text, "reason": text, "request_id": text}),
        "SystemAnswer": {"type": "object"},
        "Predictions": _record({"model": text, "version": text, "predictions": predictions}),
        "InferResponse": {
            **_record({"model_name": text, "model_version": text, "outputs": outputs}),
            "description": "repeats `id` where one came",
        },
    }


def _record(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _get(tag: str, operation: str, summary: str, schema: dict[str, Any]) -> dict[str, Any]:
    responses: dict[str, Any] = {"200": {"description": "The answer.", **_json(schema)}}
    if tag != "server":
        responses.update(_refusals("404", "503"))
    return {"get": {"tags": [tag], "operationId": operation, "summary": summary, "responses": responses}}


def _post(tag: str, operation: str, summary: str, content: dict[str, Any], answer: str) -> dict[str, Any]:
    refusals = _refusals(*(code for code in _REFUSALS if code not in ("401", "403")))
    responses = {"200": {"description": "The answer.", **_json({"$ref": f"#/components/schemas/{answer}"})}, **refusals}
    body = {"required": True, "content": content}
    described = {"tags": [tag], "operationId": operation, "summary": summary, "parameters": [_deadline()]}
    return {"post": {**described, "requestBody": body, "responses": responses}}


def _refusals(*codes: str) -> dict[str, Any]:
    return {code: {"description": _REFUSALS[code], **_json({"$ref": "#/components/schemas/Error"})} for code in codes}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {JSON: {"schema": schema}}}


def _header_length() -> dict[str, Any]:
    text = "Length of the JSON part in bytes, where binary tensors follow it."
    return {"name": HEADER_LENGTH, "in": "header", "required": False, "description": text, "schema": {"type": "integer", "minimum": 1}}


def _deadline() -> dict[str, Any]:
    text = "Milliseconds after which the answer is of no use; the server caps them."
    return {"name": TIMEOUT_HEADER, "in": "header", "required": False, "description": text, "schema": {"type": "integer", "minimum": 1}}
