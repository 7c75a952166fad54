"""Choose among recipes: where a contract leaves it open (`auto`), one of the small files that keep every promise is released.

The smallest wins. Files within a tenth of the smallest count as equally small, and of these one that is clearly slower
than another is left out. Times are those of the machine that exports, which is not the device, and they differ from run
to run: so they decide only where they differ by a factor of two. What then remains goes by the order of `AUTO`, integer
arithmetic first, since small Arm processors are fastest with it. So the same hand-over gives the same choice again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from edge.contract import Contract
from edge.errors import BudgetError, GateError, TandemError
from edge.storage import sha256_file
from export.candidate import Candidate, Plan, Trial
from export.gate import verdict

EQUALLY_SMALL = 1.10
CLEARLY_SLOWER = 2.0


@dataclass(frozen=True)
class Choice:
    """What became of one recipe: figures are the worst over the runtimes that ran its file; None where there are none.

    `loss` is the loss of the metric with its 95 % interval; `reason` is a sentence for people.
    """

    recipe: str
    file: str
    size_bytes: int | None
    metric: float | None
    loss: tuple[float, float, float] | None
    seconds_per_sample: float | None
    verdict: Literal["released", "passed", "refused", "not made"]
    reason: str


@dataclass(frozen=True)
class Selection:
    """The candidates that shall be judged for release, every recipe's fate, and why none could be chosen, or None."""

    candidates: list[Candidate]
    choices: tuple[Choice, ...] = ()
    problem: TandemError | None = None

    def notes(self, candidates: Sequence[Candidate]) -> tuple[str, ...]:
        """Give sentences for people: why a recipe was taken, and what slows the files down."""
        taken = [f"{choice.recipe} was chosen: {choice.reason}" for choice in self.choices if choice.verdict == "released"]
        return (*taken, *(f"{c.plan.file}: {note}" for c in candidates for note in c.notes))


def select(contract: Contract, candidates: Sequence[Candidate], left: Mapping[Plan, str]) -> Selection:
    """Choose the one quantized TFLite file where the contract says `auto`; otherwise keep them all.

    Args:
        contract: What was promised.
        candidates: The files that were made and tried, in the order of preference.
        left: Recipes without a file of their own, with the reason.

    Returns:
        What to release. `problem` is set where no recipe passed: it names each with its reason.
    """
    open_ = [c for c in candidates if is_open(contract, c.plan)]
    if not open_ and not left:
        return Selection(list(candidates))
    errors = {c.plan: verdict(contract, c)[1] for c in open_}
    passed = [c for c in open_ if errors[c.plan] is None]
    best = _best(passed)
    choices = [_choice(contract, c, errors[c.plan], best) for c in open_]
    choices += [Choice(plan.recipe, plan.file, None, None, None, None, "not made", reason) for plan, reason in left.items()]
    kept = [c for c in candidates if c is best or not is_open(contract, c.plan)]
    return Selection(kept, tuple(choices), None if best else _problem(contract, choices, list(errors.values())))


def is_open(contract: Contract, plan: Plan) -> bool:
    """Tell whether a file is one among which the contract leaves the choice."""
    return contract.recipes == "auto" and plan.format == "tflite" and plan.quantized


def alike(candidates: Sequence[Candidate]) -> dict[Plan, str]:
    """Find files that are the same as one before them, byte by byte: they need not be tried."""
    first: dict[str, Candidate] = {}
    found = {}
    for candidate in candidates:
        known = first.setdefault(sha256_file(candidate.path), candidate)
        if known is not candidate:
            found[candidate.plan] = f"the same file as {known.plan.recipe}"
    return found


def _best(passed: Sequence[Candidate]) -> Candidate | None:
    """Take the first of those that are small and quick enough; `passed` is in the order of preference."""
    if not passed:
        return None
    smallest = min(_size(c) for c in passed)
    small = [c for c in passed if _size(c) <= EQUALLY_SMALL * smallest]
    quickest = min(_seconds(c) for c in small)
    return next(c for c in small if _seconds(c) <= CLEARLY_SLOWER * quickest)


def _choice(contract: Contract, candidate: Candidate, error: TandemError | None, best: Candidate | None) -> Choice:
    worst = max(candidate.trials, key=lambda trial: trial.harm, default=None)
    if error is not None:
        word: Literal["released", "passed", "refused"] = "refused"
        reason = str(error).removeprefix(f"{contract.name} {contract.version}, {candidate.plan.file}: ").removeprefix("not released: ")
    elif candidate is best or best is None:
        word, reason = "released", "the smallest file that keeps every promise, or as small as that and not clearly slower"
    else:
        word, reason = "passed", _against(candidate, best)
    return Choice(
        recipe=candidate.plan.recipe,
        file=candidate.plan.file,
        size_bytes=_size(candidate),
        metric=worst.metric if worst else None,
        loss=worst.drop if worst else None,
        seconds_per_sample=_seconds(candidate) if worst else None,
        verdict=word,
        reason=reason,
    )


def _against(candidate: Candidate, best: Candidate) -> str:
    """Say why a file that keeps every promise was not taken."""
    name, share = best.plan.recipe, _size(candidate) / _size(best)
    if share > EQUALLY_SMALL:
        return f"{100 * (share - 1):.0f} % larger than {name}"
    times = _seconds(candidate) / _seconds(best)
    if times > CLEARLY_SLOWER:
        return f"about as small as {name}, and {times:.1f} times as slow"
    return f"about as small and as quick as {name}, which comes first since it computes more in integers"


def _problem(contract: Contract, choices: Sequence[Choice], errors: Sequence[TandemError | None]) -> TandemError:
    told = "; ".join(f"{choice.recipe}: {choice.reason}" for choice in choices)
    kind = BudgetError if errors and all(isinstance(error, BudgetError) for error in errors) else GateError
    return kind(f"{contract.name} {contract.version}: no recipe for the device keeps every promise: {told}")


def _size(candidate: Candidate) -> int:
    return candidate.path.stat().st_size


def _seconds(candidate: Candidate) -> float:
    """Give the time on the newest runtime that ran the file: the one that a new device gets."""
    first: Trial = candidate.trials[0]
    return first.seconds_per_sample
