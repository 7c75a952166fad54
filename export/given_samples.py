"""The samples that come with a model from elsewhere: held against the contract, and parted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.contract import Contract, Tensor
from edge.errors import InputError
from edge.storage import load_npz
from export.metric import misfit

Array = np.ndarray[Any, Any]
GOLDEN, CALIBRATION, PARTED = 8, 256, 32


@dataclass(frozen=True)
class Parts:
    """Arrays for the three files of a hand-over, by their keys there; `words` say where they come from."""

    golden: Mapping[str, Array]
    calibration: Mapping[str, Array]
    evaluation: Mapping[str, Array]
    words: str


def read(path: Path, promise: Contract) -> dict[str, Array]:
    """Read inputs: an array for each tensor, called as it is or `input/<name>`; a single one may be called anything.

    Returns:
        (N, …) arrays by `input/<tensor>`.

    Raises:
        InputError: The file is no `.npz` of plain arrays, or an array is missing, of another dtype, shape or number, or not finite.
    """
    return _inputs(load_npz(path), path, promise)


def read_evaluation(path: Path, promise: Contract) -> dict[str, Array]:
    """Read inputs and `target`, what is right for each.

    Raises:
        InputError: See `read`; or `target` is missing, of another length, or has classes without a label.
    """
    arrays = load_npz(path)
    target = arrays.pop("target", None)
    found = _inputs(arrays, path, promise)
    count = len(next(iter(found.values())))
    if promise.parity_only:
        raise InputError(f"{path}: the contract's metric is parity_only; name the metric that --eval shall measure, or leave --eval away")
    if target is None or target.ndim == 0 or len(target) != count:
        came = "no array 'target'" if target is None else f"'target' is {target.shape}"
        raise InputError(f"{path}: {came}, expected {count} classes or values, one a sample; or leave --eval away for parity only")
    problem = misfit(promise, target)
    if problem:
        raise InputError(f"{path}: {problem}")
    if target.dtype.kind in "iu":
        target = target.astype(np.int64)
        labels = len(promise.labels)
        if labels and target.ndim == 1 and (target.min() < 0 or target.max() >= labels):
            raise InputError(
                f"{path}: 'target' has classes {target.min()} to {target.max()}, the contract has labels for 0 to {labels - 1}"
            )
    return {**found, "target": target}


def part(samples: Mapping[str, Array], measured: Mapping[str, Array] | None) -> Parts:
    """Part samples: the first few are golden; without an evaluation, half of many calibrate and the others are compared."""
    count = len(next(iter(samples.values())))
    golden = {name: array[:GOLDEN] for name, array in samples.items()}
    if measured is not None:
        words = f"golden and calibration from the {count} samples, figures from the evaluation"
        return Parts(golden, {name: array[:CALIBRATION] for name, array in samples.items()}, measured, words)
    if count < PARTED:
        words = f"only {count} samples: the same calibrate and are compared"
        return Parts(golden, dict(samples), dict(samples), words)
    half = min(count // 2, CALIBRATION)
    words = f"of {count} samples {half} calibrate and {count - half} are compared"
    return Parts(golden, {n: array[:half] for n, array in samples.items()}, {n: array[half:] for n, array in samples.items()}, words)


def _inputs(arrays: Mapping[str, Array], path: Path, promise: Contract) -> dict[str, Array]:
    tensors = promise.main.inputs
    if len(tensors) == len(arrays) == 1:
        arrays = {f"input/{tensors[0].name}": next(iter(arrays.values()))}
    found = {f"input/{t.name}": _tensor(arrays, t, path) for t in tensors}
    counts = {len(array) for array in found.values()}
    if len(counts) != 1 or counts == {0}:
        raise InputError(f"{path}: the inputs have {sorted(counts)} samples, expected one equal number, at least 1")
    return found


def _tensor(arrays: Mapping[str, Array], tensor: Tensor, path: Path) -> Array:
    array = arrays.get(f"input/{tensor.name}", arrays.get(tensor.name))
    if array is None:
        raise InputError(f"{path}: no array {tensor.name!r} (it has {', '.join(arrays) or 'none'}); the contract names this input")
    if array.dtype != tensor.dtype or not tensor.takes_batch(array.shape):
        raise InputError(
            f"{path}: {tensor.name!r} is {array.dtype} {array.shape}, the contract says {tensor.dtype} {tensor.shape}; "
            f"write it with .astype({tensor.dtype!r}), samples first"
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InputError(f"{path}: {tensor.name!r} has values that are not finite (NaN or infinity); mend the samples")
    return array
