"""The IDX file format: a magic number, sizes, then values. Source: LeCun, Cortes, Burges, the MNIST database."""

from __future__ import annotations

import math

import numpy as np

from edge.errors import InputError
from training.recipe import Array

_UINT8 = 0x08
_HEAD = 4


def parse(content: bytes, dimensions: int, where: str) -> Array:
    """Read an IDX file of bytes.

    Args:
        content: The whole file.
        dimensions: How many axes are expected: 3 for pictures, 1 for labels.
        where: The file's name, for messages.

    Returns:
        uint8 of that many axes.

    Raises:
        InputError: Another magic number or length than the file's own head promises.
    """
    head = _HEAD + 4 * dimensions
    magic = bytes([0, 0, _UINT8, dimensions])
    if content[:_HEAD] != magic:
        raise InputError(
            f"{where}: begins with {content[:_HEAD].hex() or 'nothing'}, expected {magic.hex()} (IDX, bytes, {dimensions} axes)"
        )
    if len(content) < head:
        raise InputError(f"{where}: {len(content)} bytes, expected {head} for the head alone; the file is cut short")
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", dimensions, _HEAD))
    if len(content) != head + math.prod(shape):
        raise InputError(
            f"{where}: {len(content) - head} bytes of values, expected {math.prod(shape)} for {shape}; the file is cut short or damaged"
        )
    return np.frombuffer(content, np.uint8, offset=head).reshape(shape)
