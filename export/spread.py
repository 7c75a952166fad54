"""How far quantized numbers lie from exact ones, channel by channel, summed over samples."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
CEILING_DB, FLOOR_DB = 120.0, -60.0
INT16_GAIN = 65536.0 / 4  # a step is 256 times finer; the range is symmetric, so up to twice as wide


HUGE = 1e30  # TFLite's kernels turn infinities into the largest float32


def decibels(noise: float) -> float:
    """Give the signal-to-noise ratio in dB of noise as a share of the signal's power, kept within bounds."""
    if not noise > 10 ** (-CEILING_DB / 10):
        return CEILING_DB
    return max(FLOOR_DB, -10 * math.log10(noise))


class Spread:
    """Sums over (…, C) arrays; the last axis is the channel."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self.count = 0
        self.max_error = 0.0
        self.infinite = False
        self.lost_infinite = False
        self._sums: dict[str, Array] = {}
        self._dot = self._exact = self._got = self._noise = 0.0

    def add(self, exact: Array, got: Array, signal: Array | None = None) -> None:
        """Take one sample: the exact numbers and the others, of one shape; `signal` is what noise is a share of, if not `exact`."""
        width = exact.shape[-1] if exact.ndim > 1 else max(1, exact.size)
        x, y, s = (np.asarray(a, dtype=np.float64).reshape(-1, width) for a in (exact, got, exact if signal is None else signal))
        finite = _bounded(x)
        if not finite.all():
            self.infinite = True
            self.lost_infinite |= bool(_bounded(y[~finite]).any())
        x = np.where(finite, x, 0.0)
        error = np.where(finite, np.where(_bounded(y), y, np.abs(x).max(initial=1.0)) - x, 0.0)
        y = x + error
        known = _bounded(s)
        s = np.where(known, s, 0.0)
        self.count += 1
        self.max_error = max(self.max_error, float(np.abs(error).max(initial=0.0)))
        for name, values in (("n", known), ("s", s), ("ss", s * s), ("ee", error * error)):
            self._sums[name] = self._sums.get(name, np.zeros(width)) + values.sum(axis=0)
        self._dot += float((x * y).sum())
        self._exact += float((x * x).sum())
        self._got += float((y * y).sum())
        self._noise += float((error * error).sum())

    def noise(self) -> float:
        """Give the noise as a share of the signal's power (its variance), the mean over the channels, each at most 1."""
        power, live = self._power()
        if not live.any():
            return 1.0 if self._noise > 0 else 0.0
        return float(np.minimum(1.0, self._sums["ee"][live] / power[live]).mean())

    def coarse(self, scale: float) -> float | None:
        """Give the noise that steps of this size leave with 16 bits, or None where the steps are not the cause."""
        power, live = self._power()
        if not scale or not live.any():
            return None
        steps = scale * scale / 12 / (power[live] / self._sums["n"][live])
        if np.minimum(1.0, steps).mean() < self.noise() / 4:
            return None
        return float(np.minimum(1.0, steps / INT16_GAIN).mean())

    def snr_db(self) -> float:
        """Give the signal-to-noise ratio of the whole tensor in dB, as it is commonly told."""
        return decibels(self._noise / self._exact) if self._exact else (CEILING_DB if not self._noise else FLOOR_DB)

    def cosine(self) -> float:
        """Give the cosine between the exact and the other numbers; 1 is the same direction."""
        length = math.sqrt(self._exact * self._got)
        return self._dot / length if length else float(self._exact == self._got)

    def _power(self) -> tuple[Array, Array]:
        """Give each channel's variance times its count, and which channels have any; constant ones count by their square."""
        count = np.maximum(self._sums["n"], 1)
        square = self._sums["ss"]
        spread = square - self._sums["s"] ** 2 / count
        power = np.where(spread > 1e-9 * square, spread, square)
        live: Array = power > 0
        return power, live


def _bounded(values: Array) -> Array:
    """Tell which numbers are neither infinite, nor what kernels make of that, nor NaN."""
    kept: Array = np.abs(values) < HUGE
    return kept
