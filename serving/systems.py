"""Systems over HTTP: `POST /v1/systems/<name>` asks one, `GET` gives its page. Each is there while the bundles that it needs are served.

A system runs several models and code between them, so a request of its own takes no place in a model's queue: it runs on one of
a few threads. What may wait, for how long and how large it may be is bounded as for models. Nothing is imported or started
before the first request.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from edge import metric_names as names
from edge.errors import UnknownModelError
from edge.json_tensors import dumps
from edge.model import Model
from edge.systems import SYSTEMS, System, find_system
from serving import system_bodies
from serving.bodies import Body, Reader
from serving.border import Border, Handler
from serving.errors import DeadlineError, DrainingError, ForbiddenError, NotReadyError, QueueFullError, UnknownPathError
from serving.headers import SCRIPTED
from serving.path import DRAIN_S, InferencePath
from serving.responses import json_response
from serving.settings import Settings
from serving.threads import processors

ROUTE = "/v1/systems"
PAGES = Path(__file__).with_name("pages")
Headers = Mapping[bytes, bytes]


class Answered(NamedTuple):
    """An answer as JSON, and the seconds that went by before it was begun, for reading the request, and for answering it."""

    content: bytes
    waited: float
    decoded: float
    ran: float


class Systems:
    """The handlers, and the threads that systems run on."""

    def __init__(self, settings: Settings, border: Border, inference: InferencePath) -> None:
        """Keep what is needed; nothing is started."""
        self._settings, self._border, self._inference = settings, border, inference
        self._made: dict[str, tuple[tuple[int, ...], dict[str, Model], System]] = {}
        self._making = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._threads = max(1, processors() // settings.workers)
        self._accepted, self._draining = 0, False

    def table(self) -> list[tuple[str, str, Handler]]:
        """List the routes: a pair for each system that there is, so that no caller can invent a label."""
        table: list[tuple[str, str, Handler]] = [("GET", ROUTE, self.index)]
        for name in sorted(SYSTEMS):
            table += [("GET", f"{ROUTE}/{name}", partial(self.page, name)), ("POST", f"{ROUTE}/{name}", partial(self.ask, name))]
        return table

    def mounted(self) -> list[type[System]]:
        """Give the systems whose models answer."""
        return [find_system(name) for name in sorted(SYSTEMS) if not self._missing(name)]

    async def close(self) -> None:
        """Take no more, and finish what was accepted."""
        self._draining = True
        for _ in range(int(DRAIN_S / 0.01)):
            if not self._accepted:
                break
            await asyncio.sleep(0.01)
        if self._pool is not None:
            self._pool.shutdown(wait=False)
        self._made.clear()

    async def index(self, _: HttpRequest) -> Response:
        """List the systems, and what the others lack."""
        listed = []
        for name in sorted(SYSTEMS):
            kind, missing = find_system(name), self._missing(name)
            facts = {"name": name, "title": kind.TITLE, "ready": not missing, "takes": list(system_bodies.accepted_types(kind))}
            listed.append({**facts, "needs": dict(kind.NEEDS), **({"message": missing} if missing else {})})
        return json_response({"systems": listed})

    async def page(self, name: str, _: HttpRequest) -> Response:
        """Give a system's page."""
        self._check(name)
        own = PAGES / f"{name}.html"
        text = (own if own.is_file() else PAGES / "system.html").read_text(encoding="utf-8")
        kind = find_system(name)
        text = text.replace("@NAME@", kind.NAME).replace("@TITLE@", kind.TITLE).replace("@TAKES@", " ".join(kind.TAKES))
        return Response(text, headers={"Content-Security-Policy": SCRIPTED}, media_type="text/html")

    async def ask(self, name: str, request: HttpRequest) -> Response:
        """Answer a request."""
        start = time.perf_counter()
        headers = dict(request.scope["headers"])
        self._check_origin(headers)
        self._check(name)
        deadline = time.monotonic() + self._inference.allowed(headers)
        self._admit()
        self._accepted += 1
        reader = Reader(self._inference.memory, self._settings.max_body_bytes, self._settings.body_timeout_ms / 1000)
        try:
            body = await reader.read(headers, request.receive)
            work = partial(self._work, name, body, deadline, time.perf_counter())
            answered = await asyncio.get_running_loop().run_in_executor(self._threads_of(), work)
        finally:
            self._accepted -= 1
            reader.release()
        seconds = {names.QUEUE: answered.waited, names.DECODE: answered.decoded, names.INFERENCE: answered.ran}
        self._border.metrics.stages(name, "", 0, {**seconds, names.TOTAL: time.perf_counter() - start})
        return Response(answered.content, media_type="application/json")

    def _work(self, name: str, body: Body, deadline: float, accepted: float) -> Answered:
        """Answer on a thread."""
        begun = time.perf_counter()
        if time.monotonic() > deadline:
            raise DeadlineError(f"{name}: the deadline passed before the request could begin; allow more time, or try later")
        asked = system_bodies.read(body, find_system(name), self._settings.safety.max_pixels)
        system = self._system(name)
        decoded = time.perf_counter()
        content = dumps(system.answer(asked))
        return Answered(content, begun - accepted, decoded - begun, time.perf_counter() - decoded)

    def _system(self, name: str) -> System:
        """Give a system over the models that are served now; it is put together anew when one of them was loaded again."""
        kind = find_system(name)
        models = {part: self._model(bundle) for part, bundle in kind.NEEDS.items()}
        for part, bundle in kind.OPTIONAL.items():
            if not self._why(bundle):
                models[part] = self._model(bundle)
        identity = tuple(map(id, models.values()))  # the models themselves are kept too, so that no identity is given twice
        with self._making:
            known = self._made.get(name)
            if known is None or known[0] != identity:
                folder = None if self._settings.keep is None else self._settings.keep / name
                known = self._made[name] = (identity, models, kind.of(models, folder))
            return known[2]

    def _model(self, bundle: str) -> Model:
        return self._border.registry.find(bundle).opened()

    def _why(self, bundle: str) -> str:
        """Say why a bundle cannot be used, empty where it can."""
        try:
            entry = self._border.registry.find(bundle)
        except UnknownModelError:
            return f"{bundle} is not served"
        return "" if entry.model is not None else f"{bundle} is not ready: {entry.message}"

    def _missing(self, name: str) -> str:
        return "; ".join(filter(None, map(self._why, find_system(name).NEEDS.values())))

    def _check(self, name: str) -> None:
        """Refuse a request to a system that lacks a model: it is not there, or, while the model loads, not yet."""
        missing = self._missing(name)
        if not missing:
            return
        served = {entry.name for entry in self._border.registry.entries}
        needed = find_system(name).NEEDS.values()
        error = NotReadyError if served.issuperset(needed) else UnknownPathError
        raise error(f"the system {name} needs {' and '.join(needed)}: {missing}")

    def _check_origin(self, headers: Headers) -> None:
        """Refuse what a page of another origin sends: systems may keep what they are told, and a browser would send it without asking."""
        origin = headers.get(b"origin", b"").decode("latin-1")
        if not origin or origin in self._settings.safety.origins:
            return
        host = headers.get(b"host", b"").decode("latin-1")
        if not host or origin.partition("://")[2] != host:
            raise ForbiddenError("a page of another origin may not ask systems; use the system's own page, a program, or TANDEM_ORIGINS")

    def _admit(self) -> None:
        """Refuse before anything is read, where the server drains or too many wait."""
        if self._draining:
            raise DrainingError("the server is stopping; send the request to another, or again in a moment")
        if self._accepted >= self._settings.queue_requests + self._threads:
            raise QueueFullError(f"{self._accepted} requests to systems are being worked on, the most that may; send it again in 1 s", 1)

    def _threads_of(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, "system")
        return self._pool
