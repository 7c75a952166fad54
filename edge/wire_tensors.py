"""One tensor on the wire: values in the JSON, or raw little-endian bytes behind it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Callable, Optional

import numpy as np

from edge.contract import Tensor
from edge.errors import InputError
from edge.json_tensors import dumps, shown, to_array

Array = np.ndarray[Any, Any]
TextWriter = Callable[[Array, str], "tuple[list[str], bytes]"]
HEADER_LENGTH = "Inference-Header-Content-Length"
DATATYPES: Mapping[str, str] = {
    "uint8": "UINT8",
    "int8": "INT8",
    "int32": "INT32",
    "int64": "INT64",
    "float32": "FP32",
    "bool": "BOOL",
}
_WHOLE = {dtype: (np.iinfo(dtype).min, np.iinfo(dtype).max) for dtype in ("uint8", "int8", "int32", "int64")}  # nothing is outside
_WIRE = {dtype: np.dtype("uint8" if dtype == "bool" else dtype).newbyteorder("<") for dtype in DATATYPES}
DTYPES = {datatype: dtype for dtype, datatype in DATATYPES.items()}


@dataclass(frozen=True)
class Message:
    """A body and the HTTP headers that tell how to read it."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Tail:
    """The raw bytes behind the JSON document, taken piece by piece."""

    def __init__(self, body: bytes, start: int) -> None:
        self.body, self.offset = body, start

    def take(self, entry: Mapping[str, Any], expected: int, where: str) -> Optional[int]:
        """Give the offset of an entry's bytes, or None where its values are in the JSON."""
        size = parameters_of(entry, where).get("binary_data_size")
        if size is None:
            return None
        if type(size) is not int or size != expected:
            raise InputError(f"{where}: binary_data_size is {shown(size)}, expected {expected} bytes for its shape and datatype")
        start, left = self.offset, len(self.body) - self.offset
        if size > left:
            raise InputError(
                f"{where}: {size} bytes should follow the JSON, but {left} are left; check {HEADER_LENGTH} and binary_data_size"
            )
        self.offset += size
        return start

    def finish(self) -> None:
        """Refuse bytes that belong to no tensor."""
        left = len(self.body) - self.offset
        if left:
            raise InputError(f"{left} bytes follow the last tensor, expected none; check {HEADER_LENGTH} and binary_data_size")


def read_tensor(entry: Mapping[str, Any], dtype: str, shape: tuple[int, ...], tail: Tail, where: str, *, finite: bool = True) -> Array:
    """Read one tensor, from the bytes behind the JSON or from its `data`, flat or nested as its shape.

    Args:
        entry: The tensor's JSON object.
        dtype: The contract's dtype.
        shape: The shape that the entry gives, already checked.
        tail: The bytes behind the JSON.
        where: What the tensor is, for messages.
        finite: Whether NaN and Infinity in bytes are refused; JSON never holds them.

    Returns:
        An array of that dtype and shape; it may be read-only.

    Raises:
        InputError: Count, nesting, lengths or values do not fit.
    """
    count = math.prod(shape)
    start = tail.take(entry, count * np.dtype(dtype).itemsize, where)
    if start is not None:
        if "data" in entry:
            raise InputError(f"{where} has data and binary_data_size, expected one of them")
        return from_bytes(tail.body, start, count, dtype, where, finite).reshape(shape)
    if "data" not in entry:
        raise InputError(f"{where}: data is missing, expected {count} values, or parameters.binary_data_size")
    array = to_array(entry["data"], dtype, f"{where}: data", max(len(shape), 1))
    if array.shape not in (shape, (count,)):
        came = f"{len(array)} values" if array.ndim == 1 else f"nested as {list(array.shape)}"
        raise InputError(f"{where}: data is {came}, expected {count} values, flat or nested as {list(shape)}")
    return array.reshape(shape)


def from_bytes(body: bytes, start: int, count: int, dtype: str, where: str, finite: bool) -> Array:
    """Read little-endian values; see `read_tensor`.

    Args:
        body: At least as long as it must be.
        start: Where the values begin.
        count: How many there are.
        dtype: The contract's dtype.
        where: What the tensor is, for messages.
        finite: Whether NaN and Infinity are refused.

    Returns:
        A flat array; it may be read-only.

    Raises:
        InputError: A value does not fit.
    """
    wire = _WIRE[dtype]
    array = np.frombuffer(body, dtype=wire, count=count, offset=start)
    if dtype == "bool" and count and array.max() > 1:
        raise InputError(f"{where} holds the byte {array.max()}, expected 0 or 1 (BOOL)")
    if dtype == "float32" and finite and not np.isfinite(array).all():
        raise InputError(f"{where} holds NaN or Infinity, expected finite numbers")
    native = array.astype(dtype, copy=False)
    return native if native.flags.aligned else native.copy()


