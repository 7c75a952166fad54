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
AROUND_S = 75.0  # overload, the limit, the page
LEAVE_S = 0.012  # for each connection to the large model: its last answer is waited for


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
    """List the cases: of the large model fewer, and those of many connections for longer."""
    found = []
    for model in models:
        for kind in (RAW, JSON) if model == "small" else (RAW, JPEG, JSON):
            counts: Sequence[int] = (1, 8) if quick else CONNECTIONS
            if model != "small" and kind != RAW:
                counts = (8,) if kind == JSON else counts[:3]
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
    fixed = weight = 0.0
    for contender in contenders:
        times = min(rounds, contender.most_rounds)
        for model in {case.model for case in every}:
            taking = asked(contender, every, model)
            leaving = LEAVE_S * sum(case.connections for case in taking if model != "small")
            fixed += times * (START_S.get(contender.name, OTHER_START_S) + leaving + 2.5 * SETTLE_S * len(taking)) if taking else 0.0
            weight += times * sum(case.weight for case in taking)
    return min(max((minutes * 60 - AROUND_S - fixed) / weight, LEAST_S), MOST_S) if weight else LEAST_S
