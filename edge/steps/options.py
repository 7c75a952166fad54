"""What a caller may choose beside the value that a model answers: one of some names, or a number between two ends.

Each option becomes one row of an input tensor of its own, so what it does is in the graph, and a server, a device and a browser
give the same for the same choice. Without a choice its default holds.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Optional

import numpy as np

from edge.errors import BundleError, ContractError, InputError
from edge.json_tensors import shown
from edge.steps.context import Context
from edge.storage import load_npz, safe_relative

Row = np.ndarray[Any, np.dtype[np.float32]]
NAMED = 8  # names that a message lists
_LONGEST = 40  # characters of a number as text


@dataclass(frozen=True)
class Chosen:
    """What a caller has, and what is chosen beside it, by the option's name."""

    value: Any
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Option:
    """An option as people are offered it: one of `names`, or a number from `low` to `high`."""

    name: str
    default: Any
    names: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1.0


def choose(value: Any, context: Context, *, input: str, names: Sequence[str], default: str, vectors: Optional[str] = None) -> Row:
    """Turn a name into the numbers that stand for it.

    Args:
        value: One of the names, as many numbers of the caller's own as a name stands for, or None for the default.
        context: Gives the folder of assets.
        input: The tensor that the row is for; the name of the option.
        names: What can be chosen.
        default: One of them.
        vectors: An asset, `.npz`, whose array `vectors`, (N, D) float32, holds a row for each name; without it a name is 1 in its
            own place and 0 elsewhere, (N,).

    Returns:
        (D,) float32.

    Raises:
        InputError: There is no such name, or there are not as many finite numbers.
        BundleError: The asset is missing or damaged.
    """
    table = np.eye(len(names), dtype=np.float32) if vectors is None else _table(context, vectors, len(names))
    if isinstance(value, (list, tuple, np.ndarray)):
        return _own(value, table.shape[1], input)
    wanted = default if value is None else value
    if not isinstance(wanted, str) or wanted not in names:
        near = difflib.get_close_matches(str(wanted)[:200], names, 1, 0.5)
        listed = ", ".join(names[:NAMED]) + (f" … ({len(names)} in all)" if len(names) > NAMED else "")
        raise InputError(f"{input} is {shown(wanted)}, expected " + (f"one of {listed}" if not near else f"a name such as {near[0]!r}"))
    found: Row = table[list(names).index(wanted)]
    return found


def slide(value: Any, context: Context, *, input: str, low: float, high: float, default: float) -> Row:
    """Turn a number between two ends into a row.

    Args:
        value: The number, or its text, or None for the default.
        context: Unused.
        input: The tensor that the row is for; the name of the option.
        low: The least that it may be.
        high: The most that it may be.
        default: What holds where nothing is chosen.

    Returns:
        (1,) float32.

    Raises:
        InputError: It is no number, or lies beyond an end.
    """
    del context
    number = default if value is None else _number(value)
    if number is None or not low <= number <= high:
        raise InputError(f"{input} is {shown(value)}, expected a number from {low:g} to {high:g}")
    return np.array([number], np.float32)


def check_choose(input: Any, names: Any, default: Any, vectors: Any = None) -> str:
    """Say what is wrong with the parameters of `choose`; empty where nothing is."""
    if not isinstance(names, (list, tuple)) or not names or not all(isinstance(name, str) and name.strip() for name in names):
        return f"has names={shown(names)}, expected one name or more"
    if len(set(names)) != len(names):
        return f"has names={shown(names)}, expected names that differ from one another"
    if default not in names:
        return f"has default={shown(default)}, expected one of its names"
    if vectors is not None and not (isinstance(vectors, str) and safe_relative(vectors)):
        return f"has vectors={shown(vectors)}, expected the path of an asset"
    return _check_input(input)


def check_slide(input: Any, low: Any, high: Any, default: Any) -> str:
    """Say what is wrong with the parameters of `slide`; empty where nothing is."""
    for name, number in (("low", low), ("high", high), ("default", default)):
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not math.isfinite(number):
            return f"has {name}={shown(number)}, expected a number"
    if not low < high or not low <= default <= high:
        return f"has low={low!r}, default={default!r} and high={high!r}, expected the default between two ends that differ"
    return _check_input(input)


def offered(name: str, parameters: Mapping[str, Any]) -> Option:
    """Describe the option that a step of this name, `choose` or `slide`, gives."""
    own = parameters["input"]
    if name == "choose":
        return Option(own, parameters["default"], tuple(parameters["names"]))
    return Option(own, parameters["default"], (), parameters["low"], parameters["high"])


def _check_input(input: Any) -> str:
    return "" if isinstance(input, str) and input else f"has input={shown(input)}, expected the name of an input tensor"


def _number(value: Any) -> Optional[float]:
    """Read a number, also from a text, as forms and addresses have it; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str, np.integer, np.floating)) or len(str(value)) > _LONGEST:
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _own(value: Any, length: int, name: str) -> Row:
    try:
        row = np.asarray(value, np.float32)
    except (TypeError, ValueError):
        raise InputError(f"{name} is {shown(value)}, expected a name or {length} numbers") from None
    if row.shape != (length,) or not np.isfinite(row).all():
        raise InputError(f"{name} has the shape {row.shape}, expected a name or {length} finite numbers")
    return row


def _table(context: Context, name: str, count: int) -> Row:
    if context.assets is None:
        raise ContractError(f"names need the asset {name}, but no folder of assets is known here")
    path = context.assets / name
    try:
        facts = path.stat()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror}); it belongs to the bundle, copy it again") from None
    return _read(str(path), facts.st_mtime_ns, facts.st_size, count)


@lru_cache(maxsize=8)
def _read(path: str, _changed: int, _size: int, count: int) -> Row:
    try:
        table = load_npz(Path(path)).get("vectors")
    except InputError as error:
        raise BundleError(f"{error}; copy the bundle again") from None
    if table is None or table.dtype != np.float32 or table.ndim != 2 or len(table) != count:
        raise BundleError(f"{path}: expected vectors, ({count}, D) float32, a row for each name; release the model again")
    found: Row = table
    return found
