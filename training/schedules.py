"""Learning rates over a training: pure functions of the step, so that a resumed training needs no state to go on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from training.recipe import FitSettings

_BETA1 = 0.9  # of AdamW, and the momentum of SGD
_RISE = 0.3  # the share of one cycle's steps that rises
_START_DIVISOR, _END_DIVISOR = 25, 1e4  # one cycle starts at peak / 25 and ends at a ten-thousandth of that
_CALM, _QUICK = 0.95, 0.85  # the first moment's decay where one cycle's rate is lowest and highest


@dataclass(frozen=True)
class Rate:
    """What the optimiser is told before a step: its learning rate and the decay of its first moment."""

    learning_rate: float
    beta1: float = _BETA1


def schedule(settings: FitSettings, steps: int) -> Callable[[int], Rate]:
    """Return the function from the step, counted from 0, to its rate.

    Args:
        settings: Name of the schedule, highest learning rate, and the share of the steps that warms up.
        steps: How many the whole training takes.
    """
    peak, warm = settings.learning_rate, math.ceil(settings.warmup * steps)

    def constant(step: int) -> Rate:
        return Rate(peak * min(1.0, (step + 1) / (warm + 1)))

    def cosine(step: int) -> Rate:
        return constant(step) if step < warm else Rate(_between(peak, 0.0, (step - warm) / max(1, steps - warm)))

    def one_cycle(step: int) -> Rate:
        return _one_cycle(peak, step, steps)

    return {"constant": constant, "cosine": cosine, "one_cycle": one_cycle}[settings.schedule]


def _one_cycle(peak: float, step: int, steps: int) -> Rate:
    """Rise to the peak, then fall to about nothing, the first moment's decay the other way. Source: Smith, 2018."""
    top = _RISE * (steps + 1) - 1  # the end of the rise, in steps
    first = peak / _START_DIVISOR
    if step <= top:
        done = step / top
        return Rate(_between(first, peak, done), _between(_CALM, _QUICK, done))
    done = (step - top) / (steps - top)
    return Rate(_between(peak, first / _END_DIVISOR, done), _between(_QUICK, _CALM, done))


def _between(start: float, end: float, done: float) -> float:
    """Go from start to end along half a wave of the cosine; `done` is 0 to 1. Source: Loshchilov and Hutter, 2017."""
    return end + (start - end) / 2.0 * (math.cos(math.pi * done) + 1)
