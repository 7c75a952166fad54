"""What is asked of a request before anything of it is read: its origin, its token, and how often its sender has asked."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from edge.errors import InputError
from serving import keys
from serving.border import Border, Done, request_identifier
from serving.errors import ForbiddenError, RateLimitedError, UnauthorizedError
from serving.headers import PAGE, Application, adding
from serving.limiter import Limiter, address_of
from serving.responses import REQUEST_ID
from serving.safety import Safety

OPEN_PATHS = frozenset(("/livez", "/readyz", "/healthz", "/v2/health/live"))  # probes: one bit each, for everyone
METHODS, HEADERS = b"GET, POST", b"authorization, content-type, inference-header-content-length, x-request-id, x-request-timeout-ms"
EXPOSED = b"inference-header-content-length, retry-after, x-request-id"
Headers = Mapping[bytes, bytes]


class Guard:
    """An ASGI application in front of another. It is put there only where something is to be asked."""

    def __init__(self, application: Application, safety: Safety, border: Border, *, admin: bool = False) -> None:
        """Read the keys.

        Args:
            application: Gets what may pass.
            safety: What is asked.
            border: Answers and counts what may not.
            admin: Whether only holders of an admin key pass, and no page of another origin.

        Raises:
            SetupError: The file of keys cannot be used.
        """
        self._application, self._border, self._admin = application, border, admin
        self._keys = keys.read(safety.keys) if safety.keys else None
        self._limiter = Limiter(safety.rate, safety.burst) if safety.rate else None
        self._origins = frozenset(origin.encode() for origin in safety.origins)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        start = time.perf_counter()
        headers: Headers = dict(scope["headers"])
        origin = headers.get(b"origin")
        if origin is not None and origin in self._origins:
            shared = ((b"access-control-allow-origin", origin), (b"vary", b"Origin"))
            send = adding(send, (*shared, (b"access-control-expose-headers", EXPOSED)))
            if scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
                await _preflight(send)
                return
        try:
            self.admit(scope["path"], headers, scope.get("client"))
        except InputError as error:
            await self._refuse(error, scope, headers, send, start)
        else:
            await self._application(scope, receive, send)

    def admit(self, path: str, headers: Headers, client: tuple[str, int] | None) -> None:
        """Count a request, and let it pass where this raises nothing.

        Raises:
            UnauthorizedError: It shows no token that is known.
            ForbiddenError: Its sender may not do this.
            RateLimitedError: Its sender asks too often.
        """
        if path in OPEN_PATHS:
            return
        if self._admin and b"origin" in headers and headers[b"origin"] not in self._origins:
            raise ForbiddenError("a page of another origin may not change what is served; use a program, or TANDEM_ORIGINS")
        caller = address_of(client)
        if self._keys is not None:
            try:
                key = self._keys.holder(headers.get(b"authorization"))
            except UnauthorizedError:
                self._count(caller)  # who guesses tokens is slowed down, by address
                raise
            if self._admin and not key.admin:
                raise ForbiddenError(f"the key {key.name} may not load or unload models; its line among the keys lacks the word admin")
            caller = f"key {key.name}"
        self._count(caller)

    def _count(self, caller: str) -> None:
        wait = self._limiter.take(caller) if self._limiter is not None else 0.0
        if wait:
            seconds = math.ceil(wait)
            raise RateLimitedError(f"more requests came from {caller} than may come a second; send it again in {seconds} s", seconds)

    async def _refuse(self, error: InputError, scope: Any, headers: Headers, send: Any, start: float) -> None:
        request_id = request_identifier(headers.get(REQUEST_ID.lower().encode(), b"").decode("latin-1"))
        refused = self._border.refuse(error, request_id)
        await refused.response(request_id)(scope, _nothing, adding(send, PAGE))
        done = Done(scope["method"], "other", "", "", refused.status, refused.reason, request_id)
        self._border.record(done, time.perf_counter() - start)


async def _preflight(send: Any) -> None:
    """Tell a browser what a page of an allowed origin may send."""
    allowed = {"Access-Control-Allow-Methods": METHODS.decode(), "Access-Control-Allow-Headers": HEADERS.decode()}
    response = Response(status_code=204, headers={**allowed, "Access-Control-Max-Age": "600"})
    await send({"type": "http.response.start", "status": 204, "headers": response.raw_headers})
    await send({"type": "http.response.body", "body": b""})


async def _nothing() -> Any:
    return {"type": "http.disconnect"}
