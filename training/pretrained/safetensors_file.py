"""Tables of weights out of a safetensors file, which is plain data: a JSON header, then the numbers. Nothing in it can run.

Source: the format's description, "Safetensors" (Hugging Face, 2022).
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from edge.errors import InputError
from training.recipe import Array

MAX_HEADER_BYTES = 100_000_000
_FLOATS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}


def read(content: bytes, where: str) -> dict[str, Array]:
    """Read the tables of floating numbers, float32 each, by name; others, such as counters, are left out.

    Args:
        content: The file.
        where: What it is, for messages.

    Raises:
        InputError: It is damaged, cut off, or no safetensors file.
    """
    begin = 8 + int.from_bytes(content[:8], "little")
    if len(content) < 8 or begin - 8 > min(len(content) - 8, MAX_HEADER_BYTES):
        raise InputError(f"{where}: {len(content)} bytes, in which no header ends, expected a whole safetensors file; {_SAVE}")
    try:
        header = json.loads(content[8:begin])
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: its header is no JSON ({str(error)[:100]}), expected a whole safetensors file; {_SAVE}") from None
    if not isinstance(header, dict):
        raise InputError(f"{where}: its header is {type(header).__name__}, expected the names of tables; {_SAVE}")
    tables = {name: entry for name, entry in header.items() if name != "__metadata__"}
    return {name: _table(content, begin, name, entry, where) for name, entry in tables.items() if _is_float(entry)}


_SAVE = "save it anew (model.save_pretrained) or copy it again"


def _is_float(entry: Any) -> bool:
    return not isinstance(entry, dict) or entry.get("dtype") not in ("I64", "I32", "I16", "I8", "U8", "BOOL")


def _table(content: bytes, begin: int, name: str, entry: Any, where: str) -> Array:
    try:
        kind = np.dtype(_FLOATS[entry["dtype"]])
        first, last = (int(offset) for offset in entry["data_offsets"])
        shape = tuple(int(size) for size in entry["shape"])
    except (KeyError, TypeError, ValueError):
        raise InputError(
            f"{where}: {name[:100]!r} is described as {str(entry)[:150]}, expected shape, offsets, a dtype of {', '.join(_FLOATS)}; {_SAVE}"
        ) from None
    count = int(np.prod(shape, dtype=np.int64)) if min(shape, default=0) >= 0 else -1
    if not 0 <= first <= last <= len(content) - begin or last - first != count * kind.itemsize:
        raise InputError(
            f"{where}: {name[:100]!r}, {shape}, lies at {first}:{last} of {len(content) - begin} bytes, which cannot be; {_SAVE}"
        )
    values: Array = np.frombuffer(content, kind, count, begin + first).reshape(shape)
    if entry["dtype"] == "BF16":  # the upper half of a float32
        values = (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(np.float32, copy=False)
