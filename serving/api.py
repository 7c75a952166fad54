"""What each route does that is no inference: health, metadata, OpenAPI and metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from edge import __version__
from edge.contract import Tensor
from edge.protocol import DATATYPES
from serving import metrics, openapi
from serving.headers import SCRIPTED
from serving.registry import Entry, Registry, device_taken
from serving.responses import json_response
from serving.settings import Settings
from serving.systems import Systems

EXTENSIONS = ["binary_tensor_data", "model_configuration", "model_repository", "statistics"]
PAGE = Path(__file__).with_name("docs.html")


@dataclass(frozen=True)
class Api:
    """The handlers; each takes a request, and answers or raises a `TandemError`."""

    settings: Settings
    registry: Registry
    metrics: metrics.Metrics
    sample_load: Callable[[], None]
    systems: Systems

    async def root(self, request: Request) -> Response:
        """Lead people to the API page."""
        return RedirectResponse(f"{request.scope.get('root_path', '')}/docs", 307)

    async def server(self, _: Request) -> Response:
        """Give the server's metadata."""
        return json_response({"name": "tandem", "version": __version__, "extensions": EXTENSIONS})

    async def live(self, _: Request) -> Response:
        """Say that the process answers."""
        return json_response({"live": True})

    async def ready(self, _: Request) -> Response:
        """Say whether every model answers, and for each one on what it runs or why it does not."""
        content: dict[str, Any] = {"ready": self.registry.ready, "models": [self._state(entry) for entry in self.registry.entries]}
        if not self.registry.ready:
            content.update(error=self.registry.message, reason="not_ready")
        return json_response(content, 200 if self.registry.ready else 503)

    async def model(self, request: Request) -> Response:
        """Give a model's metadata in V2's terms."""
        entry = self._entry(request)
        model = entry.opened()
        graph = model.contract.main
        versions = [other.version for other in self.registry.entries if other.name == entry.name]
        platform = f"{model.runtime.name}_{model.variant.format}"
        sides = {"inputs": [_metadata(t) for t in graph.inputs], "outputs": [_metadata(t) for t in graph.outputs]}
        return json_response({"name": entry.name, "versions": versions, "platform": platform, **sides})

    async def model_ready(self, request: Request) -> Response:
        """Say whether one model answers."""
        entry = self._entry(request)
        entry.opened()
        return json_response({"name": entry.name, "version": entry.version, "ready": True})

    async def contract(self, request: Request) -> Response:
        """Give a model's whole contract."""
        return json_response(self._entry(request).opened().contract.to_json())

    async def openapi(self, _: Request) -> Response:
        """Describe the API, from the contracts of the models that answer."""
        models = [entry.model for entry in self.registry.entries if entry.model is not None]
        described = openapi.document(models, self.settings.max_body_bytes, self.systems.mounted())
        return json_response(openapi.secured(described) if self.settings.safety.keys else described)

    async def docs(self, _: Request) -> Response:
        """Give the API page; it asks this server alone."""
        headers = {"Content-Security-Policy": SCRIPTED}
        return Response(PAGE.read_bytes(), headers=headers, media_type="text/html; charset=utf-8")

    async def exposition(self, _: Request) -> Response:
        """Give the metrics."""
        self.sample_load()
        content = await anyio.to_thread.run_sync(self.metrics.exposition)
        return Response(content, headers={"Content-Type": metrics.CONTENT_TYPE})

    def _state(self, entry: Entry) -> dict[str, Any]:
        state: dict[str, Any] = {"name": entry.name, "version": entry.version, "ready": entry.model is not None, "state": entry.state}
        if entry.model is None:
            return {**state, "message": entry.message}
        runtime, file = entry.model.runtime, entry.model.variant.file
        found = {"file": file, "runtime": f"{runtime.name} {runtime.version}", "provider": runtime.provider}
        device = {"asked": self.settings.device, "taken": device_taken(entry.model)}
        return {**state, **found, "device": {**device, "why": runtime.note} if runtime.note else device}

    def _entry(self, request: Request) -> Entry:
        return self.registry.find(request.path_params["model"], request.path_params.get("version"))


def _metadata(tensor: Tensor) -> dict[str, Any]:
    shape = [axis if isinstance(axis, int) else -1 for axis in tensor.shape]
    return {"name": tensor.name, "datatype": DATATYPES[tensor.dtype], "shape": shape}
