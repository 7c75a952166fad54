"""The application: the path of inference, a web application for everything else, and the models' life. It knows nothing of BentoML."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route

from serving.access import Guard
from serving.admin import listening
from serving.api import Api
from serving.border import Border, Handler
from serving.errors import MethodNotAllowedError, UnknownPathError
from serving.headers import Application as Asgi
from serving.headers import headed
from serving.metrics import Metrics
from serving.model_facts import ModelFacts
from serving.path import InferencePath, target
from serving.registry import Registry
from serving.repository import Repository
from serving.settings import Settings
from serving.short import ShortWay
from serving.systems import Systems

HOST_PATHS = ("/livez", "/readyz", "/healthz", "/schema.json")  # BentoML answers GET there, before this application is asked
SAMPLE_S = 1.0


class Application:
    """An ASGI application. Where it has a host, the host takes its two parts: `inference` past all middleware, and `web`."""

    def __init__(self, settings: Settings, registry: Registry, metrics: Metrics, loaded: Callable[[], None]) -> None:
        """Put the parts together; models load when the application starts."""
        self._registry, self._metrics, self._loaded, self._safety = registry, metrics, loaded, settings.safety
        self._border = border = Border(registry, metrics, settings.log_requests)
        self.inference = InferencePath(settings, border)
        table = _facts_table(ModelFacts(settings, registry, metrics, self.inference.sample_load))
        self.systems = Systems(settings, border, self.inference)
        table += _table(Api(settings, registry, metrics, self.inference.sample_load, self.systems)) + self.systems.table()
        public, admin = (_admin_table(Repository(registry, self.inference.retire, allowed)) for allowed in (False, True))
        self.web = Starlette(routes=_routes(table + public, border), lifespan=self._lifespan)
        self.admin = Guard(headed(Starlette(routes=_routes(table + admin, border, inference=False))), settings.safety, border, admin=True)
        self._all = self.enclose(self.web)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        await self._all(scope, receive, send)

    def enclose(self, web: Asgi) -> Asgi:
        """Join the path of inference with what answers all else; in front of both, where it is wanted, what callers are asked."""
        inference, rest = self.inference, headed(web)

        async def application(scope: Any, receive: Any, send: Any) -> None:
            await (inference if inference.takes(scope) else rest)(scope, receive, send)

        guard = Guard(application, self._safety, self._border) if self._safety.guarded else None
        self.short = ShortWay(self.inference, guard)
        return application if guard is None else guard

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        self.inference.open()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, self._load)
            tasks.start_soon(self._sample)
            async with listening(self.admin, self._safety):
                yield
            self._registry.stop()
            await self.systems.close()
            await self.inference.close()
            tasks.cancel_scope.cancel()
        self._registry.close()
        self._metrics.close()

    def _load(self) -> None:
        self._registry.load()
        self._loaded()

    async def _sample(self) -> None:
        """Keep the gauges fresh: another worker process may be the one that is asked for them."""
        while True:
            self.inference.sample_load()
            await asyncio.sleep(SAMPLE_S)


def create_app(
    settings: Settings, registry: Registry | None = None, metrics: Metrics | None = None, loaded: Callable[[], None] = lambda: None
) -> Application:
    """Build the application.

    Args:
        settings: How to serve.
        registry: The models; found below `settings.bundles` where None is given. They load when the application starts.
        metrics: What is counted; the registry's own where one is given.
        loaded: Called on a thread when every model has been loaded, or has failed.
    """
    metrics = metrics or Metrics()
    return Application(settings, registry or Registry(settings, metrics), metrics, loaded)


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
    ]
    for model in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
        table += [
            ("GET", model, api.model),
            ("GET", f"{model}/ready", api.model_ready),
            ("GET", f"{model}/contract", api.contract),
        ]
    return table


def _facts_table(facts: ModelFacts) -> list[tuple[str, str, Handler]]:
    table: list[tuple[str, str, Handler]] = [("GET", "/v2/models/stats", facts.all_statistics)]
    for model in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
        table += [("GET", f"{model}/config", facts.config), ("GET", f"{model}/stats", facts.statistics)]
    return table


def _admin_table(repository: Repository) -> list[tuple[str, str, Handler]]:
    return [
        ("POST", "/v2/repository/index", repository.index),
        ("POST", "/v2/repository/models/{model}/load", repository.load),
        ("POST", "/v2/repository/models/{model}/unload", repository.unload),
    ]


def _routes(table: list[tuple[str, str, Handler]], border: Border, *, inference: bool = True) -> list[BaseRoute]:
    routes: list[BaseRoute] = [Route(path, border.around(handler, path), methods=[method]) for method, path, handler in table]
    return [*routes, _Everything(routes, border, inference)]


class _Everything(Route):
    """The last route: takes what no other took, and says whether it was the path or the method."""

    def __init__(self, routes: list[BaseRoute], border: Border, inference: bool) -> None:
        self._others, self._inference = list(routes), inference
        super().__init__("/{path:path}", border.around(self._refuse, "other"), methods=None)
        self.methods = None

    async def _refuse(self, request: Request) -> Response:
        path = "/" + request.path_params["path"]
        allowed = {"GET"} if self._inference and path in HOST_PATHS else set()
        if self._inference and target(path) is not None:
            allowed.add("POST")
        for route in self._others:
            if isinstance(route, Route) and route.matches(request.scope)[0] is Match.PARTIAL:
                allowed |= route.methods or set()
        if allowed:
            raise MethodNotAllowedError(
                f"{path[:80]} does not take {request.method[:20]}, expected {' or '.join(sorted(allowed))}", sorted(allowed)
            )
        raise UnknownPathError(f"nothing is served at {path[:80]!r}; /docs lists every path")
