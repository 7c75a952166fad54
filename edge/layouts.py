"""Requests whose JSON has come before, but for the values: what it says is known, and only they are read and held against the contract."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np

from edge.contract import Graph, Tensor
from edge.protocol import InferRequest
from edge.wire_tensors import check_range, from_bytes

Array = np.ndarray[Any, Any]
MOST_KNOWN, MOST_BYTES = 64, 2 << 10
_COUNTING = ("uint8", "int8", "int32")
_DATA = re.compile(rb'"data": ?\[([0-9][0-9, ]*)\]')
_LEADING_ZERO = re.compile(rb",0[0-9]")


@dataclass(frozen=True)
class _Place:
    """Where one tensor lies in the bytes behind the JSON."""

    tensor: Tensor
    shape: tuple[int, ...]
    count: int
    offset: int
    where: str

    def checked(self, flat: Array) -> Array:
        """Give the values their shape, and hold them against the contract's range."""
        array = flat.reshape(self.shape)
        check_range(array, self.tensor, self.where)
        return array


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
        """Read a request whose document is known; None where it is not, or where other values come with it than it says.

        Raises:
            InputError: A value is not finite, or outside of the contract's range.
        """
        if header_length is None:
            return self._read_numbers(body)
        if not header_length.isdecimal() or len(header_length) > 4:
            return None
        start = int(header_length)
        layout = self._known.get(body[:start])
        if layout is None or len(body) - start != layout.size:
            return None
        inputs = {}
        for place in layout.places:
            name, dtype = place.tensor.name, place.tensor.dtype
            inputs[name] = place.checked(from_bytes(body, start + place.offset, place.count, dtype, place.where, True))
        return InferRequest(inputs, layout.outputs, layout.id)

    def _read_numbers(self, body: bytes) -> Optional[InferRequest]:
        found = _DATA.search(body)
        layout = None if found is None else self._known.get(_around(body, found))
        values = None if layout is None or found is None else _numbers(found[1])
        if layout is None or values is None:
            return None
        place = layout.places[0]
        limits = np.iinfo(place.tensor.dtype)
        if len(values) != place.count or values.max() > limits.max:
            return None
        array = place.checked(values.astype(place.tensor.dtype))
        return InferRequest({place.tensor.name: array}, layout.outputs, layout.id)

    def learn(self, body: bytes, header_length: Optional[str], graph: Graph, request: InferRequest) -> None:
        """Keep the document of a request that was read from this body, where every tensor followed it as bytes, or one lay in it flat."""
        document = self._document(body, header_length, request)
        if document is None or len(document) > MOST_BYTES:
            return
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        tensors = {tensor.name: tensor for tensor in graph.inputs}
        places, offset = [], 0
        for i, (name, array) in enumerate(request.inputs.items()):  # in the order of the document, as the bytes are
            places.append(_Place(tensors[name], array.shape, math.prod(array.shape), offset, f"inputs[{i}] {name!r}"))
            offset += array.nbytes
        self._known[document] = _Layout(tuple(places), offset, request.outputs, request.id)

    @staticmethod
    def _document(body: bytes, header_length: Optional[str], request: InferRequest) -> Optional[bytes]:
        """Cut the values out of a request; None where that cannot be done without a doubt."""
        arrays = list(request.inputs.values())
        if header_length is not None:
            start, size = int(header_length), sum(array.nbytes for array in arrays)
            return body[:start] if size and start + size == len(body) else None
        found = _DATA.search(body)
        if found is None or len(arrays) != 1 or arrays[0].dtype.name not in _COUNTING:
            return None
        if body.count(b'"data"') > 1 or b"\\" in body:  # another key may be the one that counts
            return None
        values = _numbers(found[1])
        same = values is not None and np.array_equal(values, arrays[0].reshape(-1))
        return _around(body, found) if same else None


def _around(body: bytes, found: re.Match[bytes]) -> bytes:
    return body[: found.start(1)] + body[found.end(1) :]


def _numbers(text: bytes) -> Optional[Array]:
    """Read whole numbers with commas between them as JSON has them, int64, the largest one for any beyond it; None where they are none."""
    text = b"," + text.replace(b", ", b",")
    if b" " in text or b",," in text or text.endswith(b",") or _LEADING_ZERO.search(text):
        return None
    return np.fromstring(text[1:], np.int64, sep=",")
