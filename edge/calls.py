"""What both clients say and understand: requests as plain data, refusals as errors, streams as tokens. Nothing here uses a network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional, Union
from urllib.parse import quote, urlsplit

import numpy as np

from edge.errors import InputError, RemoteError, UsageError
from edge.generation import Order, Piece
from edge.json_tensors import dumps, parse
from edge.protocol import encode_request
from edge.steps.options import Chosen

Array = np.ndarray[Any, Any]
TIMEOUT_HEADER = "X-Request-Timeout-Ms"
INDEX = "/v2/repository/index"


@dataclass(frozen=True)
class Call:
    """One request, without the server's address."""

    method: str
    path: str
    body: Optional[bytes] = None
    headers: Mapping[str, str] = field(default_factory=dict)


def check_url(url: str) -> str:
    """Give the path before the routes, of a server's address.

    Raises:
        UsageError: The address cannot be used.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0  # reading the port checks it
    except ValueError:
        good = False
    if not good:
        raise UsageError(f"the server's address is {url!r}, expected one such as http://127.0.0.1:3000")
    return parts.path.rstrip("/")


def model_path(model: str, version: Optional[str] = None) -> str:
    """Give a model's path in V2."""
    path = f"/v2/models/{quote(model, safe='')}"
    return path if version is None else f"{path}/versions/{quote(version, safe='')}"


def infer(
    model: str,
    inputs: Mapping[str, Array],
    version: Optional[str],
    outputs: Optional[Sequence[str]],
    binary: bool,
    id: Optional[str],
    deadline_ms: Optional[int],
) -> Call:
    """Ask for a model's outputs; see `Client.infer`.

    Raises:
        InputError: The inputs cannot be written.
    """
    message = encode_request(inputs, outputs=outputs, binary=binary, id=id)
    return Call("POST", f"{model_path(model, version)}/infer", message.body, {**message.headers, **_deadline(deadline_ms)})


def predict(model: str, value: Any, deadline_ms: Optional[int]) -> Call:
    """Ask for answers to what a caller has, or to `Chosen`, that and the options beside it; see `Client.predict`.

    Raises:
        InputError: The value cannot be sent.
    """
    value, options = (value.value, value.options) if isinstance(value, Chosen) else (value, {})
    if isinstance(value, Path):
        value = _read(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        body, kind = _form(bytes(value), options) if options else (bytes(value), "application/octet-stream")
    else:
        beside = {"options": {name: _plain(item) for name, item in options.items()}} if options else {}
        body, kind = dumps({"inputs": _plain(value), **beside}), "application/json"
    return Call("POST", f"/predict/{quote(model, safe='')}", body, {"Content-Type": kind, **_deadline(deadline_ms)})


def generate(model: str, prompt: str, length: int, temperature: float, top_k: int, seed: Optional[int], deadline_ms: Optional[int]) -> Call:
    """Ask for a text; see `Client.generate`.

    Raises:
        InputError: A value is out of bounds.
    """
    order = Order.of(prompt, length, temperature, top_k, seed)
    fields = {"prompt": prompt, "length": length, "temperature": temperature, "top_k": top_k, "seed": order.sampling.seed}
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream", **_deadline(deadline_ms)}
    return Call("POST", f"/generate/{quote(model, safe='')}", dumps(fields), headers)


def refused(where: str, status: int, content: bytes, headers: Mapping[str, str], words: str = "") -> RemoteError:
    """Make an error of a refusal: ours have words and a reason, those of others at least a status.

    Args:
        where: The address that was asked.
        status: The HTTP status.
        content: The whole body.
        headers: Of the answer, however their names are written.
        words: What stands beside the status, for servers that say no more.
    """
    try:
        document = json.loads(content)
        words, reason = str(document["error"]), str(document.get("reason", ""))
    except (ValueError, TypeError, KeyError, AttributeError):
        words, reason = words or "no words", ""
    retry = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    seconds = int(retry) if retry.isdigit() else None
    return RemoteError(f"{where} answers {status}: {words}", status=status, remote_reason=reason, retry_after=seconds)


def unreachable(url: str, error: Exception) -> RemoteError:
    """Make an error of a server that does not answer."""
    return RemoteError(f"{url} cannot be reached ({str(error) or type(error).__name__}); check the address, and that the server runs")


class Events:
    """Reads a stream of tokens line by line."""

    def __init__(self, where: str) -> None:
        """Begin a stream; `where` is for messages."""
        self.where, self.done = where, False
        self._kind, self._id, self._data = "", "", ""

    def feed(self, line: str) -> Iterator[Piece]:
        """Take one line, without its end; gives a token where it ends an event that is one.

        Raises:
            RemoteError: The server says in the stream that it failed.
            InputError: The event cannot be read.
        """
        name, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if name == "event":
            self._kind = value
        elif name == "id":
            self._id = value
        elif name == "data":
            self._data += value
        elif not line and self._data:
            yield from self._event()
            self._kind, self._id, self._data = "", "", ""

    def finish(self) -> None:
        """Refuse a stream that ended before its last event.

        Raises:
            RemoteError: It was cut off.
        """
        if not self.done:
            raise RemoteError(f"{self.where}: the text was cut off before its end; send the request again")

    def _event(self) -> Iterator[Piece]:
        if self._kind == "error":
            raise refused(self.where, 200, self._data.encode(), {})
        if self._kind == "done":
            self.done = True
            return
        data = parse(self._data.encode(), self.where)
        try:
            yield Piece(int(self._id), int(data["token"]), str(data["text"]))
        except (ValueError, TypeError, KeyError):
            raise InputError(f"{self.where}: an event is {self._data[:80]!r}, expected a token and its text") from None


def _deadline(milliseconds: Optional[int]) -> dict[str, str]:
    return {} if milliseconds is None else {TIMEOUT_HEADER: str(milliseconds)}


def _form(picture: bytes, options: Mapping[str, Any]) -> tuple[bytes, str]:
    """Write a picture and options as a form; give it with its content type.

    Raises:
        InputError: An option is neither a name nor a number, which is all that a form can hold.
    """
    boundary = hashlib.sha256(picture).hexdigest()
    parts = [("image", picture)]
    for name, item in options.items():
        if not isinstance(item, (str, int, float)) or not name.isidentifier():
            raise InputError(f"option {name[:80]!r} is {type(item).__name__}, expected a name or a number beside an encoded picture")
        parts.append((name, str(item).encode()))
    head = '--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n'
    body = b"".join((head % (boundary, name)).encode() + content + b"\r\n" for name, content in parts)
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


def _plain(value: Union[Array, Mapping[str, Any], Any]) -> Any:
    """Turn arrays, alone or in a mapping, into nested lists."""
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
