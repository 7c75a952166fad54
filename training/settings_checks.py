"""Numbers that settings hold, checked when the settings are made."""

from __future__ import annotations

import math

from edge.errors import UsageError


def finite(value: object) -> bool:
    """Tell whether a value is a finite number; true and false are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def check_above_zero(name: str, value: float) -> None:
    """Hold a setting to a finite number above 0.

    Raises:
        UsageError: It is none.
    """
    if not (finite(value) and value > 0):
        raise UsageError(f"{name} is {value!r}, expected a finite number above 0")


def check_whole(name: str, value: object, least: int, most: int) -> None:
    """Hold a setting to a whole number.

    Raises:
        UsageError: It is none, or too small or too large.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise UsageError(f"{name} is {value!r}, expected a whole number from {least} to {most}")
