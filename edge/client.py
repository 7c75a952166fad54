"""A client of a Tandem server, or of any that speaks V2: numpy in, numpy out, over the standard library's HTTP.

with Client("http://127.0.0.1:3000") as client:
client.predict("mnist_cnn", Path("seven.png"))[0]["label"]
client.infer("mnist_cnn", {"image": pixels}).outputs["logits"]
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Optional, Union
from urllib.parse import quote, urlsplit

import numpy as np

from edge.contract import Contract, loads
from edge.errors import InputError, RemoteError, UsageError
from edge.json_tensors import dumps, parse
from edge.protocol import HEADER_LENGTH, InferResponse, decode_response, encode_request

Array = np.ndarray[Any, Any]
TIMEOUT_HEADER = "X-Request-Timeout-Ms"
_GONE = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)
_Answer = tuple[http.client.HTTPResponse, bytes]


class Client:
    """One kept connection, for one thread at a time; it is opened at the first request, and again when the server has closed it."""

    def __init__(self, url: str, *, timeout: float = 30.0) -> None:
        """Keep where the server is.

        Args:
            url: Its address, such as `http://127.0.0.1:3000`; a path before the routes is kept.
            timeout: Seconds to wait for the connection and for each part of an answer.

        Raises:
            UsageError: The address cannot be used.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"the server's address is {url!r}, expected one such as http://127.0.0.1:3000")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname, parts.port, timeout=timeout)
        self._url, self._prefix = url, parts.path.rstrip("/")

    def live(self) -> bool:
        """Tell whether the server answers at all."""
        return self._health("/v2/health/live")

    def ready(self, model: Optional[str] = None) -> bool:
        """Tell whether the server, or one model, is ready."""
        return self._health(f"{_path(model, None)}/ready" if model else "/v2/health/ready")

    def server(self) -> dict[str, Any]:
        """Give the server's metadata."""
        found: dict[str, Any] = self._json("GET", "/v2")
        return found

    def models(self) -> list[dict[str, Any]]:
        """List the models with version, state and the reason where one is not ready."""
        found: list[dict[str, Any]] = self._json("POST", "/v2/repository/index", b"{}")
        return found

    def metadata(self, model: str, version: Optional[str] = None) -> dict[str, Any]:
        """Give a model's tensors and versions in V2's terms."""
        found: dict[str, Any] = self._json("GET", _path(model, version))
        return found

    def contract(self, model: str, version: Optional[str] = None) -> Contract:
        """Give a model's whole contract."""
        _, body = self._ask("GET", f"{_path(model, version)}/contract")
        return loads(body, f"{self._url}: contract of {model}")

    def infer(
        self,
        model: str,
        inputs: Mapping[str, Array],
        *,
        version: Optional[str] = None,
        outputs: Optional[Sequence[str]] = None,
        binary: bool = True,
        id: Optional[str] = None,
        deadline_ms: Optional[int] = None,
    ) -> InferResponse:
        """Run a model on tensors, without steps.

        Args:
            model: Its name.
            inputs: (N, …) arrays by tensor name, of the contract's dtypes.
            version: Which version; the newest that is served where it is None.
            outputs: Names of the outputs wanted; all where it is None.
            binary: Whether tensors travel as raw bytes.
            id: An identifier that the answer repeats.
            deadline_ms: After which the answer is of no use any more.

        Raises:
            RemoteError: The server refuses, or cannot be reached.
            InputError: The inputs cannot be written, or the answer cannot be read.
        """
        message = encode_request(inputs, outputs=outputs, binary=binary, id=id)
        response, body = self._ask("POST", f"{_path(model, version)}/infer", message.body, {**message.headers, **_deadline(deadline_ms)})
        return decode_response(body, response.getheader(HEADER_LENGTH))

    def predict(self, model: str, value: Any, *, deadline_ms: Optional[int] = None) -> list[dict[str, Any]]:
        """Answer one input as a caller has it, or several; steps are done by the server.

        Args:
            model: Its name.
            value: A picture's bytes or path, a text, an array or nested lists (one input or a batch), or a mapping of tensor name to row.
            deadline_ms: After which the answer is of no use any more.

        Returns:
            One mapping for each input: `label`, `score` and `ranking`, or `result`.

        Raises:
            RemoteError: The server refuses, or cannot be reached.
            InputError: The value cannot be sent.
        """
        if isinstance(value, Path):
            value = _read(value)
        if isinstance(value, (bytes, bytearray, memoryview)):
            body, kind = bytes(value), "application/octet-stream"
        else:
            body, kind = dumps({"inputs": _plain(value)}), "application/json"
        answer = self._json("POST", f"/predict/{quote(model, safe='')}", body, {"Content-Type": kind, **_deadline(deadline_ms)})
        predictions: list[dict[str, Any]] = answer["predictions"]
        return predictions

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Client:
        """Give the client itself."""
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        """Close the connection."""
        self.close()

    def _health(self, path: str) -> bool:
        try:
            self._ask("GET", path)
        except RemoteError:
            return False
        return True

    def _json(self, method: str, path: str, body: Optional[bytes] = None, headers: Optional[Mapping[str, str]] = None) -> Any:
        return parse(self._ask(method, path, body, headers)[1], f"{self._url}: the answer of {path}")

    def _ask(self, method: str, path: str, body: Optional[bytes] = None, headers: Optional[Mapping[str, str]] = None) -> _Answer:
        """Send a request and read the whole answer; only what the server accepted comes back."""
        kept = self._connection.sock is not None
        try:
            try:
                response, content = self._send(method, path, body, headers)
            except _GONE:
                if not kept:
                    raise
                response, content = self._send(method, path, body, headers)  # the server had closed the kept connection meanwhile
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            reason = str(error) or type(error).__name__
            raise RemoteError(f"{self._url} cannot be reached ({reason}); check the address, and that the server runs") from None
        if response.status >= 400:
            raise _refused(f"{self._url}{path}", response, content)
        return response, content

    def _send(self, method: str, path: str, body: Optional[bytes], headers: Optional[Mapping[str, str]]) -> _Answer:
        try:
            self._connection.request(method, self._prefix + path, body, dict(headers or {}))
            response = self._connection.getresponse()
            return response, response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise


def _refused(where: str, response: http.client.HTTPResponse, content: bytes) -> RemoteError:
    """Make an error of a refusal: ours have words and a reason, those of others at least a status."""
    try:
        document = json.loads(content)
        words, reason = str(document["error"]), str(document.get("reason", ""))
    except (ValueError, TypeError, KeyError, AttributeError):
        words, reason = response.reason or "no words", ""
    retry = response.getheader("Retry-After", "")
    seconds = int(retry) if retry.isdigit() else None
    return RemoteError(f"{where} answers {response.status}: {words}", status=response.status, remote_reason=reason, retry_after=seconds)


def _path(model: str, version: Optional[str]) -> str:
    path = f"/v2/models/{quote(model, safe='')}"
    return path if version is None else f"{path}/versions/{quote(version, safe='')}"


def _deadline(milliseconds: Optional[int]) -> dict[str, str]:
    return {} if milliseconds is None else {TIMEOUT_HEADER: str(milliseconds)}


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
