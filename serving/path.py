"""The path of an inference request, a plain ASGI application: read, decode, queue, answer, count. Nothing stands before it.

Routing, middleware and access logs of web frameworks cost several times what a small model costs, so the two routes that
carry the load come here first; every other path is the web application's.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

from edge import metric_names as names
from edge.client import TIMEOUT_HEADER
from edge.errors import InputError
from edge.model import Model
from edge.protocol import HEADER_LENGTH, Message
from serving import generating, inference
from serving.backlog import SHARE, Backlog
from serving.batching import Job, Lane, Outcome, Scheduler
from serving.bodies import Body, Memory, Reader, Receive
from serving.border import Border, Done, request_identifier
from serving.decoding import Decoders
from serving.errors import DrainingError
from serving.headers import ANSWER, adding
from serving.inference import Work
from serving.registry import Entry
from serving.responses import REQUEST_ID
from serving.settings import Settings
from serving.threads import Threads, processors

Scope = MutableMapping[str, Any]
Send = Callable[[Any], Awaitable[None]]
PREDICT, GENERATE = "/predict/{model}", "/generate/{model}"
INFER, INFER_VERSION = "/v2/models/{model}/infer", "/v2/models/{model}/versions/{version}/infer"
_TIMEOUT, _LENGTH, _ID = (name.lower().encode() for name in (TIMEOUT_HEADER, HEADER_LENGTH, REQUEST_ID))
DRAIN_S = 30.0
SMALL_ANSWER_BYTES = 2 << 10  # of tensors: writing them, in JSON at worst, takes no longer than handing them to a thread


class Target(NamedTuple):
    """The route that a path takes, with the model and the version in it."""

    route: str
    model: str
    version: str | None


def target(path: str) -> Target | None:
    """Tell which inference route a path is, None where it is another."""
    parts = path.split("/")
    if len(parts) == 3 and parts[1] in ("predict", "generate") and parts[2]:
        return Target(PREDICT if parts[1] == "predict" else GENERATE, parts[2], None)
    if parts[-1] != "infer" or parts[:3] != ["", "v2", "models"] or not parts[3]:
        return None
    if len(parts) == 5:
        return Target(INFER, parts[3], None)
    return Target(INFER_VERSION, parts[3], parts[5]) if len(parts) == 7 and parts[4] == "versions" and parts[5] else None


class InferencePath:
    """Answers inference requests over one scheduler; `open` and `close` belong to the application's life."""

    def __init__(self, settings: Settings, border: Border) -> None:
        """Keep what is needed; nothing is started."""
        self._settings, self.border, self._metrics = settings, border, border.metrics
        self.memory = Memory(settings.queue_bytes)
        self.most_samples = settings.max_batch
        self._lanes: dict[tuple[str, str], tuple[Model, Lane]] = {}
        self._ending: set[asyncio.Future[None]] = set()
        self._draining = False

    def open(self) -> None:
        """Start the threads; on the event loop."""
        available = max(1, processors() // self._settings.workers)
        self._loop = asyncio.get_running_loop()
        self._threads = Threads(max(1, available // max(1, self._settings.threads)))
        self.scheduler = Scheduler(self._threads)
        self._backlog = Backlog(self._loop.call_soon)
        self._decoders = Decoders(max(2, available))
        self._encoders = ThreadPoolExecutor(max(2, available), "encode")  # others: no answer waits behind requests that are not read yet

    async def close(self) -> None:
        """Take no more, finish what was accepted, and end the threads."""
        self._draining = True
        for lane in list(self.scheduler.lanes):
            await drained(lane)
        self._threads.close()
        self._decoders.close()
        self._encoders.shutdown(wait=False)

    def lane(self, entry: Entry) -> Lane:
        """Give the queue of a model that is ready.

        Raises:
            NotReadyError: It is not ready.
        """
        model = entry.opened()
        known = self._lanes.get((entry.name, entry.version))
        if known is not None and known[0] is model:
            return known[1]
        waiting, concurrency = self._settings.queue_requests, self._settings.concurrency
        lane = Lane(entry.name, model.run, entry.latency, most_waiting=waiting, concurrency=concurrency)
        self.scheduler.lanes.append(lane)
        self._lanes[entry.name, entry.version] = (model, lane)
        if known is not None:
            task = asyncio.ensure_future(self._end(entry.name, entry.version, known[1]))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
        return lane

    async def retire(self, name: str, version: str) -> None:
        """Close the queue of a model that is no longer to be served, finish what it has accepted, and forget it."""
        known = self._lanes.get((name, version))
        if known is None:
            return
        await self._end(name, version, known[1])
        if self._lanes.get((name, version)) is known:  # else it was loaded again meanwhile, and has another queue
            self._lanes.pop((name, version))
            self._metrics.load(name, version, 0, 0.0, 0)

    async def _end(self, name: str, version: str, lane: Lane) -> None:
        """Wait for all that a queue has accepted, however long: each has its deadline, and out of the scheduler none would be answered."""
        await drained(lane, math.inf)
        if lane in self.scheduler.lanes:  # not where it was retired and replaced at once
            self.scheduler.lanes.remove(lane)
        self._metrics.ran(name, version, lane.batches, lane.ran)
        lane.batches = lane.ran = 0

    def sample_load(self) -> None:
        """Bring up to date what is not counted with each request: queues, batches, memory."""
        now = time.monotonic()
        for (name, version), (_, lane) in self._lanes.items():
            self._metrics.load(name, version, lane.waiting, lane.oldest_wait(now), lane.in_flight)
            self._metrics.ran(name, version, lane.batches, lane.ran)
            lane.batches = lane.ran = 0
        self._metrics.memory()
        self._metrics.carry()

    @staticmethod
    def takes(scope: Scope) -> bool:
        """Tell whether a request is for this path: one of its routes, with POST."""
        return scope["type"] == "http" and scope["method"] == "POST" and target(scope["path"]) is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request that `takes` accepts."""
        start = time.perf_counter()
        route, name, version = target(scope["path"]) or Target("", "", None)
        headers = dict(scope["headers"])
        request_id = request_identifier(headers.get(_ID, b"").decode("latin-1"))
        code, reason = 200, ""
        message: Message | None = None
        try:
            entry = self.border.registry.find(name, version)
            if route == GENERATE:
                message, reason = None, await self._generate(entry, headers, receive, adding(send, ANSWER), request_id)
            else:
                message = await self._answer(entry, route, headers, receive, start)
        except Exception as error:  # the border: whatever went wrong inside, the caller gets an answer and the log the trace
            refused = self.border.refuse(error, request_id)
            code, reason = refused.status, refused.reason
            await refused.response(request_id)(scope, receive, adding(send, ANSWER))
        if message is not None:
            sent = [(key.lower().encode(), value.encode()) for key, value in message.headers.items()]
            sent += [(b"content-length", b"%d" % len(message.body)), (_ID, request_id.encode()), *ANSWER]
            await send({"type": "http.response.start", "status": 200, "headers": sent})
            await send({"type": "http.response.body", "body": message.body})
        model_name, model_version = self.border.labels(name, version)
        self.border.record(Done(scope["method"], route, model_name, model_version, code, reason, request_id), time.perf_counter() - start)

    async def _answer(self, entry: Entry, route: str, headers: Mapping[bytes, bytes], receive: Receive, start: float) -> Message:
        lane, deadline = self.admit(entry, headers)
        reader = Reader(self.memory, self._settings.max_body_bytes, self._settings.body_timeout_ms / 1000)
        lane.in_flight += 1
        try:
            body = await reader.read(headers, receive)
            self._check_open(lane)
            length = headers.get(_LENGTH)
            text = None if length is None else length.decode("latin-1")
            work, small = await self._read(lane, deadline, entry.opened(), route, body, text)
            outcome = await self._run(lane, work, deadline)
            begun = time.perf_counter()
            outputs = outcome.outputs or {}
            here = small or (route != PREDICT and sum(array.nbytes for array in outputs.values()) <= SMALL_ANSWER_BYTES)
            message = work.answer(outputs) if here else await self._loop.run_in_executor(self._encoders, work.answer, outputs)
        finally:
            lane.in_flight -= 1
            reader.release()
        self.count(entry, work, outcome, begun, start)
        return message

    def count(self, entry: Entry, work: Work, outcome: Outcome, begun: float, start: float) -> None:
        """Count what the stages of an answered request took; encoding has `begun` when, and all of it had its `start`."""
        ended = time.perf_counter()
        seconds = {names.QUEUE: outcome.waited, names.INFERENCE: outcome.ran, names.POSTPROCESS: ended - begun, names.TOTAL: ended - start}
        self._metrics.stages(entry.name, entry.version, outcome.samples, {**work.seconds, **seconds})

    def admit(self, entry: Entry, headers: Mapping[bytes, bytes]) -> tuple[Lane, float]:
        """Let a request in before anything of its body is looked at; gives its queue, and when it must be answered.

        Raises:
            NotReadyError: The model is not ready.
            InputError: The deadline is malformed.
            DrainingError: No more is taken.
            QueueFullError: Too many wait.
            DeadlineError: It cannot be answered in time, or comes so late that this is not to be expected.
        """
        lane, allowed, now = self.lane(entry), self.allowed(headers), time.monotonic()
        waited = self._backlog.waited(now)
        self._check_open(lane)
        lane.check_deadline(now + SHARE * waited, now + allowed)
        return lane, now + allowed - waited

    async def _generate(self, entry: Entry, headers: Mapping[bytes, bytes], receive: Receive, send: Send, request: str) -> str:
        """Stream a text; what goes wrong after its start is told in the stream, and its reason is given back."""
        start = time.perf_counter()
        lane, deadline = self.admit(entry, headers)
        reader = Reader(self.memory, self._settings.max_body_bytes, self._settings.body_timeout_ms / 1000)

        async def step(inputs: Mapping[str, Any]) -> Outcome:
            return await self._run(lane, Work(inputs, lambda _: Message(b""), {}), deadline)

        lane.in_flight += 1
        try:
            generation = entry.opened().writing(generating.read_order(await reader.read(headers, receive)))
            decoded = time.perf_counter()
            stream = generating.Stream(send, asyncio.ensure_future(receive()), deadline, request)
            reason = await stream.carry(generation, step, {"model": entry.name, "version": entry.version}, self.border)
        finally:
            lane.in_flight -= 1
            reader.release()
        seconds = {names.DECODE: decoded - start, names.FIRST_TOKEN: stream.first - start, **stream.seconds}
        if not reason:
            self._metrics.stages(entry.name, entry.version, 0, {**seconds, names.TOTAL: time.perf_counter() - start})
        self._metrics.tokens(entry.name, entry.version, generation.count)
        return reason

    def _check_open(self, lane: Lane) -> None:
        if self._draining:
            raise DrainingError("the server is stopping; send the request to another, or again in a moment")
        lane.check_open(time.monotonic())

    async def _read(self, lane: Lane, deadline: float, model: Model, route: str, body: Body, length: str | None) -> tuple[Work, bool]:
        """Decode and preprocess: small V2 requests here, all others on a thread. Tells which it was."""
        most = self._settings.max_batch
        if route != PREDICT and inference.is_small(len(body.content), length is not None):
            return inference.read_infer(model, body, length, most), True
        read = partial(inference.read_infer, model, body, length, most)
        if route == PREDICT:
            read = partial(inference.read_predict, model, body, most, self._settings.safety.max_pixels)
        lane.arriving += 1
        try:
            return await self._decoders.run(lane.name, deadline, read), False
        finally:
            lane.arriving -= 1

    async def _run(self, lane: Lane, work: Work, deadline: float) -> Outcome:
        future: asyncio.Future[Outcome] = self._loop.create_future()

        def done(outcome: Outcome) -> None:
            if not future.done():  # it is, where the server has cancelled the request's task
                future.set_result(outcome)

        self.scheduler.submit(lane, Job(work.inputs, work.samples, deadline, done))
        outcome = await future
        if outcome.error is not None:
            raise outcome.error
        return outcome

    def allowed(self, headers: Mapping[bytes, bytes]) -> float:
        """Give the seconds that a request may take: what it says, up to the most that it may, or the default.

        Raises:
            InputError: It says something else.
        """
        given = headers.get(_TIMEOUT)
        if given is None:
            return self._settings.timeout_ms / 1000
        if not given.isdigit() or len(given) > 9 or not int(given):
            came = given.decode("latin-1")[:40]
            raise InputError(f"{TIMEOUT_HEADER} is {came!r}, expected whole milliseconds, at least 1 and less than 1000000000")
        return min(int(given), self._settings.max_timeout_ms) / 1000


async def drained(lane: Lane, seconds: float = DRAIN_S) -> None:
    """Close a queue, and wait until what it has accepted is answered, at most for so long."""
    lane.draining, until = True, time.monotonic() + seconds
    while not lane.idle and time.monotonic() < until:
        await asyncio.sleep(0.01)
