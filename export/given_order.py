"""Which of a file's own tensors is which of the contract's: by name where the names agree, else by position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge.contract import Tensor
from edge.errors import ConversionError

Shape = tuple[int | str | None, ...]


@dataclass(frozen=True)
class Own:
    """A tensor as the file declares it; an axis of any size is a text or None."""

    name: str
    dtype: str
    shape: Shape


def match(title: str, side: str, own: Sequence[Own], tensors: Sequence[Tensor]) -> list[Own]:
    """Give the file's tensors in the order of the contract, and hold their dtypes and shapes against it.

    Args:
        title: The file, for messages.
        side: `input` or `output`.
        own: The file's tensors.
        tensors: The contract's.

    Raises:
        ConversionError: Number, dtype or shape differ; the message names the tensor and says where a layout was confused.
    """
    if len(own) != len(tensors):
        raise ConversionError(f"{title}: it has {len(own)} {side}s ({', '.join(o.name for o in own)}), the contract names {len(tensors)}")
    by_name = {tensor.name: tensor for tensor in own}
    ordered = [by_name[t.name] for t in tensors] if set(by_name) == {t.name for t in tensors} else list(own)
    for found, tensor in zip(ordered, tensors, strict=True):
        _check(title, side, found, tensor)
    return ordered


def _check(title: str, side: str, found: Own, tensor: Tensor) -> None:
    where = f"{title}: {side} {tensor.name!r}"
    if found.dtype != tensor.dtype:
        raise ConversionError(
            f"{where} is {found.dtype} in the file, {tensor.dtype} in the contract; the file's own dtype must stand there"
        )
    if not found.shape:
        raise ConversionError(f"{where} has no axes in the file, expected a batch axis first; add one to the model")
    first, row = found.shape[0], found.shape[1:]
    if isinstance(first, int) and first != 1:
        raise ConversionError(f"{where} takes exactly {first} samples at once, expected any number or 1; export the model with batch 1")
    if _fits(row, tensor.row_shape):
        return
    told = ""
    if len(row) == 3 and len(tensor.row_shape) == 3 and _fits((row[1], row[2], row[0]), tensor.row_shape):
        told = "; the file takes channels first (NCHW): write that shape and layout into the contract, pictures are not turned here"
    elif len(row) == 3 and len(tensor.row_shape) == 3 and _fits((row[2], row[0], row[1]), tensor.row_shape):
        told = "; the file takes channels last (NHWC): write that shape and layout into the contract, pictures are not turned here"
    raise ConversionError(f"{where} is {found.shape} in the file, {tensor.shape} in the contract{told or '; correct the contract'}")


def _fits(row: Shape, wanted: tuple[int | str, ...]) -> bool:
    """Tell whether the contract's axes may stand for the file's: an open axis of the file takes any size."""
    return len(row) == len(wanted) and all(not isinstance(a, int) or a == b for a, b in zip(row, wanted, strict=True))
