"""The client for asyncio, over httpx (the extra `async`): the same calls, and as many at once as its caller wants.

async with AsyncClient("http://127.0.0.1:3000") as client:
answers = await asyncio.gather(*(client.infer("mnist_cnn", {"image": pixels}) for pixels in pictures))
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Optional

import numpy as np

from edge import calls
from edge.calls import Call, Events
from edge.client import bearer
from edge.contract import Contract, loads
from edge.errors import RemoteError, RuntimeMissingError
from edge.generation import DEFAULT_LENGTH, Piece
from edge.json_tensors import parse
from edge.protocol import HEADER_LENGTH, InferResponse, decode_response
from edge.tls import Tls

Array = np.ndarray[Any, Any]


class AsyncClient:
    """Kept connections, for one event loop; see `edge.client.Client` for what each call does."""

    def __init__(
        self, url: str, *, timeout: float = 30.0, token: Optional[str] = None, connections: int = 100, tls: Optional[Tls] = None
    ) -> None:
        """Keep where the server is.

        Args:
            url: Its address, such as `http://127.0.0.1:3000`; a path before the routes is kept.
            timeout: Seconds to wait for a connection and for each part of an answer.
            token: What a server that asks for one is shown.
            connections: How many are open at once; further calls wait for one.
            tls: Certificates, where the system's authorities do not know the server's or it asks for one of the caller's.

        Raises:
            UsageError: The address or the token cannot be used, or certificates came for an address without TLS.
            SetupError: A certificate cannot be used.
            RuntimeMissingError: httpx is not installed.
        """
        self._url = url
        calls.check_url(url)
        try:
            self._httpx = importlib.import_module("httpx")
        except ImportError:
            raise RuntimeMissingError(
                "the asynchronous client needs httpx, not installed here: install the extra async of tandem-edge"
            ) from None
        self._base = url.rstrip("/")
        self._failed = (self._httpx.HTTPError, self._httpx.InvalidURL)
        limits = self._httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        self._client = self._httpx.AsyncClient(
            timeout=self._httpx.Timeout(timeout, pool=None),
            limits=limits,
            headers=bearer(token),
            trust_env=False,
            verify=True if tls is None else tls.context(url),
        )

    async def live(self) -> bool:
        """Tell whether the server answers at all."""
        return await self._health("/v2/health/live")

    async def ready(self, model: Optional[str] = None) -> bool:
        """Tell whether the server, or one model, is ready."""
        return await self._health(f"{calls.model_path(model)}/ready" if model else "/v2/health/ready")

    async def server(self) -> dict[str, Any]:
        """Give the server's metadata."""
        found: dict[str, Any] = await self._json(Call("GET", "/v2"))
        return found

    async def models(self) -> list[dict[str, Any]]:
        """List the models with version, state and the reason where one is not ready."""
        found: list[dict[str, Any]] = await self._json(Call("POST", calls.INDEX, b"{}"))
        return found

    async def metadata(self, model: str, version: Optional[str] = None) -> dict[str, Any]:
        """Give a model's tensors and versions in V2's terms."""
        found: dict[str, Any] = await self._json(Call("GET", calls.model_path(model, version)))
        return found

    async def contract(self, model: str, version: Optional[str] = None) -> Contract:
        """Give a model's whole contract."""
        response = await self._ask(Call("GET", f"{calls.model_path(model, version)}/contract"))
        return loads(response.content, f"{self._url}: contract of {model}")

    async def infer(
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
        """Run a model on tensors, without steps; see `Client.infer`.

        Raises:
            RemoteError: The server refuses, or cannot be reached.
            InputError: The inputs cannot be written, or the answer cannot be read.
        """
        response = await self._ask(calls.infer(model, inputs, version, outputs, binary, id, deadline_ms))
        return decode_response(response.content, response.headers.get(HEADER_LENGTH))

    async def predict(self, model: str, value: Any, *, deadline_ms: Optional[int] = None) -> list[dict[str, Any]]:
        """Answer one input as a caller has it, or several; see `Client.predict`.

        Raises:
            RemoteError: The server refuses, or cannot be reached.
            InputError: The value cannot be sent.
        """
        predictions: list[dict[str, Any]] = (await self._json(calls.predict(model, value, deadline_ms)))["predictions"]
        return predictions

    async def generate(
        self,
        model: str,
        prompt: str,
        *,
        length: int = DEFAULT_LENGTH,
        temperature: float = 1.0,
        top_k: int = 0,
        seed: Optional[int] = None,
        deadline_ms: Optional[int] = None,
    ) -> AsyncIterator[Piece]:
        """Have a text written on from a prompt, and give each token when it comes; see `Client.generate`.

        Raises:
            RemoteError: The server refuses, fails on the way, or cannot be reached.
            InputError: A value is out of bounds.
        """
        call = calls.generate(model, prompt, length, temperature, top_k, seed, deadline_ms)
        where = f"{self._url}{call.path}"
        events = Events(where)
        try:
            async with self._client.stream(call.method, self._base + call.path, content=call.body, headers=dict(call.headers)) as response:
                if response.status_code >= 400:
                    raise calls.refused(where, response.status_code, await response.aread(), response.headers, response.reason_phrase)
                async for line in _lines(response):
                    for piece in events.feed(line):
                        yield piece
        except self._failed as error:
            raise calls.unreachable(self._url, error) from None
        events.finish()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def __aenter__(self) -> AsyncClient:
        """Give the client itself."""
        return self

    async def __aexit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        """Close the connections."""
        await self.close()

    async def _health(self, path: str) -> bool:
        try:
            await self._ask(Call("GET", path))
        except RemoteError:
            return False
        return True

    async def _json(self, call: Call) -> Any:
        return parse((await self._ask(call)).content, f"{self._url}: the answer of {call.path}")

    async def _ask(self, call: Call) -> Any:
        """Send a request and read the whole answer; only what the server accepted comes back."""
        try:
            response = await self._client.request(call.method, self._base + call.path, content=call.body, headers=dict(call.headers))
        except self._failed as error:
            raise calls.unreachable(self._url, error) from None
        if response.status_code >= 400:
            raise calls.refused(f"{self._url}{call.path}", response.status_code, response.content, response.headers, response.reason_phrase)
        return response


async def _lines(response: Any) -> AsyncIterator[str]:
    """Give the lines of a stream as they come. httpx's own end at U+2028 and U+0085 too, which a text may hold."""
    rest = b""
    async for piece in response.aiter_bytes():
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line.decode("utf-8", "replace").rstrip("\r")
