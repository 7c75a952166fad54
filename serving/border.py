"""The border around every handler: each request ends in one answer, one set of counts, and no traceback leaves the server."""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from edge import metric_names as names
from edge.errors import TandemError, UnknownModelError
from serving.metrics import Metrics
from serving.registry import Registry
from serving.responses import REQUEST_ID, failure, refusal

Handler = Callable[[Request], Awaitable[Response]]
logger = logging.getLogger("bentoml.tandem")  # below BentoML's own, so that its handler writes our lines too
_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


@dataclass(frozen=True)
class Border:
    """Wraps handlers; knows the metrics and the names that may become labels."""

    registry: Registry
    metrics: Metrics
    log_requests: bool = False

    def around(self, handler: Handler, route: str) -> Handler:
        """Give a handler that never raises.

        Args:
            handler: Answers, or raises a `TandemError`.
            route: The path as a template: a label and a name in the log.
        """

        async def endpoint(request: Request) -> Response:
            start = time.perf_counter()
            request_id = _request_id(request)
            reason = ""
            try:
                response = await handler(request)
            except TandemError as error:
                reason = error.reason
                response = refusal(error, request_id, getattr(error, "allowed", ""))
                if error.http_status >= 500 and reason != "not_ready":
                    logger.error("request %s: %s", request_id, error)
            except Exception:  # the border: whatever went wrong inside, the caller gets an answer and the log the trace
                reason = "internal"
                logger.exception("request %s failed", request_id)
                response = failure(request_id)
            response.headers[REQUEST_ID] = request_id
            self._record(request, route, response.status_code, reason, request_id, time.perf_counter() - start)
            return response

        return endpoint

    def _record(self, request: Request, route: str, code: int, reason: str, request_id: str, seconds: float) -> None:
        model, version = self._labels(request)
        self.metrics.request(model, version, route, code)
        if reason:
            self.metrics.error(model, version, route, reason)
        if self.log_requests:
            line = {"request": request_id, "method": request.method, "route": route, "model": model, "version": version, "code": code}
            logger.info(json.dumps({**line, "reason": reason, "ms": round(seconds * 1000, 3)}))

    def _labels(self, request: Request) -> tuple[str, str]:
        """Name model and version as labels: empty where a route has none, `other` where they are not served."""
        name = request.path_params.get("model")
        if name is None:
            return "", ""
        try:
            entry = self.registry.find(name, request.path_params.get("version"))
        except UnknownModelError:
            return names.OTHER, names.OTHER
        return entry.name, entry.version


def _request_id(request: Request) -> str:
    """Take the caller's id where it is harmless in a log, else make one."""
    given = request.headers.get(REQUEST_ID, "")
    return given if _ID.fullmatch(given) else os.urandom(8).hex()
