"""Strict JSON, and numbers in nested lists: nothing is guessed, rounded, wrapped or reshaped.

What `json.loads` and `numpy.array` let pass is refused here with words: NaN and Infinity, a key given twice, ragged lists,
`true` among numbers, 3.5 for an integer, 256 for an 8-bit one, 1e39 for a 32-bit float.
"""

from __future__ import annotations

import contextlib
import json
import reprlib
from collections import Counter
from itertools import chain
from typing import Any, NoReturn

import numpy as np

from edge.errors import InputError

Array = np.ndarray[Any, Any]
MAX_RANK = 32


def parse(body: bytes, where: str = "the body") -> Any:
    """Read UTF-8 JSON text.

    Raises:
        InputError: It is empty, no UTF-8, no JSON, nested too deeply, holds NaN or Infinity, or one key twice.
    """
    if not body.strip():
        raise InputError(f"{where} is empty, expected a JSON object")
    try:
        return _DECODER.decode(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InputError(f"{where} is not UTF-8 at byte {error.start}, expected JSON text") from None
    except RecursionError:
        raise InputError(f"{where} is nested too deeply, expected JSON with a few levels") from None
    except ValueError as error:
        raise InputError(f"{where} is not valid JSON ({error}), expected a JSON object") from None


def dumps(value: Any) -> bytes:
    """Write compact UTF-8 JSON.

    Raises:
        InputError: A number is NaN or infinite, which JSON cannot carry.
    """
    try:
        text = _ENCODER.encode(value)
    except ValueError:
        raise InputError("a tensor holds NaN or Infinity, which JSON cannot carry; use binary tensors, or values of a usual size") from None
    return text.encode("utf-8", "backslashreplace")  # only lone surrogates are left over: \ud800 is their JSON escape


def shown(value: Any) -> str:
    """Give a short form of what came, for a message; large values are cut before they are written out."""
    text = reprlib.repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def to_array(data: Any, dtype: str, where: str, max_rank: int = MAX_RANK) -> Array:
    """Turn nested lists of numbers into an array of the shape in which they are nested.

    Args:
        data: A list, or lists of equal length in lists, of numbers (of true and false for `bool`).
        dtype: The contract's dtype.
        where: What the data are, for messages.
        max_rank: Levels of lists that are taken.

    Returns:
        An array of `dtype`, of at most `max_rank` axes.

    Raises:
        InputError: The data are no list, ragged, nested deeper, of another kind, not whole, or beyond the dtype.
    """
    if not isinstance(data, list):
        raise InputError(f"{where} is {shown(data)}, expected a list of numbers")
    values, shape = _flatten(data, where, max_rank)
    return _convert(values, dtype, where).reshape(shape)


def _flatten(data: list[Any], where: str, max_rank: int) -> tuple[list[Any], tuple[int, ...]]:
    """Take nested lists apart, level by level: the values, and the shape."""
    shape = [len(data)]
    while data and isinstance(data[0], list):
        if len(shape) == max_rank:
            raise InputError(f"{where} is nested more than {max_rank} deep, expected at most {max_rank} levels of lists")
        stray = next((item for item in data if not isinstance(item, list)), data)
        if stray is not data:
            raise InputError(f"{where} holds {shown(stray)} beside lists, expected lists of equal length")
        lengths = set(map(len, data))
        if len(lengths) != 1:
            raise InputError(f"{where} is ragged: lists of {min(lengths)} and of {max(lengths)} on one level, expected equal lengths")
        shape.append(lengths.pop())
        data = list(chain.from_iterable(data))
    return data, tuple(shape)


def _convert(values: list[Any], dtype: str, where: str) -> Array:
    allowed = {bool} if dtype == "bool" else {int, float}
    kinds = set(map(type, values))
    if kinds - allowed:
        bad = next(value for value in values if type(value) not in allowed)
        raise InputError(f"{where} holds {shown(bad)}, expected {'true or false' if dtype == 'bool' else f'numbers ({dtype})'}")
    if dtype == "float32":
        return _floats(values, where)
    return np.array(values, dtype=bool) if dtype == "bool" else _integers(values, dtype, where, float in kinds)


def _floats(values: list[Any], where: str) -> Array:
    try:
        exact = np.array(values, dtype=np.float64)
    except OverflowError:
        raise InputError(f"{where} holds a whole number beyond float32, expected at most about 3.4e38") from None
    with np.errstate(over="ignore"):
        array = exact.astype(np.float32)
    bad = ~np.isfinite(array)
    if bad.any():
        raise InputError(f"{where} holds {shown(values[int(np.argmax(bad))])}, beyond float32, expected at most about 3.4e38")
    return array


def _integers(values: list[Any], dtype: str, where: str, mixed: bool) -> Array:
    if mixed:
        broken = [value for value in values if type(value) is float and not value.is_integer()]
        if broken:
            raise InputError(f"{where} holds {shown(broken[0])}, expected whole numbers ({dtype})")
        values = [int(value) for value in values]
    if dtype == "uint8":
        with contextlib.suppress(ValueError):  # a value is outside: the words for it are below
            return np.frombuffer(bytes(values), np.uint8)
    limits = np.iinfo(dtype)
    try:
        wide = np.array(values, dtype=np.int64)
        low, high = (int(wide.min()), int(wide.max())) if values else (0, 0)
    except OverflowError:
        wide, low, high = np.zeros(0, np.int64), min(values), max(values)
    for worst in (low, high):
        if not limits.min <= worst <= limits.max:
            raise InputError(f"{where} holds {shown(worst)}, expected {dtype}, {limits.min} to {limits.max}")
    return wide.astype(dtype, copy=False)


def _constant(name: str) -> NoReturn:
    raise InputError(f"the JSON holds {name}, expected finite numbers")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise InputError(f"the JSON gives the key {shown(twice)} twice in one object, expected each once")
    return document


# Made once: `json.loads` and `json.dumps` make them anew for every message, which takes as long as a small message itself.
_DECODER = json.JSONDecoder(parse_constant=_constant, object_pairs_hook=_unique)
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)
