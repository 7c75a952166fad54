"""The web application: routes, the border around them, and the models' life. It knows nothing of BentoML."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
from anyio import CapacityLimiter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route

from serving.api import Api
from serving.border import Border, Handler
from serving.errors import MethodNotAllowedError, UnknownPathError
from serving.metrics import Metrics
from serving.registry import Registry
from serving.settings import Settings

WORKER_THREADS = 8
HOST_PATHS = ("/livez", "/readyz", "/healthz", "/schema.json")  # BentoML answers GET there, before this application is asked


def create_app(settings: Settings, registry: Registry | None = None, metrics: Metrics | None = None) -> Starlette:
    """Build the application.

    Args:
        settings: How to serve.
        registry: The models; found below `settings.bundles` where None is given. They load when the application starts.
        metrics: What is counted; the registry's own where one is given.
    """
    metrics = metrics or Metrics()
    registry = registry or Registry(settings, metrics)
    api = Api(settings, registry, metrics, CapacityLimiter(WORKER_THREADS))
    border = Border(registry, metrics, settings.log_requests)
    routes: list[BaseRoute] = [Route(path, border.around(handler, path), methods=[method]) for method, path, handler in _table(api)]
    routes.append(_Everything(routes, border))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, registry.load)
            yield
            tasks.cancel_scope.cancel()
        registry.close()
        metrics.close()

    return Starlette(routes=routes, lifespan=lifespan)


def _table(api: Api) -> list[tuple[str, str, Handler]]:
    table: list[tuple[str, str, Handler]] = [
        ("GET", "/", api.root),
        ("GET", "/v2", api.server),
        ("GET", "/v2/", api.server),
        ("GET", "/v2/health/live", api.live),
        ("GET", "/v2/health/ready", api.ready),
        ("GET", "/openapi.json", api.openapi),
        ("GET", "/docs", api.docs),
        ("GET", "/metrics", api.exposition),
        ("POST", "/predict/{model}", api.predict),
    ]
    for model in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
        table += [
            ("GET", model, api.model),
            ("GET", f"{model}/ready", api.model_ready),
            ("GET", f"{model}/contract", api.contract),
            ("POST", f"{model}/infer", api.infer),
        ]
    return table


class _Everything(Route):
    """The last route: takes what no other took, and says whether it was the path or the method."""

    def __init__(self, routes: list[BaseRoute], border: Border) -> None:
        self._others = list(routes)
        super().__init__("/{path:path}", border.around(self._refuse, "other"), methods=None)
        self.methods = None

    async def _refuse(self, request: Request) -> Response:
        path = "/" + request.path_params["path"]
        allowed = {"GET"} if path in HOST_PATHS else set()
        for route in self._others:
            if isinstance(route, Route) and route.matches(request.scope)[0] is Match.PARTIAL:
                allowed |= route.methods or set()
        if allowed:
            raise MethodNotAllowedError(
                f"{path[:80]} does not take {request.method[:20]}, expected {' or '.join(sorted(allowed))}", sorted(allowed)
            )
        raise UnknownPathError(f"nothing is served at {path[:80]!r}; /docs lists every path")
