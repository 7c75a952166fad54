"""From what a caller has to rows of the model's input: preprocessed, checked against the contract, put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

import numpy as np

from edge.contract import Contract, Tensor
from edge.errors import InputError
from edge.steps import Aside, Pipeline
from edge.steps.options import Chosen
from edge.wire_tensors import check_range

Array = np.ndarray[Any, Any]


class Row(dict[str, Array]):
    """One prepared sample by tensor name; `frame` tells where the caller's picture lies in it, or how much was asked for, else None."""

    frame: Optional[Aside] = None


def prepare(contract: Contract, pipeline: Pipeline, value: Any) -> Row:
    """Preprocess one input into one row per tensor, each checked against the contract.

    Args:
        contract: The model's.
        pipeline: Its preprocessing.
        value: What the first step takes, or `Chosen`, that and the options beside it; or a mapping of tensor name to one row.

    Raises:
        InputError: The value does not fit; the message says what was expected.
    """
    tensors = contract.main.inputs
    names = [tensor.name for tensor in tensors]
    frame: Optional[Aside] = None
    value, asked = (value.value, value.options) if isinstance(value, Chosen) else (value, {})
    if isinstance(value, Mapping) and not pipeline.takes_objects:
        if asked:
            raise InputError(f"{contract.name}: got options beside rows, which hold them already; leave the options out")
        rows = dict(value)
    elif len(tensors) == 1 + len(pipeline.options):
        chosen = pipeline.chosen(asked)
        array, frame = pipeline.framed(value)
        rows = {tensors[0].name: array, **chosen}
    else:
        raise InputError(f"{contract.name}: got {type(value).__name__}, expected a mapping with {', '.join(names)}")
    unknown = sorted(set(rows) - set(names))
    if unknown:
        raise InputError(f"{contract.name}: no input is called {unknown[0]!r}; there are {', '.join(names)}")
    prepared = Row({tensor.name: _row(contract.name, tensor, rows) for tensor in tensors})
    prepared.frame = frame
    _check_axes(contract, prepared)
    return prepared


def stack(name: str, rows: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """Put prepared rows of a model together into (N, …) arrays.

    Raises:
        InputError: They differ in the size of a dynamic axis.
    """
    for tensor in rows[0]:
        shapes = {row[tensor].shape for row in rows}
        if len(shapes) != 1:
            raise InputError(f"{name}: input {tensor!r} comes in shapes {sorted(shapes)}, expected one; send them one by one")
    return {tensor: np.stack([row[tensor] for row in rows]) for tensor in rows[0]}


def check_batch(contract: Contract, inputs: Mapping[str, Array]) -> None:
    """Hold (N, …) arrays by tensor name against the contract.

    Raises:
        InputError: An array is missing, unknown, or of another dtype or shape than the contract's.
    """
    tensors = contract.main.inputs
    if set(inputs) != {tensor.name for tensor in tensors}:
        raise InputError(f"{contract.name}: got {', '.join(inputs) or 'no input'}, expected {', '.join(t.name for t in tensors)}")
    for tensor in tensors:
        array, first = inputs[tensor.name], inputs[tensors[0].name]  # which has been found good when the others are looked at
        if not isinstance(array, np.ndarray):
            raise InputError(f"{contract.name}: input {tensor.name!r} is {type(array).__name__}, expected an array; see contract.json")
        if array.dtype != tensor.dtype or not tensor.takes_batch(array.shape) or not 1 <= len(array) == len(first):
            raise InputError(
                f"{contract.name}: input {tensor.name!r} is {array.dtype} {array.shape}, "
                f"expected {tensor.dtype} {tensor.shape} with 1 sample or more; see contract.json"
            )


def _check_axes(contract: Contract, rows: Mapping[str, Array]) -> None:
    """Hold axes of one name (`length`) to one size across all inputs."""
    seen: dict[str, tuple[str, int]] = {}
    for tensor in contract.main.inputs:
        for axis, size in zip(tensor.row_shape, rows[tensor.name].shape):
            if not isinstance(axis, str):
                continue
            first, expected = seen.setdefault(axis, (tensor.name, size))
            if size != expected:
                raise InputError(f"{contract.name}: {axis} is {size} in {tensor.name!r} and {expected} in {first!r}, expected one size")


def _row(name: str, tensor: Tensor, rows: Mapping[str, Any]) -> Array:
    if tensor.name not in rows:
        raise InputError(f"{name}: input {tensor.name!r} is missing")
    try:
        row = np.asarray(rows[tensor.name])
    except ValueError as error:
        raise InputError(f"{name}: input {tensor.name!r} is no array ({error})") from None
    if row.dtype != tensor.dtype or not tensor.takes_row(row.shape):
        raise InputError(
            f"{name}: input {tensor.name!r} is {row.dtype} {row.shape}, expected {tensor.dtype} {tensor.row_shape}; see contract.json"
        )
    check_range(row, tensor, f"{name}: input {tensor.name!r}")
    return row
