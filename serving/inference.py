"""The blocking part of a request, run in a worker thread: decode, preprocess, run, postprocess, each timed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edge import metric_names as names
from edge.errors import InputError
from edge.json_tensors import dumps
from edge.model import Model
from edge.protocol import decode_request, encode_response
from serving import inputs
from serving.bodies import Body

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Answer:
    """What goes back, and how many seconds each stage took."""

    body: bytes
    headers: Mapping[str, str]
    seconds: Mapping[str, float]


@dataclass
class Stopwatch:
    """Seconds by stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what happens inside."""
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start


def infer(model: Model, body: Body, header_length: str | None, max_batch: int) -> Answer:
    """Answer a V2 inference request: logical tensors in, logical tensors out, no steps.

    Raises:
        InputError: The request does not fit the contract.
    """
    watch = Stopwatch()
    with watch.stage(names.DECODE):
        request = decode_request(body.content, model.contract.main, header_length, max_batch=max_batch)
    with watch.stage(names.INFERENCE):
        outputs = model.run(request.inputs)
    with watch.stage(names.POSTPROCESS):
        message = encode_response(model.contract.name, model.contract.version, outputs, request)
    return Answer(message.body, message.headers, watch.seconds)


def predict(model: Model, body: Body, max_batch: int) -> Answer:
    """Answer a predict request: what a caller has in, what a person reads out.

    Raises:
        InputError: The inputs do not fit the contract; where several came, the message says which one.
    """
    watch = Stopwatch()
    with watch.stage(names.DECODE):
        values = inputs.values(body, model.contract, max_batch)
    with watch.stage(names.PREPROCESS):
        rows = model.stack([_prepare(model, value, i, len(values)) for i, value in enumerate(values)])
    with watch.stage(names.INFERENCE):
        outputs = model.run(rows)
    with watch.stage(names.POSTPROCESS):
        _finite(outputs)
        answers = [prediction.to_dict() for prediction in model.interpret(outputs)]
        content = dumps({"model": model.contract.name, "version": model.contract.version, "predictions": answers})
    return Answer(content, {"Content-Type": "application/json"}, watch.seconds)


def _prepare(model: Model, value: Any, number: int, count: int) -> dict[str, Array]:
    try:
        return model.prepare(value)
    except InputError as error:
        raise error if count == 1 else type(error)(f"input {number} of {count}: {error}") from None


def _finite(outputs: Mapping[str, Array]) -> None:
    """Refuse to rank NaN: values of an unusual size have overflowed inside the model."""
    for name, array in outputs.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(f"output {name!r} is NaN or infinite for these inputs; send values of a usual size")
