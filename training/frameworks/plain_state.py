"""A training's state as bytes: arrays as `.npz`, everything else as JSON inside it; nothing in it can be run."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from edge.storage import UNREADABLE

_STRUCTURE, _ARRAY = "structure", "$array"


def encode(state: Mapping[str, Any]) -> bytes:
    """Write arrays and plain containers; an array that stands in several places is stored once.

    Args:
        state: Arrays, numbers, words, lists and mappings from words; a tuple comes back as a list.
    """
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    names: dict[int, str] = {}

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            name = names.setdefault(id(value), f"a{len(names):05d}")
            arrays[name] = value
            return {_ARRAY: name}
        if isinstance(value, Mapping):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(item) for item in value]
        return value.item() if isinstance(value, np.generic) else value

    text = json.dumps(plain(state)).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:  # stored as they are: trained weights hardly shrink
        for name, value in {_STRUCTURE: np.frombuffer(text, np.uint8), **arrays}.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, value, allow_pickle=False)
    return buffer.getvalue()


def decode(content: bytes) -> Any:
    """Read what `encode` wrote.

    Raises:
        ValueError: The bytes are something else.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        structure = json.loads(arrays[_STRUCTURE].tobytes())
        return _filled(structure, arrays)
    except UNREADABLE as error:
        raise ValueError(f"not arrays and JSON: {error}") from None


def _filled(value: Any, arrays: Mapping[str, Any]) -> Any:
    """Put the arrays back where their names stand."""
    if isinstance(value, dict):
        return arrays[value[_ARRAY]] if value.keys() == {_ARRAY} else {key: _filled(item, arrays) for key, item in value.items()}
    return [_filled(item, arrays) for item in value] if isinstance(value, list) else value
