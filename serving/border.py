"""The border around every handler: each request ends in one answer, one set of counts, and no traceback leaves the server."""

from __future__ import annotations

import json
import logging
import random
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from edge import metric_names as names
from edge.errors import TandemError, UnknownModelError
from serving.metrics import Metrics
from serving.registry import Registry
from serving.responses import REQUEST_ID, Refusal, failure, refusal

Handler = Callable[[Request], Awaitable[Response]]
logger = logging.getLogger("bentoml.tandem")  # below BentoML's own, so that its handler writes our lines too
_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


class Done(NamedTuple):
    """An answered request, as metrics and log see it; `route` is the path as a template."""

    method: str
    route: str
    model: str
    version: str
    code: int
    reason: str
    request: str


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
            """Answer a request; count it, and log it where that is wanted."""
            start = time.perf_counter()
            request_id = request_identifier(request.headers.get(REQUEST_ID, ""))
            reason = ""
            try:
                response = await handler(request)
            except Exception as error:  # the border: whatever went wrong inside, the caller gets an answer and the log the trace
                refused = self.refuse(error, request_id)
                response, reason = refused.response(request_id), refused.reason
            response.headers[REQUEST_ID] = request_id
            done = Done(request.method, route, *self._labels(request), response.status_code, reason, request_id)
            self.record(done, time.perf_counter() - start)
            return response

        return endpoint

    def refuse(self, error: Exception, request_id: str) -> Refusal:
        """Turn what was raised into an answer; the log gets what the caller does not."""
        if not isinstance(error, TandemError):
            logger.error("request %s failed", request_id, exc_info=error)
            return failure(request_id)
        if error.http_status == 500:
            logger.error("request %s: %s", request_id, error)
        return refusal(error, request_id)

    def record(self, done: Done, seconds: float) -> None:
        """Count an answered request, and log it where that is wanted."""
        self.metrics.request(done.model, done.version, done.route, done.code)
        if done.reason:
            self.metrics.error(done.model, done.version, done.route, done.reason)
        if self.log_requests:
            logger.info(json.dumps({**done._asdict(), "ms": round(seconds * 1000, 3)}))

    def _labels(self, request: Request) -> tuple[str, str]:
        """Name model and version as labels: empty where a route has none, `other` where they are not served."""
        name = request.path_params.get("model")
        return ("", "") if name is None else self.labels(name, request.path_params.get("version"))

    def labels(self, name: str, version: str | None) -> tuple[str, str]:
        """Name a model and its version as labels, `other` where they are not served."""
        try:
            entry = self.registry.find(name, version)
        except UnknownModelError:
            return names.OTHER, names.OTHER
        return entry.name, entry.version


def request_identifier(given: str) -> str:
    """Take the caller's id where it is harmless in a log, else make one."""
    return given if given and _ID.fullmatch(given) else f"{random.getrandbits(64):016x}"