def write_message(
    document: dict[str, Any], side: str, tensors: Sequence[tuple[str, Array, bool]], texts: Optional[TextWriter] = None
) -> Message:
    """Write a document with its tensors.

    Args:
        document: The other fields; `side` is added.
        side: `inputs` or `outputs`.
        tensors: Name, array, and whether it goes as bytes behind the JSON.
        texts: Writes arrays of texts, both ways; None where there are none.

    Raises:
        InputError: A dtype that the protocol has no name for here, or NaN or Infinity in JSON.
    """
    plain = "id" not in document and all(type(value) is str for value in document.values())  # ids differ, the rest is often the same
    if plain and tensors and all(binary and _datatype(array.dtype) for _, array, binary in tensors):
        layout = tuple((name, array.dtype, array.shape) for name, array, _ in tensors)
        head, headers = _binary_head(tuple(document.items()), side, layout)
        return Message(b"".join((head, *(_little_endian(array) for _, array, _ in tensors))), headers)
    entries: list[dict[str, Any]] = []
    tail: list[bytes] = []
    for name, array, binary in tensors:
        datatype = _datatype(array.dtype)
        if datatype is None and texts is not None and array.dtype.kind in "USO":
            words, content = texts(array, repr(name))
            entries.append({"name": name, "datatype": "BYTES", "shape": list(array.shape)})
            entries[-1].update({"parameters": {"binary_data_size": len(content)}} if binary else {"data": words})
            tail += [content] if binary else []
            continue
        if datatype is None:
            raise InputError(f"{name!r} is {array.dtype}, expected one of {', '.join(DATATYPES)}")
        entry: dict[str, Any] = {"name": name, "datatype": datatype, "shape": list(array.shape)}
        if binary:
            content = _little_endian(array)
            entry["parameters"] = {"binary_data_size": len(content)}
            tail.append(content)
        else:
            entry["data"] = array.ravel().tolist()
        entries.append(entry)
    document[side] = entries
    header = dumps(document)
    if not tail:
        return Message(header, {"Content-Type": "application/json"})
    return Message(header + b"".join(tail), {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(len(header))})


@lru_cache(maxsize=64)
def _datatype(dtype: np.dtype[Any]) -> Optional[str]:
    """Name a dtype in the protocol's terms, None where it has no name."""
    return DATATYPES.get(dtype.name)


def _little_endian(array: Array) -> bytes:
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


@lru_cache(maxsize=256)
def _binary_head(
    document: tuple[tuple[str, Any], ...], side: str, layout: tuple[tuple[str, np.dtype[Any], tuple[int, ...]], ...]
) -> tuple[bytes, Mapping[str, str]]:
    """Write the document of a message whose tensors all follow it as bytes, and its HTTP headers: the same for every such message."""
    entries = []
    for name, dtype, shape in layout:
        size = {"binary_data_size": math.prod(shape) * dtype.itemsize}
        entries.append({"name": name, "datatype": _datatype(dtype), "shape": list(shape), "parameters": size})
    head = dumps({**dict(document), side: entries})
    return head, {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(len(head))}


def check_range(array: Array, tensor: Tensor, where: str) -> None:
    """Hold values against the contract's range.

    Raises:
        InputError: A value is outside; the message gives it and the range.
    """
    if tensor.range is None or tensor.range == _WHOLE.get(tensor.dtype) or not array.size:
        return
    for value in (array.min(), array.max()):
        if not tensor.range[0] <= value <= tensor.range[1]:
            raise InputError(f"{where} holds {value}, expected values from {tensor.range[0]:g} to {tensor.range[1]:g}")


def parameters_of(holder: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Give an object's `parameters`, empty where there are none.

    Raises:
        InputError: They are no object.
    """
    parameters = holder.get("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise InputError(f"{where}: parameters is {shown(parameters)}, expected an object")
    return parameters or {}
