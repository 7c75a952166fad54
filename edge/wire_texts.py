"""Texts on the wire: V2's datatype BYTES, as strings in the JSON, or behind it, each after its length in four bytes.

Source: Open Inference Protocol, "V2 inference protocol", tensor data and its binary extension.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edge.errors import InputError
from edge.json_tensors import shown
from edge.wire_tensors import Tail, parameters_of

Array = np.ndarray[Any, Any]
BYTES = "BYTES"
_LENGTH = struct.Struct("<I")


def read_texts(entry: Mapping[str, Any], count: int, tail: Tail, where: str) -> list[str]:
    """Read a tensor of texts, from the bytes behind the JSON or from its `data`, flat or nested.

    Args:
        entry: The tensor's JSON object.
        count: How many its shape has.
        tail: The bytes behind the JSON.
        where: What the tensor is, for messages.

    Raises:
        InputError: Count, lengths or values do not fit, or a text is not UTF-8.
    """
    size = parameters_of(entry, where).get("binary_data_size")
    if size is None:
        found = _flat(entry.get("data"), where)
    elif "data" in entry:
        raise InputError(f"{where} has data and binary_data_size, expected one of them")
    elif type(size) is not int or size < 0:
        raise InputError(f"{where}: binary_data_size is {shown(size)}, expected a number of bytes")
    else:
        start = tail.take(entry, size, where) or 0
        found = _cut(tail.body[start : start + size], count, where)
    if len(found) != count:
        raise InputError(f"{where} holds {len(found)} texts, expected {count} for its shape")
    return found


def write_texts(array: Array, where: str) -> tuple[list[str], bytes]:
    """Write an array of texts, flat: as strings for the JSON, and as bytes to stand behind it.

    Raises:
        InputError: An element is neither text nor UTF-8 bytes.
    """
    texts = [_text(item, where) for item in array.ravel().tolist()]
    return texts, b"".join(_LENGTH.pack(len(content)) + content for content in (text.encode("utf-8") for text in texts))


def _flat(data: Any, where: str) -> list[str]:
    if not isinstance(data, list):
        raise InputError(f"{where}: data is {shown(data)}, expected a list of texts")
    if data and all(isinstance(item, list) and len(item) == 1 for item in data):
        data = [item for (item,) in data]
    return [_text(item, f"{where}: data") for item in data]


def _cut(content: bytes, count: int, where: str) -> list[str]:
    found: list[str] = []
    place = 0
    while place < len(content):
        if len(found) == count:
            raise InputError(f"{where}: {len(content) - place} bytes follow the last of {count} texts, expected none")
        if place + _LENGTH.size > len(content):
            raise InputError(f"{where}: the bytes end within a length, expected four bytes before each text")
        (length,) = _LENGTH.unpack_from(content, place)
        place += _LENGTH.size
        if length > len(content) - place:
            raise InputError(f"{where}: a text should have {length} bytes, {len(content) - place} are left")
        found.append(_text(content[place : place + length], where))
        place += length
    return found


def _text(item: Any, where: str) -> str:
    if isinstance(item, bytes):
        try:
            return item.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{where}: a text is not UTF-8 at byte {error.start}") from None
    if not isinstance(item, str):
        raise InputError(f"{where} holds {shown(item)}, expected a text")
    try:
        item.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(f"{where} holds half a character (a lone surrogate), expected texts") from None
    return item


def text_shape(entry: Mapping[str, Any], max_batch: int | None, where: str) -> int:
    """Read the shape of a tensor of texts, (N) or (N, 1), as the number of texts.

    Raises:
        InputError: It is another shape, or the batch is larger than is taken.
    """
    shape = entry.get("shape")
    fits = isinstance(shape, list) and all(type(size) is int and 1 <= size < 1 << 48 for size in shape)
    if not fits or not isinstance(shape, list) or len(shape) not in (1, 2) or shape[1:] not in ([], [1]):
        raise InputError(f"{where}: shape is {shown(shape)}, expected [batch] or [batch, 1] texts")
    if max_batch is not None and shape[0] > max_batch:
        raise InputError(f"{where}: the batch is {shown(shape[0])}, expected at most {max_batch}; send several requests")
    return int(shape[0])


def only_texts(entries: Sequence[Any]) -> bool:
    """Tell whether the inputs of a request are one tensor of texts."""
    return len(entries) == 1 and isinstance(entries[0], dict) and entries[0].get("datatype") == BYTES


def text_array(texts: Sequence[str], shape: tuple[int, ...]) -> Array:
    """Put texts into an array of objects."""
    array: Array = np.empty(len(texts), dtype=np.object_)
    array[:] = texts
    return array.reshape(shape)
