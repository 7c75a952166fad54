"""Headers that keep browsers from guessing, keeping, framing or sharing what the server answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Application = Callable[[Any, Any, Any], Awaitable[None]]
Raw = tuple[tuple[bytes, bytes], ...]
ANSWER: Raw = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
PAGE: Raw = (
    *ANSWER,
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)
SCRIPTED = (  # the policy of a page with its script in it, which asks this server alone
    "default-src 'none'; connect-src 'self'; img-src blob: data:; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


def adding(send: Any, extra: Raw) -> Any:
    """Give a `send` that adds headers to an answer, each where the answer has none of its own."""

    async def complete(message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            known = {name.lower() for name, _ in headers}
            message = {**message, "headers": headers + [pair for pair in extra if pair[0] not in known]}
        await send(message)

    return complete


def headed(application: Application) -> Application:
    """Wrap an application of few requests: each of its answers has every header."""

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        await application(scope, receive, adding(send, PAGE) if scope["type"] == "http" else send)

    return wrapped
