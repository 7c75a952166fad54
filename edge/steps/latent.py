"""From a seed to the random numbers that a generator makes a picture of: the same on every machine, to the last bit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from edge.errors import InputError
from edge.json_tensors import shown
from edge.steps.context import Context

Latent = np.ndarray[Any, np.dtype[np.float32]]
_WHOLE = 1 << 53  # beyond it JSON's numbers are not whole any more
_TERMS = 12  # uniform numbers whose sum has a variance of 1


def draw_latent(value: Any, _context: Context, *, size: int) -> Latent:
    """Draw normal numbers by a seed, or take those that the caller gives.

    Args:
        value: `{"seed": 7}` or `{"latent": [numbers]}`.
        size: How many there are.

    Returns:
        (size,) float32.

    Raises:
        InputError: It is something else, or there are not as many.
    """
    if not isinstance(value, Mapping) or len(value) != 1 or not value.keys() <= {"seed", "latent"}:
        came = shown(sorted(value)) if isinstance(value, Mapping) else shown(value)
        raise InputError(f'the question is {came}, expected {{"seed": a whole number}} or {{"latent": [{size} numbers]}}')
    if "seed" in value:
        return drawn(_seed(value["seed"]), size)
    numbers = value["latent"]
    is_list = isinstance(numbers, (list, tuple)) and all(type(number) in (int, float) for number in numbers)
    if not is_list or len(numbers) != size or not all(abs(number) <= 1e6 for number in numbers):
        raise InputError(f"latent is {shown(numbers)}, expected {size} finite numbers, about as a standard normal distribution gives them")
    return np.asarray(numbers, dtype=np.float32)


def drawn(seed: int, size: int) -> Latent:
    """Draw (size,) float32 numbers, nearly normal: sums of twelve uniform ones, which need no function that machines round differently.

    Source: SplitMix64 (Steele, Lea and Flood, 2014).
    """
    state = np.uint64(seed) + np.arange(1, size * _TERMS + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    whole = (state ^ (state >> np.uint64(31))) >> np.uint64(33)  # 31 bits each: sums stay whole, so their order is free
    sums = whole.reshape(size, _TERMS).sum(axis=1).astype(np.float64)
    numbers: Latent = (sums / (1 << 31) - _TERMS / 2).astype(np.float32)
    return numbers


def check_draw_latent(size: Any) -> str:
    """Say what is wrong with the parameters of `draw_latent`; empty where nothing is."""
    return "" if type(size) is int and 1 <= size <= 1 << 16 else f"has size={size!r}, expected a whole number from 1 to 65536"


def _seed(seed: Any) -> int:
    if isinstance(seed, float) and math.isfinite(seed) and seed == int(seed):
        seed = int(seed)
    if type(seed) is not int or not 0 <= seed < _WHOLE:
        raise InputError(f"seed is {shown(seed)}, expected a whole number from 0 to {_WHOLE - 1}")
    return seed
