"""Requests whose JSON has come before: what it says is known, and only the bytes behind it are read and held against the contract."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

from edge.contract import Graph, Tensor
from edge.protocol import InferRequest
from edge.wire_tensors import check_range, from_bytes

MOST_KNOWN, MOST_BYTES = 64, 2 << 10


@dataclass(frozen=True)
class _Place:
    """Where one tensor lies in the bytes behind the JSON."""

    tensor: Tensor
    shape: tuple[int, ...]
    count: int
    offset: int
    where: str


@dataclass(frozen=True)
class _Layout:
    """What a JSON document says that holds no values itself; `size` bytes follow it."""

    places: tuple[_Place, ...]
    size: int
    outputs: Mapping[str, bool]
    id: Optional[str]


class Layouts:
    """The documents of one model's requests that were read and found good, by their bytes; there are never more than `MOST_KNOWN`.

    Clients send the same document again and again: names, shapes, datatypes and lengths, while the values differ.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._known: dict[bytes, _Layout] = {}

    def read(self, body: bytes, header_length: Optional[str]) -> Optional[InferRequest]:
        """Read a request whose document is known; None where it is not, or where other bytes follow it than it says.

        Raises:
            InputError: A value is not finite, or outside of the contract's range.
        """
        if header_length is None or not header_length.isdecimal() or len(header_length) > 4:
            return None
        start = int(header_length)
        layout = self._known.get(body[:start])
        if layout is None or len(body) - start != layout.size:
            return None
        inputs = {}
        for place in layout.places:
            tensor = place.tensor
            flat = from_bytes(body, start + place.offset, place.count, tensor.dtype, place.where, True)
            inputs[tensor.name] = array = flat.reshape(place.shape)
            check_range(array, tensor, place.where)
        return InferRequest(inputs, layout.outputs, layout.id)

    def learn(self, body: bytes, header_length: Optional[str], graph: Graph, request: InferRequest) -> None:
        """Keep the document of a request that was read from this body, where every tensor followed it as bytes."""
        size = sum(array.nbytes for array in request.inputs.values())
        if header_length is None or not size or int(header_length) + size != len(body) or int(header_length) > MOST_BYTES:
            return
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        tensors = {tensor.name: tensor for tensor in graph.inputs}
        places, offset = [], 0
        for i, (name, array) in enumerate(request.inputs.items()):  # in the order of the document, as the bytes are
            places.append(_Place(tensors[name], array.shape, math.prod(array.shape), offset, f"inputs[{i}] {name!r}"))
            offset += array.nbytes
        self._known[body[: int(header_length)]] = _Layout(tuple(places), size, request.outputs, request.id)
