"""The model repository over HTTP, an extension of V2: the index for everyone, loading and unloading where it is switched on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from edge.errors import InputError
from edge.json_tensors import parse, shown
from serving.bodies import Memory, Reader
from serving.errors import AdminOffError
from serving.registry import Entry, Registry
from serving.responses import json_response

MOST_BYTES, BODY_S = 4096, 5.0


@dataclass(frozen=True)
class Repository:
    """The handlers; `retire` finishes what a model's queue has accepted, and closes it; `admin` lets the state be changed."""

    registry: Registry
    retire: Callable[[str, str], Awaitable[None]]
    admin: bool = False

    async def index(self, request: Request) -> Response:
        """List the models and their states; those alone that answer, where the body says `{"ready": true}`."""
        only_ready = await _only_ready(request)
        listed = await anyio.to_thread.run_sync(self.registry.index)
        return json_response([model for model in listed if not only_ready or model["state"] == "READY"])

    async def load(self, request: Request) -> Response:
        """Load the newest version of a model, or load it again; the old one answers until the new one is ready."""
        self._check_allowed()
        entry, replaced = await anyio.to_thread.run_sync(self.registry.reload, request.path_params["model"])
        for other in replaced:
            if other.version != entry.version:  # the same version gets a new queue at its next request
                await self._end(other)
        return json_response({"name": entry.name, "version": entry.version, "state": entry.state})

    async def unload(self, request: Request) -> Response:
        """Serve a model no longer."""
        self._check_allowed()
        name = request.path_params["model"]
        for entry in self.registry.remove(name):
            await self._end(entry)
        return json_response({"name": name, "state": "UNAVAILABLE"})

    async def _end(self, entry: Entry) -> None:
        await self.retire(entry.name, entry.version)
        entry.model, entry.message = None, "it was unloaded"

    def _check_allowed(self) -> None:
        if not self.admin:
            raise AdminOffError("models are loaded and unloaded on a port of their own; set TANDEM_ADMIN_PORT on the server, and ask there")


async def _only_ready(request: Request) -> bool:
    """Read the body of the index: none, or an object that may say `ready`."""
    body = await Reader(Memory(MOST_BYTES), MOST_BYTES, BODY_S).read(dict(request.scope["headers"]), request.receive)
    if not body.content.strip():
        return False
    document = parse(body.content)
    wanted = document.get("ready", False) if isinstance(document, dict) else None
    if not isinstance(wanted, bool):
        raise InputError(f'the body is {shown(document)}, expected an object, where "ready" is true or false')
    return wanted
