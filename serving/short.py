"""The short way of an inference request whose small body is there: decode, queue, answer, count, by calls and without a task.

It does for one request what `serving/path.py` does, with the same parts; `serving/direct.py` brings the requests.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from edge.protocol import HEADER_LENGTH
from serving import inference
from serving.batching import Job, Lane, Outcome
from serving.bodies import Body
from serving.border import Done, request_identifier
from serving.headers import ANSWER, PAGE, Raw
from serving.inference import Work
from serving.path import InferencePath, Target
from serving.registry import Entry
from serving.responses import REQUEST_ID

if TYPE_CHECKING:
    from serving.access import Guard

Reply = Callable[[int, bytes, bytes], None]
Caller = tuple[str, int] | None
_ID, _LENGTH = REQUEST_ID.lower().encode(), HEADER_LENGTH.lower().encode()


class ShortWay:
    """Answers requests over the queues of an `InferencePath`; where callers are asked for something, `guard` asks it first."""

    def __init__(self, path: InferencePath, guard: Guard | None) -> None:
        """Keep what is needed."""
        self._path, self._guard = path, guard

    def answer(self, asked: Target, url: str, headers: Mapping[bytes, bytes], content: bytes, caller: Caller, reply: Reply) -> None:
        """Answer a request, now or when its batch has run; raises nothing.

        Args:
            asked: The route, one of V2 inference.
            url: The path.
            headers: Names in lower case.
            content: The whole body.
            caller: Its address.
            reply: Takes status, header lines and body, once.
        """
        request = _Request(self._path, asked, request_identifier(headers.get(_ID, b"").decode("latin-1")), reply)
        if self._guard is not None:
            try:
                self._guard.admit(url, headers, caller)
            except Exception as error:  # the border, as in `serving/access.py`
                request.refuse(error, "other", "", "", PAGE)
                return
        request.begin(headers, content)


class _Request:
    """One request on its way."""

    __slots__ = ("_asked", "_entry", "_id", "_lane", "_path", "_reply", "_size", "_start", "_work")
    _entry: Entry
    _lane: Lane
    _work: Work

    def __init__(self, path: InferencePath, asked: Target, request_id: str, reply: Reply) -> None:
        self._path, self._asked, self._id, self._reply = path, asked, request_id, reply
        self._start, self._size = time.perf_counter(), -1

    def begin(self, headers: Mapping[bytes, bytes], content: bytes) -> None:
        """Decode and queue it."""
        path = self._path
        try:
            self._entry = entry = path.border.registry.find(self._asked.model, self._asked.version)
            self._lane, deadline = path.admit(entry, headers)
            path.memory.take(len(content))
            self._size = len(content)
            self._lane.in_flight += 1
            kind, length = headers.get(b"content-type", b"").decode("latin-1"), headers.get(_LENGTH)
            body = Body(content, kind.partition(";")[0].strip().lower(), kind)
            text = None if length is None else length.decode("latin-1")
            self._work = work = inference.read_infer(entry.opened(), body, text, path.most_samples, entry.layouts)
            path.scheduler.submit(self._lane, Job(work.inputs, work.samples, deadline, self._done))
        except Exception as error:  # the border: whatever went wrong inside, the caller gets an answer and the log the trace
            self._failed(error)

    def _done(self, outcome: Outcome) -> None:
        begun = time.perf_counter()
        try:
            if outcome.error is not None:
                raise outcome.error
            message = self._work.answer(outcome.outputs or {})
            self._path.count(self._entry, self._work, outcome, begun, self._start)
        except Exception as error:  # the border, as above
            self._failed(error)
            return
        self._release()
        self._reply(200, _lines(tuple(message.headers.items()), ANSWER) + self._named(), message.body)
        self._record(self._asked.route, self._entry.name, self._entry.version, 200, "")

    def _failed(self, error: Exception) -> None:
        self._release()
        self.refuse(error, self._asked.route, *self._path.border.labels(self._asked.model, self._asked.version), ANSWER)

    def refuse(self, error: Exception, route: str, model: str, version: str, extra: Raw) -> None:
        """Answer and count what is not to be."""
        refused = self._path.border.refuse(error, self._id)
        self._reply(refused.status, _lines(refused.headers, extra) + self._named(), refused.body)
        self._record(route, model, version, refused.status, refused.reason)

    def _named(self) -> bytes:
        """Write the header that names the request."""
        return b"%b: %b\r\n" % (_ID, self._id.encode())

    def _release(self) -> None:
        """Count no more what it held."""
        if self._size >= 0:
            self._lane.in_flight -= 1
            self._path.memory.give(self._size)
            self._size = -1

    def _record(self, route: str, model: str, version: str, code: int, reason: str) -> None:
        self._path.border.record(Done("POST", route, model, version, code, reason, self._id), time.perf_counter() - self._start)


@lru_cache(maxsize=256)
def _lines(headers: tuple[tuple[str, str], ...], extra: Raw) -> bytes:
    """Write the headers of an answer: few differ from one to the next."""
    own = [(key.lower().encode(), value.encode()) for key, value in headers]
    return b"".join([b"%b: %b\r\n" % pair for pair in (*own, *extra)])
