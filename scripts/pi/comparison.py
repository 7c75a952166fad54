"""Hold the answers of an emulated Pi against those of this machine, value by value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.contract import Tolerance
from edge.variants import Variant
from pi.released import WHOLE_NUMBERS

Array = np.ndarray[Any, Any]
EQUAL, WITHIN, FAILED = "equal", "within", "FAILED"


@dataclass(frozen=True)
class Row:
    """One released file on one emulated Pi.

    `differing` of `values` outputs have other bytes than on this machine, by up to `difference`; `drift` is the largest
    difference from the trainer's golden answers, which the loader has held to the file's own tolerance. Both are held to
    `tolerance`.
    """

    model: str
    file: str
    sha256: str
    recipe: str
    runtime: str
    version: str
    system: str
    processor: str
    golden: int
    test: int
    values: int
    differing: int
    difference: float
    drift: float
    tolerance: float
    verdict: str
    why: str = ""


def exact(variant: Variant, runtime: str, version: str, version_here: str) -> bool:
    """Tell whether the bytes have to be equal: integers on the same version of a runtime that calculates them in one way."""
    return variant.recipe == WHOLE_NUMBERS and runtime == "ai-edge-litert" and version == version_here


def bound(variant: Variant, promised: Tolerance) -> float:
    """Return the largest difference that is accepted: what the contract promises, or what the file proved where that is more.

    A file's own tolerance is 1.25 times what it drifted on golden inputs; two processors may round apart by more than that
    where it hardly drifted.
    """
    return max(variant.tolerance, promised.onnx if variant.format == "onnx" else promised.tflite)


def differences(there: Mapping[str, Array], here: Mapping[str, Array]) -> tuple[int, int, float]:
    """Compare outputs by name.

    Returns:
        The number of values, how many have other bytes, and the largest absolute difference; infinite where shapes, names or
        dtypes differ or only one of two values is a number.
    """
    values = sum(array.size for array in here.values())
    if {name: (array.shape, array.dtype) for name, array in there.items()} != {n: (array.shape, array.dtype) for n, array in here.items()}:
        return values, values, float("inf")
    differing, largest = 0, 0.0
    for name, array in here.items():
        other = there[name]
        differing += int(np.sum(_bits(array) != _bits(other)))
        gap = np.abs(array.astype(np.float64) - other.astype(np.float64))
        gap = np.where(np.isnan(array) & np.isnan(other), 0.0, gap)
        largest = max(largest, float(np.where(np.isnan(gap), np.inf, gap).max(initial=0.0)))
    return values, differing, largest


def verdict(differing: int, difference: float, drift: float, tolerance: float, must_be_exact: bool) -> tuple[str, str]:
    """Judge a row; the second word says why it failed."""
    if must_be_exact and differing:
        return FAILED, f"{differing} values have other bytes than here"
    if not drift <= tolerance or not difference <= tolerance:
        return FAILED, f"differs by {max(drift, difference):.4g}, tolerance {tolerance:.4g}"
    return (EQUAL if not differing else WITHIN), ""


def _bits(array: Array) -> Array:
    """Return the same memory as whole numbers, so that zeros of two signs differ and equal not-a-numbers do not."""
    return np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}")
