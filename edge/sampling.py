"""From scores to the next token: greedy or by chance, the same choice on server and device for the same seed.

Source: Fan, Lewis, Dauphin 2018, "Hierarchical Neural Story Generation" (top-k sampling); O'Neill 2014, "PCG" (the generator).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.errors import InputError

Array = np.ndarray[Any, Any]
MAX_TEMPERATURE = 100.0
MAX_SEED = (1 << 63) - 1  # JSON readers of other languages keep whole numbers up to here


@dataclass(frozen=True)
class Sampling:
    """How a token is chosen: `temperature` 0 takes the best, 1 follows the model; only the `top_k` best take part, 0 means all."""

    temperature: float = 1.0
    top_k: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what would have no meaning.

        Raises:
            InputError: The message names the field and what was expected.
        """
        number = not isinstance(self.temperature, bool) and isinstance(self.temperature, (int, float))
        if not number or not math.isfinite(self.temperature) or not 0 <= self.temperature <= MAX_TEMPERATURE:
            raise InputError(f"temperature is {self.temperature!r}, expected a number from 0 to {MAX_TEMPERATURE:g}")
        if type(self.top_k) is not int or not 0 <= self.top_k <= 1 << 31:
            raise InputError(f"top_k is {self.top_k!r}, expected a whole number, 0 for all tokens")
        if type(self.seed) is not int or not 0 <= self.seed <= MAX_SEED:
            raise InputError(f"seed is {self.seed!r}, expected a whole number from 0 to {MAX_SEED}")


class Sampler:
    """Chooses one token after the other; two samplers of one seed choose alike.

    Raw bits of PCG64 are drawn, since numpy promises that they never change; each choice takes exactly one draw, so the
    choices do not depend on how many tokens took part before.
    """

    def __init__(self, sampling: Sampling) -> None:
        """Begin at the seed."""
        self._sampling, self._bits = sampling, np.random.PCG64(sampling.seed)

    def __call__(self, scores: Array) -> int:
        """Choose a token.

        Args:
            scores: (V,) logits, finite.

        Returns:
            Its number, 0 to V - 1; of equal scores the lower number counts as the better.

        Raises:
            InputError: A score is NaN or infinite.
        """
        if not np.isfinite(scores).all():
            raise InputError("the model's scores are NaN or infinite, expected finite numbers; begin again with another prompt")
        draw = (int(self._bits.random_raw()) >> 11) * 2.0**-53  # 53 random bits: a number from 0 to below 1
        if self._sampling.temperature == 0:
            return int(np.argmax(scores))
        order = np.argsort(-scores, kind="stable")
        order = order[: self._sampling.top_k or len(order)]
        scaled = scores[order].astype(np.float64) / max(self._sampling.temperature, 1e-6)
        reached = np.cumsum(np.exp(scaled - scaled[0]))
        return int(order[min(int(np.searchsorted(reached, draw * reached[-1], side="right")), len(order) - 1)])
