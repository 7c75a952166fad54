"""A client of a Tandem server, or of any that speaks V2: numpy in, numpy out, over the standard library's HTTP.

with Client("http://127.0.0.1:3000") as client:
client.predict("mnist_cnn", Path("seven.png"))[0]["label"]
client.infer("mnist_cnn", {"image": pixels}).outputs["logits"]
"""

from __future__ import annotations

import http.client
import select
import socket
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Optional
from urllib.parse import urlsplit

import numpy as np

from edge import calls
from edge.calls import TIMEOUT_HEADER, Call, Events
from edge.contract import Contract, loads
from edge.errors import RemoteError, UsageError
from edge.generation import DEFAULT_LENGTH, Piece
from edge.json_tensors import parse
from edge.protocol import HEADER_LENGTH, InferResponse, decode_response
from edge.tls import Tls

__all__ = ["TIMEOUT_HEADER", "Client"]
Array = np.ndarray[Any, Any]
_GONE = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)
_FAILED = (OSError, http.client.HTTPException, UnicodeError)  # the last: of a host's name that no name server could be asked for
_Answer = tuple[http.client.HTTPResponse, bytes]


class Client:
    """One kept connection, for one thread at a time; it is opened at the first request, and again when the server has closed it."""

    def __init__(
        self, url: str, *, timeout: float = 30.0, token: Optional[str] = None, resend: bool = True, tls: Optional[Tls] = None
    ) -> None:
        """Keep where the server is.

        Args:
            url: Its address, such as `http://127.0.0.1:3000`; a path before the routes is kept.
            timeout: Seconds to wait for the connection and for each part of an answer.
            token: What a server that asks for one is shown.
            resend: Whether a request goes out once more where the server closed the kept connection in the very moment of sending.
            tls: Certificates, where the system's authorities do not know the server's or it asks for one of the caller's.

        Raises:
            UsageError: The address or the token cannot be used, or certificates came for an address without TLS.
            SetupError: A certificate cannot be used.
        """
        self._url, self._prefix, self._resend = url, calls.check_url(url), resend
        self._headers = bearer(token)
        parts = urlsplit(url)
        host, port, context = parts.hostname or "", parts.port, None if tls is None else tls.context(url)
        try:
            self._connection = (
                http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
                if parts.scheme == "https"
                else http.client.HTTPConnection(host, port, timeout=timeout)
            )
        except http.client.InvalidURL:
            raise UsageError(f"the server's address is {url!r}, expected one such as http://127.0.0.1:3000") from None

    def live(self) -> bool:
        """Tell whether the server answers at all."""
        return self._health("/v2/health/live")

    def ready(self, model: Optional[str] = None) -> bool:
        """Tell whether the server, or one model, is ready."""
        return self._health(f"{calls.model_path(model)}/ready" if model else "/v2/health/ready")

    def server(self) -> dict[str, Any]:
        """Give the server's metadata."""
        found: dict[str, Any] = self._json(Call("GET", "/v2"))
        return found

    def models(self) -> list[dict[str, Any]]:
        """List the models with version, state and the reason where one is not ready."""
        found: list[dict[str, Any]] = self._json(Call("POST", calls.INDEX, b"{}"))
        return found

    def metadata(self, model: str, version: Optional[str] = None) -> dict[str, Any]:
        """Give a model's tensors and versions in V2's terms."""
        found: dict[str, Any] = self._json(Call("GET", calls.model_path(model, version)))
        return found

    def contract(self, model: str, version: Optional[str] = None) -> Contract:
        """Give a model's whole contract."""
        _, body = self._ask(Call("GET", f"{calls.model_path(model, version)}/contract"))
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
        response, body = self._ask(calls.infer(model, inputs, version, outputs, binary, id, deadline_ms))
        return decode_response(body, response.getheader(HEADER_LENGTH))

    def predict(self, model: str, value: Any, *, deadline_ms: Optional[int] = None) -> list[dict[str, Any]]:
        """Answer one input as a caller has it, or several; steps are done by the server.

        Args:
            model: Its name.
            value: A picture's bytes or path, a text, an array or nested lists (one input or a batch), or a mapping of tensor name to row;
                or `edge.steps.options.Chosen`, one of these with options beside it, where the model offers some.
            deadline_ms: After which the answer is of no use any more.

        Returns:
            One mapping for each input: `label`, `score` and `ranking`, or `result`.

        Raises:
            RemoteError: The server refuses, or cannot be reached.
            InputError: The value cannot be sent.
        """
        predictions: list[dict[str, Any]] = self.answer(model, value, deadline_ms=deadline_ms)["predictions"]
        return predictions

    def answer(self, model: str, value: Any, *, deadline_ms: Optional[int] = None) -> dict[str, Any]:
        """Do the same, and give the whole answer: `predictions`, and `model` and `version` that they are of; see `predict`."""
        found: dict[str, Any] = self._json(calls.predict(model, value, deadline_ms))
        return found

    def generate(
        self,
        model: str,
        prompt: str,
        *,
        length: int = DEFAULT_LENGTH,
        temperature: float = 1.0,
        top_k: int = 0,
        seed: Optional[int] = None,
        deadline_ms: Optional[int] = None,
    ) -> Iterator[Piece]:
        """Have a text written on from a prompt, and give each token when it comes; whoever stops early stops the server's work.

        Args:
            model: Its name.
            prompt: What the text begins with; it is not repeated.
            length: The most tokens.
            temperature: 0 always takes the best token, 1 follows the model.
            top_k: Only so many of the best tokens take part; 0 means all.
            seed: For the choices; by chance where it is None.
            deadline_ms: After which the text is of no use any more.

        Raises:
            RemoteError: The server refuses, fails on the way, or cannot be reached.
            InputError: A value is out of bounds.
        """
        call = calls.generate(model, prompt, length, temperature, top_k, seed, deadline_ms)
        events = Events(f"{self._url}{call.path}")
        try:
            response = self._open(call)
            while not events.done and (line := response.readline()):
                yield from events.feed(line.decode("utf-8", "replace").rstrip("\r\n"))
            response.read()
        except _FAILED as error:
            raise calls.unreachable(self._url, error) from None
        finally:
            if not events.done:
                self._connection.close()  # what is left of the answer is of no use, and would stand before the next one
        events.finish()

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
            self._ask(Call("GET", path))
        except RemoteError:
            return False
        return True

    def _json(self, call: Call) -> Any:
        return parse(self._ask(call)[1], f"{self._url}: the answer of {call.path}")

    def _ask(self, call: Call) -> _Answer:
        """Send a request and read the whole answer; only what the server accepted comes back."""
        try:
            response = self._open(call)
            return response, response.read()
        except _FAILED as error:
            self._connection.close()
            raise calls.unreachable(self._url, error) from None

    def _open(self, call: Call) -> http.client.HTTPResponse:
        """Send a request and read the head of its answer; a refusal is an error."""
        if not self._resend and self._connection.sock is not None and _has_news(self._connection.sock):
            self._connection.close()  # nothing is awaited, so what came is the server's farewell
        kept = self._connection.sock is not None
        try:
            response = self._send(call)
        except _GONE:
            if not kept or not self._resend:
                raise
            response = self._send(call)  # the server had closed the kept connection meanwhile
        if response.status >= 400:
            raise calls.refused(f"{self._url}{call.path}", response.status, response.read(), dict(response.getheaders()), response.reason)
        return response

    def _send(self, call: Call) -> http.client.HTTPResponse:
        try:
            self._connection.request(call.method, self._prefix + call.path, call.body, {**self._headers, **call.headers})
            return self._connection.getresponse()
        except _FAILED:
            self._connection.close()
            raise


def bearer(token: Optional[str]) -> dict[str, str]:
    """Give the header that shows a token; none where there is no token.

    Raises:
        UsageError: The token holds what none has, such as the end of the line that it was read from.
    """
    if token is None:
        return {}
    if not token.isascii() or not token.isprintable() or not token or " " in token:
        raise UsageError("the token is empty, or holds a space, a line's end or a character beyond ASCII, expected it as it was printed")
    return {"Authorization": f"Bearer {token}"}


def _has_news(kept: socket.socket) -> bool:
    """Tell whether something can be read, an end of the connection too."""
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([kept], [], [], 0)[0])
    poll = select.poll()
    poll.register(kept, select.POLLIN)
    return bool(poll.poll(0))
