"""Answers in JSON, and refusals in one form: what is wrong, why, and the id under which the server's log knows the request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from edge.errors import TandemError
from edge.json_tensors import dumps
from serving.errors import MethodNotAllowedError, QueueFullError, UnauthorizedError

REQUEST_ID = "X-Request-Id"


def json_response(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON."""
    return Response(dumps(content), status, headers, "application/json")


def refusal(error: TandemError, request_id: str) -> Response:
    """Turn an error into its HTTP status and the one form of refusals.

    Args:
        error: What went wrong; its message is for the caller.
        request_id: Under which the request is logged.
    """
    content = {"error": str(error), "reason": error.reason, "request_id": request_id}
    headers = {}
    if isinstance(error, MethodNotAllowedError):
        headers["Allow"] = error.allowed
    if isinstance(error, QueueFullError):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, UnauthorizedError):
        headers["WWW-Authenticate"] = 'Bearer realm="tandem"'
    return json_response(content, error.http_status, headers)


def failure(request_id: str) -> Response:
    """Answer when something unforeseen happened; what it was stays in the server's log."""
    content = {
        "error": f"the server failed on this request; its log has the details under {request_id}",
        "reason": "internal",
        "request_id": request_id,
    }
    return json_response(content, 500)
