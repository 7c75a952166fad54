"""How sure the difference of two figures is."""

from __future__ import annotations

import math

import numpy as np

from edge.measures import wilson
from training.recipe import Array


def independent(one: float, one_count: int, other: float, other_count: int) -> tuple[float, float]:
    """Return the 95 % interval of `other - one`, two shares of different samples. Source: Newcombe, 1998, method 10."""
    return _difference(one, wilson(one, one_count), other, wilson(other, other_count), 0.0)


def joined(one: float, one_interval: tuple[float, float], other: float, other_interval: tuple[float, float]) -> tuple[float, float]:
    """Return the 95 % interval of `other - one` from those of two figures; too wide rather than too narrow on the same samples.

    Source: Zou and Donner, Construction of confidence limits about effect measures, 2008.
    """
    return _difference(one, one_interval, other, other_interval, 0.0)


def paired(one: Array, other: Array) -> tuple[float, float]:
    """Return the 95 % interval of how much oftener `other` is right than `one` on the same samples.

    Models mostly fail on the same samples, so it is narrower than that of independent samples.
    Source: Newcombe, 1998, paired data, method 10.

    Args:
        one: (N,) bool, which samples were right.
        other: (N,) bool, in the same order.
    """
    count = len(one)
    both, neither = int(np.sum(one & other)), int(np.sum(~one & ~other))
    only_one, only_other = int(np.sum(one & ~other)), int(np.sum(~one & other))
    product = both * neither - only_one * only_other
    corrected = max(product - count / 2, 0.0) if product > 0 else product
    margins = (both + only_one) * (neither + only_other) * (both + only_other) * (neither + only_one)
    phi = corrected / math.sqrt(margins) if margins else 0.0
    first, second = float(one.mean()), float(other.mean())
    return _difference(first, wilson(first, count), second, wilson(second, count), phi)


def _difference(
    one: float, one_interval: tuple[float, float], other: float, other_interval: tuple[float, float], phi: float
) -> tuple[float, float]:
    """Join two intervals into that of `other - one`, given how far the two go together (`phi`, -1 to 1)."""
    one_low, one_high = one - one_interval[0], one_interval[1] - one
    other_low, other_high = other - other_interval[0], other_interval[1] - other
    below = other_low**2 - 2 * phi * other_low * one_high + one_high**2
    above = other_high**2 - 2 * phi * other_high * one_low + one_low**2
    return other - one - math.sqrt(max(below, 0.0)), other - one + math.sqrt(max(above, 0.0))
