"""Texts on their way to a caller: server-sent events, one for each token, as the model gives them.

Source: WHATWG HTML, "Server-sent events".
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from edge import metric_names as names
from edge.errors import InputError
from edge.generation import DEFAULT_LENGTH, Generation, Order
from edge.json_tensors import dumps, parse, shown
from serving.batching import Outcome
from serving.bodies import JSON_TYPES, Body, expect_type
from serving.border import Border
from serving.errors import DeadlineError, DisconnectedError
from serving.headers import ANSWER
from serving.responses import REQUEST_ID

Step = Callable[[Mapping[str, Any]], Awaitable[Outcome]]
READING_S = 1.0  # that a caller has at least for reading an event, even where the deadline has passed meanwhile
MEDIA_TYPE = "text/event-stream"
FIELDS = ("prompt", "length", "temperature", "top_k", "seed")


def read_order(body: Body) -> Order:
    """Read what is to be written.

    Raises:
        InputError: A field is missing, unknown or out of bounds.
        UnsupportedMediaError: The body is no JSON.
    """
    expect_type(body, JSON_TYPES)
    document = parse(body.content)
    if not isinstance(document, dict) or "prompt" not in document:
        raise InputError(f'the body is {shown(document)}, expected an object with "prompt", and where wanted {", ".join(FIELDS[1:])}')
    unknown = sorted(set(document) - set(FIELDS))
    if unknown:
        raise InputError(f"the body has {shown(unknown[0])}, expected only {', '.join(FIELDS)}")
    given = {name: value for name, value in document.items() if value is not None or name == "prompt"}
    return Order.of(**{"length": DEFAULT_LENGTH, **given})


@dataclass
class Stream:
    """The events of one text. Nothing is sent before the first token is there, so that a refusal still has its status."""

    send: Callable[[Any], Awaitable[None]]
    gone: asyncio.Future[Any]
    deadline: float
    request_id: str
    started: bool = False
    stuck: bool = False
    seconds: dict[str, float] = field(default_factory=lambda: {names.QUEUE: 0.0, names.INFERENCE: 0.0})
    first: float = 0.0

    async def follow(self, generation: Generation, step: Step, about: Mapping[str, str]) -> None:
        """Run a text to its end, and send each token when it is there.

        Args:
            generation: A text that has begun.
            step: Runs the model once, in whatever batch.
            about: What the last event says beside the reason, the number of tokens and the seed.

        Raises:
            DisconnectedError: The caller went away; no further step is run.
            DeadlineError: The deadline passed, or the caller reads too slowly for it.
            InputError: The model refuses, or gives NaN.
        """
        while not generation.reason:
            if self.gone.done():
                raise DisconnectedError(f"the caller went away after {generation.count} tokens")
            outcome = await step(generation.inputs)
            self.seconds[names.QUEUE] += outcome.waited
            self.seconds[names.INFERENCE] += outcome.ran
            piece = generation.take(outcome.outputs or {})
            if piece is not None:
                await self.event({"token": piece.token, "text": piece.text}, number=piece.place)
        facts = {"reason": generation.reason, "tokens": generation.count, "seed": generation.order.sampling.seed}
        await self.event({**facts, **about}, kind="done")
        await self._pass(b"", more=False)

    async def carry(self, generation: Generation, step: Step, about: Mapping[str, str], border: Border) -> str:
        """Follow a text; what goes wrong after its start is told in a last event, where somebody still reads.

        Returns:
            The reason for metrics and log, empty where the text is whole.
        """
        try:
            await self.follow(generation, step, about)
        except Exception as error:  # the border: a text that has begun ends in words too, and the log gets the trace
            if not self.started:
                raise
            refused = border.refuse(error, self.request_id)
            if not self.stuck and not self.gone.done():
                with contextlib.suppress(DeadlineError):
                    await self._pass(b"event: error\ndata: " + refused.body + b"\n\n", more=False)
            return refused.reason
        finally:
            self.gone.cancel()
        return ""

    async def event(self, data: Mapping[str, Any], kind: str = "", number: int | None = None) -> None:
        """Send one event, and before the first one the head of the answer."""
        if not self.started:
            self.first = time.perf_counter()
            head = [(b"content-type", MEDIA_TYPE.encode() + b"; charset=utf-8"), (b"x-accel-buffering", b"no")]
            head += [(REQUEST_ID.lower().encode(), self.request_id.encode()), *ANSWER]
            await self.send({"type": "http.response.start", "status": 200, "headers": head})
            self.started = True
        lines = (f"event: {kind}\n" if kind else "") + ("" if number is None else f"id: {number}\n")
        await self._pass(lines.encode() + b"data: " + dumps(dict(data)) + b"\n\n", more=True)

    async def _pass(self, content: bytes, *, more: bool) -> None:
        try:
            async with asyncio.timeout_at(max(self.deadline, asyncio.get_running_loop().time() + READING_S)):
                await self.send({"type": "http.response.body", "body": content, "more_body": more})
        except TimeoutError:
            self.stuck = True
            raise DeadlineError("the deadline passed while the caller did not read; read faster, or allow more time") from None
