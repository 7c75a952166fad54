"""Answers in JSON, and refusals in one form: what is wrong, why, and the id under which the server's log knows the request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from starlette.responses import Response

from edge.errors import TandemError
from edge.json_tensors import dumps
from serving.errors import MethodNotAllowedError, QueueFullError, UnauthorizedError

REQUEST_ID = "X-Request-Id"


def json_response(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON."""
    return Response(dumps(content), status, headers, "application/json")


class Refusal(NamedTuple):
    """A refusal: the HTTP status, its headers, the body, and the reason that is counted."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    reason: str

    def response(self, request_id: str) -> Response:
        """Give it as a response."""
        return Response(self.body, self.status, {**dict(self.headers), REQUEST_ID: request_id})


_JSON = ("Content-Type", "application/json")


def refusal(error: TandemError, request_id: str) -> Refusal:
    """Turn an error into its HTTP status and the one form of refusals.

    Args:
        error: What went wrong; its message is for the caller.
        request_id: Under which the request is logged.
    """
    content = {"error": str(error), "reason": error.reason, "request_id": request_id}
    headers = [_JSON]
    if isinstance(error, MethodNotAllowedError):
        headers.append(("Allow", error.allowed))
    if isinstance(error, QueueFullError):
        headers.append(("Retry-After", str(error.retry_after)))
    if isinstance(error, UnauthorizedError):
        headers.append(("WWW-Authenticate", 'Bearer realm="tandem"'))
    return Refusal(error.http_status, tuple(headers), dumps(content), error.reason)


def failure(request_id: str) -> Refusal:
    """Answer when something unforeseen happened; what it was stays in the server's log."""
    content = {
        "error": f"the server failed on this request; its log has the details under {request_id}",
        "reason": "internal",
        "request_id": request_id,
    }
    return Refusal(500, (_JSON,), dumps(content), "internal")
