"""Pickles that hold data only: arrays of bytes, lists, dicts, numbers and texts; anything else in them is refused, never run.

A pickle is a program. Of what it may call, only the two functions by which numpy's arrays are rebuilt are left here, and both
are replaced by narrower ones; so a hostile file can waste its own bytes and be refused, and nothing more.
"""

from __future__ import annotations

import codecs
import io
import pickle
import struct
from typing import Any

import numpy as np

from edge.errors import InputError

_MALFORMED = (  # what the reader raises on bytes that are no pickle, or on one that takes itself apart
    *(pickle.UnpicklingError, struct.error, EOFError, OSError, OverflowError, MemoryError, RecursionError),
    *(ValueError, TypeError, KeyError, IndexError, AttributeError, ImportError),
)


def loads(content: bytes, where: str) -> Any:
    """Read a pickle of data, of Python 2 or 3; texts of Python 2 become bytes.

    Args:
        content: The whole file.
        where: Its name, for messages.

    Raises:
        InputError: It is damaged, or asks for anything but data; nothing of it was run.
    """
    try:
        return _DataOnly(io.BytesIO(content), encoding="bytes").load()
    except _MALFORMED as error:
        raise InputError(
            f"{where}: not a pickle of plain data ({str(error)[:200] or type(error).__name__}); nothing of it was run"
        ) from None


class _DataOnly(pickle.Unpickler):
    """An unpickler that knows no other name than those of numpy's arrays."""

    def find_class(self, module: str, name: str) -> Any:
        known = _ALLOWED.get((module, name))
        if known is None:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no data")
        return known

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError(f"it asks for the outside object {str(pid)[:40]!r}, which is no data")


def _array(kind: Any, _shape: Any, _code: Any) -> Any:
    """Begin an array, empty: its content comes next, and whatever shape that has."""
    if kind is not _KIND:
        raise pickle.UnpicklingError("it asks for another kind of array")
    return np.ndarray((0,), np.uint8)


def _dtype(code: Any, *_copied: Any) -> Any:
    if code not in ("u1", b"u1"):
        raise pickle.UnpicklingError(f"it asks for an array of {code!r}, expected one of bytes")
    return np.dtype("u1", False, True)


def _encoded(text: Any, encoding: Any) -> bytes:
    """Make bytes as Python 3 writes them into older forms of pickle."""
    if encoding not in ("latin1", b"latin1"):
        raise pickle.UnpicklingError(f"it asks for the encoding {encoding!r}, expected latin1")
    return codecs.encode(text, "latin1")


_KIND = "numpy.ndarray"  # a name only: called by a pickle, the class itself would take as much memory as that asks for
_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _KIND,
    ("numpy", "dtype"): _dtype,
    ("_codecs", "encode"): _encoded,
    **{(module, "_reconstruct"): _array for module in ("numpy.core.multiarray", "numpy._core.multiarray")},
}
