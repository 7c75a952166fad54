"""What is measured, and for how long: every case of every contender in each round, within the minutes that there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.serving.contenders import Contender
from benchmarks.serving.load import SETTLE_S
from benchmarks.serving.questions import JPEG, JSON, RAW

CONNECTIONS = (1, 8, 32, 128)
# Seconds that a round takes beside its cases: starting, warming up and ending one server, by what was seen here.
START_S = {"ray": 16.0, "bentoml": 6.0, "litserve": 5.0, "tandem": 5.0, "mlserver": 4.0}
OTHER_START_S = 2.5
LEAST_S, MOST_S = 0.25, 5.0
AROUND_S = 90.0  # overload, the limit, the page


@dataclass(frozen=True)
class Case:
    """One setting: a model, a form of question, connections; and the share of time it has."""

    model: str
    kind: str
    connections: int
    weight: float = 1.0

    @property
    def key(self) -> str:
        """A name for files and tables."""
        return f"{self.model} {self.kind} {self.connections}"


def cases(models: Sequence[str], quick: bool) -> list[Case]:
    """List the cases: JSON of large tensors at one concurrency only, and many slow requests for longer."""
    found = []
    for model in models:
        for kind in (RAW, JSON) if model == "small" else (RAW, JPEG, JSON):
            counts: Sequence[int] = (1, 8) if quick else CONNECTIONS
            if model != "small" and kind == JSON:
                counts = (8,)
            found += [Case(model, kind, count, 1.6 if model != "small" and count > 32 else 1.0) for count in counts]
    return found


def asked(contender: Contender, every: Sequence[Case], model: str) -> list[Case]:
    """List the cases of one model that a contender takes part in."""
    return [case for case in every if case.model == model and model in contender.models and case.kind in contender.kinds]


def seconds_each(contenders: Sequence[Contender], every: Sequence[Case], rounds: int, minutes: float) -> float:
    """Divide the time: seconds of a case of weight 1.

    Args:
        contenders: All that take part.
        every: All cases.
        rounds: How often each is measured.
        minutes: What the whole run may take, about.
    """
    models = {case.model for case in every}
    taking = [case for contender in contenders for model in models for case in asked(contender, every, model)]
    starts = sum(START_S.get(contender.name, OTHER_START_S) for contender in contenders for model in models if asked(contender, every, model))
    left = minutes * 60 - AROUND_S - rounds * (starts + 2.5 * SETTLE_S * len(taking))
    weight = rounds * sum(case.weight for case in taking)
    return min(max(left / weight, LEAST_S), MOST_S) if taking else LEAST_S
