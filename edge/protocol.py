"""The wire format: inference requests and responses of the Open Inference Protocol (V2), in JSON and with binary tensors.

One codec for the server, the client and the device. A message is a JSON document; tensors stand in its `data`, or follow it
as raw little-endian bytes, in the order of the document, and then a header gives the length of the document alone.
Every request is held against the contract's graph before anything is computed.

Source: Open Inference Protocol, "V2 inference protocol" (KServe), with its binary tensor data extension.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional, Union

import numpy as np

from edge.contract import Graph, Tensor
from edge.errors import InputError
from edge.json_tensors import parse, shown
from edge.wire_tensors import (
    DATATYPES,
    DTYPES,
    HEADER_LENGTH,
    Message,
    Tail,
    check_range,
    parameters_of,
    read_tensor,
    write_message,
)
from edge.wire_texts import BYTES, only_texts, read_texts, text_array, text_shape, write_texts

Array = np.ndarray[Any, Any]
__all__ = [
    "DATATYPES",
    "HEADER_LENGTH",
    "InferRequest",
    "InferResponse",
    "Message",
    "decode_request",
    "decode_response",
    "encode_request",
    "encode_response",
]


@dataclass(frozen=True)
class InferRequest:
    """A request that fits its graph: (N, …) arrays by tensor name, and the outputs asked for, each binary or not.

    Where `texts` came in the place of the graph's inputs, which are to be made of them, there are no arrays.
    """

    inputs: Mapping[str, Array]
    outputs: Mapping[str, bool]
    id: Optional[str] = None
    texts: Optional[Sequence[str]] = None

    @property
    def count(self) -> int:
        """Number of samples, at least 1."""
        return len(next(iter(self.inputs.values())))


@dataclass(frozen=True)
class InferResponse:
    """An answer: (N, …) arrays by tensor name."""

    model_name: str
    model_version: str
    outputs: Mapping[str, Array]
    id: Optional[str] = None


def decode_request(
    body: bytes, graph: Graph, header_length: Union[str, int, None] = None, *, max_batch: Optional[int] = None, texts: bool = False
) -> InferRequest:
    """Read an inference request and hold it against a graph.

    Args:
        body: The HTTP body.
        graph: What the model takes and gives.
        header_length: Value of the `Inference-Header-Content-Length` header, where there is one.
        max_batch: The largest number of samples that is taken.
        texts: Whether one tensor of texts, of the datatype BYTES and of any name, may come in the place of the inputs.

    Returns:
        The request; arrays are in native byte order and of the contract's dtypes, every value finite and in its range.

    Raises:
        InputError: What is wrong with which field, what came, and what was expected.
    """
    document, tail = _open(body, header_length)
    entries = _entries(document, "inputs", graph.inputs)
    if texts and only_texts(entries):
        where = "inputs[0]"
        found = read_texts(entries[0], text_shape(entries[0], max_batch, where), tail, where)
        tail.finish()
        return InferRequest({}, _wanted(document, graph.outputs), _id(document), found)
    axes: dict[str, int] = {}
    inputs = {}
    for i, entry in enumerate(entries):
        tensor = _known(entry, graph.inputs, f"inputs[{i}]")
        where = f"inputs[{i}] {tensor.name!r}"
        if tensor.name in inputs:
            raise InputError(f"{where} came before, expected each input once")
        if entry.get("datatype") != DATATYPES[tensor.dtype]:
            raise InputError(f"{where}: datatype is {shown(entry.get('datatype'))}, expected {DATATYPES[tensor.dtype]!r}")
        shape = _fitting_shape(entry, tensor, axes, max_batch, where)
        inputs[tensor.name] = read_tensor(entry, tensor.dtype, shape, tail, where)
        check_range(inputs[tensor.name], tensor, where)
    tail.finish()
    missing = [t.name for t in graph.inputs if t.name not in inputs]
    if missing:
        raise InputError(f"inputs: {missing[0]!r} is missing, expected {_names(graph.inputs)}")
    return InferRequest(inputs, _wanted(document, graph.outputs), _id(document))


def encode_response(model_name: str, model_version: str, outputs: Mapping[str, Array], request: InferRequest) -> Message:
    """Write an answer in the form that the request asked for.

    Raises:
        InputError: An output that is to go as JSON holds NaN or Infinity.
    """
    document: dict[str, Any] = {"model_name": model_name, "model_version": model_version}
    if request.id is not None:
        document["id"] = request.id
    return write_message(document, "outputs", [(name, outputs[name], binary) for name, binary in request.outputs.items()])


def encode_request(
    inputs: Mapping[str, Array], *, outputs: Optional[Sequence[str]] = None, binary: bool = True, id: Optional[str] = None
) -> Message:  # `id` is the protocol's word
    """Write an inference request; the client's half.

    Args:
        inputs: (N, …) arrays by tensor name, of the contract's dtypes; for models that take texts, one array of strings.
        outputs: Names of the outputs wanted; all where it is None.
        binary: Whether tensors go, and are to come, as raw bytes.
        id: An identifier that the answer repeats.

    Raises:
        InputError: A dtype that the protocol has no name for here, or NaN or Infinity in JSON.
    """
    document: dict[str, Any] = {} if id is None else {"id": id}
    if binary:
        document["parameters"] = {"binary_data_output": True}
    if outputs is not None:
        document["outputs"] = [{"name": name, "parameters": {"binary_data": binary}} for name in outputs]
    return write_message(document, "inputs", [(name, array, binary) for name, array in inputs.items()], write_texts)


def decode_response(body: bytes, header_length: Union[str, int, None] = None) -> InferResponse:
    """Read an answer; the client's half.

    Raises:
        InputError: The body is no such answer; the message names the field.
    """
    document, tail = _open(body, header_length)
    outputs = {}
    for i, entry in enumerate(_entries(document, "outputs", ())):
        where = f"outputs[{i}]"
        name, datatype, shape = entry.get("name"), entry.get("datatype"), entry.get("shape")
        if not isinstance(name, str) or name in outputs:
            raise InputError(f"{where}: name is {shown(name)}, expected a name that did not come before")
        if not isinstance(datatype, str) or datatype not in (*DTYPES, BYTES):
            raise InputError(f"{where}: datatype is {shown(datatype)}, expected one of {', '.join((*DTYPES, BYTES))}")
        if not _is_shape(shape, 0):
            raise InputError(f"{where}: shape is {shown(shape)}, expected a list of sizes")
        if datatype == BYTES:
            outputs[name] = text_array(read_texts(entry, math.prod(shape or ()), tail, where), tuple(shape or ()))
            continue
        outputs[name] = read_tensor(entry, DTYPES[datatype], tuple(shape or ()), tail, where, finite=False)
    tail.finish()
    model_name, model_version = document.get("model_name"), document.get("model_version", "")
    if not isinstance(model_name, str) or not isinstance(model_version, str):
        raise InputError(f"model_name is {shown(model_name)} and model_version {shown(model_version)}, expected two strings")
    return InferResponse(model_name, model_version, outputs, _id(document))


def _open(body: bytes, header_length: Union[str, int, None]) -> tuple[dict[str, Any], Tail]:
    """Split a body into its JSON document and what follows."""
    length = len(body)
    if header_length is not None:
        text = str(header_length).strip()
        length = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
        if not 0 < length <= len(body):
            raise InputError(
                f"{HEADER_LENGTH} is {shown(header_length)}, expected the length of the JSON, 1 to {len(body)} bytes of this body"
            )
    document = parse(body[:length])
    if not isinstance(document, dict):
        raise InputError(f"the body is {shown(document)}, expected a JSON object")
    return document, Tail(body, length)


def _entries(document: Mapping[str, Any], side: str, tensors: Sequence[Tensor]) -> list[dict[str, Any]]:
    entries = document.get(side)
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{side} is {shown(entries)}, expected a list of tensors{': ' + _names(tensors) if tensors else ''}")
    for i, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise InputError(f"{side}[{i}] is {shown(entry)}, expected an object")
    return entries


def _known(entry: Mapping[str, Any], tensors: Sequence[Tensor], where: str) -> Tensor:
    name = entry.get("name")
    for tensor in tensors:
        if tensor.name == name:
            return tensor
    raise InputError(f"{where}: name is {shown(name)}, expected one of {_names(tensors)}")


def _fitting_shape(entry: Mapping[str, Any], tensor: Tensor, axes: dict[str, int], max_batch: Optional[int], where: str) -> tuple[int, ...]:
    """Hold a shape against the contract; axes of one name must be of one size in all inputs."""
    shape = entry.get("shape")
    wanted = "[" + ", ".join(map(str, tensor.shape)) + "]"
    if not isinstance(shape, list) or not _is_shape(shape, 1) or len(shape) != len(tensor.shape):
        raise InputError(f"{where}: shape is {shown(shape)}, expected {wanted} with sizes of at least 1")
    if max_batch is not None and shape[0] > max_batch:
        raise InputError(f"{where}: the batch is {shown(shape[0])}, expected at most {max_batch}; send several requests")
    for size, axis in zip(shape, tensor.shape):
        expected = axes.setdefault(axis, size) if isinstance(axis, str) else axis
        if size != expected:
            hint = f", {axis} {expected} as in the other inputs" if isinstance(axis, str) else ""
            raise InputError(f"{where}: shape is {shown(shape)}, expected {wanted}{hint}")
    return tuple(shape)


def _is_shape(shape: Any, least: int) -> bool:
    return isinstance(shape, list) and len(shape) <= 32 and all(type(size) is int and least <= size < 1 << 48 for size in shape)


def _wanted(document: Mapping[str, Any], tensors: Sequence[Tensor]) -> dict[str, bool]:
    """Tell which outputs are asked for, and which of them as raw bytes."""
    default = _flag(parameters_of(document, "the request"), "binary_data_output", False, "parameters")
    if document.get("outputs") is None:
        return {tensor.name: default for tensor in tensors}
    wanted: dict[str, bool] = {}
    for i, entry in enumerate(_entries(document, "outputs", tensors)):
        where = f"outputs[{i}]"
        name = _known(entry, tensors, where).name
        if name in wanted:
            raise InputError(f"{where}: {name!r} came before, expected each output once")
        wanted[name] = _flag(parameters_of(entry, where), "binary_data", default, f"{where}.parameters")
    return wanted


def _flag(parameters: Mapping[str, Any], name: str, default: bool, where: str) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise InputError(f"{where}.{name} is {shown(value)}, expected true or false")
    return value


def _id(document: Mapping[str, Any]) -> Optional[str]:
    identifier = document.get("id")
    if identifier is not None and not isinstance(identifier, str):
        raise InputError(f"id is {shown(identifier)}, expected a string")
    return identifier


def _names(tensors: Sequence[Tensor]) -> str:
    return ", ".join(repr(tensor.name) for tensor in tensors)
