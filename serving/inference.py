"""What is done to one request before and after its model runs: decode, preprocess, postprocess, encode, each timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from edge import metric_names as names
from edge.errors import InputError
from edge.json_tensors import dumps
from edge.layouts import Layouts
from edge.limits import MAX_PIXELS
from edge.model import Model, Row
from edge.protocol import HEADER_LENGTH, Message, decode_request, encode_response
from edge.steps import Aside
from serving import inputs, pictures
from serving.bodies import BINARY_TYPES, JSON_TYPES, Body, expect_type

Array = np.ndarray[Any, Any]
LENGTH = HEADER_LENGTH.lower().encode()
SMALL_BYTES, SMALL_BINARY_BYTES = 4 << 10, 16 << 10


class Work(NamedTuple):
    """A request that fits the contract: (N, …) inputs by name, what makes the answer of the outputs, and seconds by stage so far."""

    inputs: Mapping[str, Array]
    answer: Callable[[Mapping[str, Array]], Message]
    seconds: dict[str, float]

    @property
    def samples(self) -> int:
        """Number of samples, at least 1."""
        return len(next(iter(self.inputs.values())))


def is_small(size: int, binary: bool) -> bool:
    """Tell whether reading a V2 request takes less time than handing it to a thread: few bytes, most of them not JSON."""
    return size <= (SMALL_BINARY_BYTES if binary else SMALL_BYTES)


def read_infer(model: Model, body: Body, header_length: str | None, max_batch: int, layouts: Layouts | None = None) -> Work:
    """Read a V2 inference request: logical tensors in, logical tensors out, no steps but what texts (BYTES) need to become tensors.

    Args:
        model: The model.
        body: The whole body.
        header_length: Length of the JSON, where bytes follow it.
        max_batch: The most samples that are taken.
        layouts: What the JSON of earlier requests said; used on one thread.

    Raises:
        InputError: The request does not fit the contract.
        UnsupportedMediaError: The content type is not taken.
    """
    start = time.perf_counter()
    expect_type(body, (*JSON_TYPES, *BINARY_TYPES))
    contract = model.contract
    request = None if layouts is None else layouts.read(body.content, header_length)
    if request is None:
        request = decode_request(body.content, contract.main, header_length, max_batch=max_batch, texts=inputs.takes_texts(contract))
        if layouts is not None:
            layouts.learn(body.content, header_length, contract.main, request)

    def answer(outputs: Mapping[str, Array]) -> Message:
        return encode_response(contract.name, contract.version, outputs, request)

    seconds = {names.DECODE: time.perf_counter() - start}
    if request.texts is None:
        return Work(request.inputs, answer, seconds)
    rows = model.stack([_prepare(model, text, i, len(request.texts)) for i, text in enumerate(request.texts)])
    return Work(rows, answer, {**seconds, names.PREPROCESS: time.perf_counter() - start - seconds[names.DECODE]})


def read_predict(model: Model, body: Body, max_batch: int, max_pixels: int = MAX_PIXELS) -> Work:
    """Read a predict request: what a caller has in, what a person reads out.

    Raises:
        InputError: The inputs do not fit the contract; where several came, the message says which one.
        UnsupportedMediaError: The content type is not taken.
        TooLargeError: The pictures have too many pixels.
        NotAcceptableError: Nothing but a picture is taken, and the model gives none.
    """
    start = time.perf_counter()
    values = inputs.values(body, model.contract, max_batch, max_pixels)
    picture = pictures.wanted(body.accept, model.contract, len(values))
    decoded = time.perf_counter()
    prepared = [_prepare(model, value, i, len(values)) for i, value in enumerate(values)]
    rows, frames = model.stack(prepared), [row.frame for row in prepared]

    def answer(outputs: Mapping[str, Array]) -> Message:
        if picture:
            _finite(outputs)
            return pictures.message(model.interpret(outputs, frames)[0], values[0])
        return _predictions(model, outputs, frames)

    return Work(rows, answer, {names.DECODE: decoded - start, names.PREPROCESS: time.perf_counter() - decoded})


def _predictions(model: Model, outputs: Mapping[str, Array], frames: list[Aside | None]) -> Message:
    _finite(outputs)
    answers = [prediction.to_dict() for prediction in model.interpret(outputs, frames)]
    content = dumps({"model": model.contract.name, "version": model.contract.version, "predictions": answers})
    return Message(content, {"Content-Type": "application/json"})


def _prepare(model: Model, value: Any, number: int, count: int) -> Row:
    try:
        return model.prepare(value)
    except InputError as error:
        raise error if count == 1 else type(error)(f"input {number} of {count}: {error}") from None


def _finite(outputs: Mapping[str, Array]) -> None:
    """Refuse to rank NaN: values of an unusual size have overflowed inside the model."""
    for name, array in outputs.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(f"output {name!r} is NaN or infinite for these inputs; send values of a usual size")
