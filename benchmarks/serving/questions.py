"""What is asked: the same pictures for every server, in the form that it takes, as whole HTTP requests with their right answers."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from edge.protocol import encode_request

Array = np.ndarray[Any, Any]
RAW, JSON, JPEG = "binary", "json", "jpeg"
BOUNDARY = "tandem-bench"
Body = tuple[str, bytes, Mapping[str, str]]


@dataclass(frozen=True)
class Question:
    """A (1, …) uint8 input of a model, a JPEG where it takes pictures, and the logits and the best label that are right."""

    model: str
    image: Array
    jpeg: bytes
    logits: Array
    label: str

    def answered_by(self, kind: str, body: bytes) -> bool:
        """Tell whether an answer is right: the logits at the end of the bytes or among the numbers, or the label in the words."""
        if kind == JPEG:
            return self.label.encode() in body
        size = self.logits.shape[1]
        if kind == RAW and len(body) >= 4 * size and self._close(np.frombuffer(body[-4 * size :], "<f4")):
            return True
        try:
            found = np.array(numbers(json.loads(body)))
        except ValueError:
            return False
        return any(self._close(found[i : i + size]) for i in range(len(found) - size + 1))

    def _close(self, logits: Array) -> bool:
        return bool(np.allclose(logits, self.logits[0], rtol=1e-3, atol=1e-3))


def numbers(value: Any) -> list[float]:
    """List the numbers of parsed JSON, in order."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for entry in value for number in numbers(entry)]
    return [float(value)] if isinstance(value, int | float) and not isinstance(value, bool) else []


def picture(height: int = 375, width: int = 500) -> bytes:
    """Make a JPEG with the coarse and fine detail of a photograph, always the same."""
    draw = np.random.default_rng(5)
    layers = [draw.integers(0, 256, (size, size, 3), dtype=np.uint8) for size in (3, 12, 48, 190)]
    sized = [np.asarray(Image.fromarray(layer).resize((width, height), Image.Resampling.BICUBIC), np.float32) for layer in layers]
    pixels = sum(weight * layer for weight, layer in zip((0.55, 0.25, 0.12, 0.08), sized, strict=True))
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(pixels).astype(np.uint8)).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def plain(question: Question, kind: str) -> Body:
    """Write the body as it is, for servers that leave the form to their user."""
    if kind == JSON:
        return "/infer", _json(question), {"Content-Type": "application/json"}
    if kind == JPEG:
        return "/infer", question.jpeg, {"Content-Type": "image/jpeg"}
    return "/infer", question.image.tobytes(), {"Content-Type": "application/octet-stream"}


def typed(question: Question, kind: str) -> Body:
    """As `plain`, with a route of its own for JSON."""
    path, body, headers = plain(question, kind)
    return ("/json" if kind == JSON else path), body, headers


def tandem(question: Question, kind: str) -> Body:
    """Open Inference Protocol v2, in JSON or with binary tensors; pictures go to `/predict`."""
    if kind == JPEG:
        return f"/predict/{question.model}", question.jpeg, {"Content-Type": "image/jpeg"}
    message = encode_request({"image": question.image}, binary=kind == RAW)
    return f"/v2/models/{question.model}/infer", message.body, message.headers


def mlserver(question: Question, kind: str) -> Body:
    """Open Inference Protocol v2 in JSON: MLServer takes bytes over HTTP as base64."""
    content = question.jpeg if kind == JPEG else question.image.tobytes()
    entry: dict[str, Any] = {"name": kind, "datatype": "BYTES", "shape": [1], "data": [base64.b64encode(content).decode()]}
    entry["parameters"] = {"content_type": "base64"}
    if kind == JSON:
        shape = list(question.image.shape)
        entry = {"name": "image", "datatype": "UINT8", "shape": shape, "data": question.image.reshape(-1).tolist()}
    body = json.dumps({"inputs": [entry]}, separators=(",", ":")).encode()
    return f"/v2/models/{question.model}/infer", body, {"Content-Type": "application/json"}


def litserve(question: Question, kind: str) -> Body:
    """JSON, or a form with a file."""
    if kind == JSON:
        return plain(question, kind)
    return _form("/infer", "content", question.jpeg if kind == JPEG else question.image.tobytes())


def bentoml(question: Question, kind: str) -> Body:
    """JSON to an API of arrays, a form with a picture to one of pictures, raw bytes to a mounted application."""
    if kind == JSON:
        return "/arrays", _json(question), {"Content-Type": "application/json"}
    if kind == JPEG:
        return _form("/pictures", "image", question.jpeg, "image/jpeg")
    return "/raw/infer", question.image.tobytes(), {"Content-Type": "application/octet-stream"}


def _json(question: Question) -> bytes:
    """Write the pixels in one flat list, which every server reads soonest."""
    return json.dumps({"inputs": question.image.reshape(-1).tolist()}, separators=(",", ":")).encode()


def _form(path: str, field: str, content: bytes, media_type: str = "application/octet-stream") -> Body:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="{field}"\r\nContent-Type: {media_type}\r\n\r\n'
    body = head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
    return path, body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


Dialect = Callable[[Question, str], Body]


def request(body: Body, **extra: str) -> bytes:
    """Write a whole HTTP request."""
    path, content, headers = body
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in {**headers, **extra}.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content
