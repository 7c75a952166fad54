"""The report of an export: one HTML file with what every released file proved, readable with no network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jinja2
import numpy as np

from edge.contract import Contract
from edge.errors import TandemError
from edge.variants import Variant
from export import pictures
from export.candidate import Candidate, Trial
from export.gate import Check, checks, size_check
from export.handover import Handover
from export.metric import confusion, wilson
from export.parity import Bench
from export.provenance import commit, now, processor, versions

Array = np.ndarray[Any, Any]
MOST_SHOWN = 24
MOST_CLASSES = 20


@dataclass(frozen=True)
class Row:
    """One line of the table: a file on a runtime."""

    file: str
    runtime: str
    size_kb: float
    trial: Trial
    interval: tuple[float, float]
    latency_ms: float
    checks: list[Check]

    @property
    def passed(self) -> bool:
        """Whether every promise was kept."""
        return all(check.passed for check in self.checks)


@dataclass(frozen=True)
class Shown:
    """A sample as a picture, with what was answered."""

    picture: str
    caption: str
    wrong: bool = False


def render(
    handover: Handover, candidates: list[Candidate], bench: Bench, released: tuple[Variant, ...], problem: TandemError | None
) -> str:
    """Make the page.

    Args:
        handover: What was exported.
        candidates: Every file with its trials.
        bench: The test split and the trainer's answers.
        released: The variants that passed.
        problem: Why the model was refused, or None.

    Returns:
        Self-contained HTML.
    """
    environment = jinja2.Environment(loader=jinja2.PackageLoader("export"), autoescape=True, undefined=jinja2.StrictUndefined)
    contract = handover.contract
    rows = _rows(contract, candidates)
    return environment.get_template("report.html.j2").render(
        contract=contract,
        problem=problem,
        released=released,
        rows=rows,
        tolerances={v.file: v.tolerance for v in released},
        samples=bench.count,
        sizes=pictures.sizes([c for c in candidates if c.trials], contract.metric.name) if rows else None,
        matrices=_matrices(contract, candidates, bench),
        golden=_golden(handover),
        disagreements=_disagreements(handover, candidates, bench),
        operators=[(c.plan.file, _count(c.operators)) for c in candidates],
        date=now().strftime("%Y-%m-%d %H:%M UTC"),
        commit=commit(),
        versions=versions(),
        processor=processor(),
    )


def _rows(contract: Contract, candidates: list[Candidate]) -> list[Row]:
    rows = []
    for candidate in candidates:
        size = size_check(contract, candidate)
        for trial in candidate.trials:
            rows.append(
                Row(
                    file=candidate.plan.file,
                    runtime=f"{trial.runtime} {trial.version}",
                    size_kb=candidate.path.stat().st_size / 1000,
                    trial=trial,
                    interval=wilson(trial.metric, len(trial.scores)),
                    latency_ms=trial.seconds_per_sample * 1000,
                    checks=checks(contract, candidate, trial) + ([size] if size else []),
                )
            )
    return rows


def _first(contract: Contract, bench: Bench) -> Array:
    return bench.reference[contract.main.outputs[0].name][: bench.count]


def _matrices(contract: Contract, candidates: list[Candidate], bench: Bench) -> str | None:
    """Put the trainer's confusion matrix beside that of the first quantized file."""
    classes = len(contract.labels)
    if not 2 <= classes <= MOST_CLASSES:
        return None
    pairs = [("trainer", confusion(_first(contract, bench), bench.target, classes))]
    for candidate in candidates:
        if candidate.plan.quantized and candidate.trials:
            trial = candidate.trials[0]
            pairs.append((f"{candidate.plan.recipe} on {trial.runtime}", confusion(trial.scores, bench.target, classes)))
            break
    return pictures.matrices(pairs, list(contract.labels))


def _golden(handover: Handover) -> list[Shown]:
    """Show the golden inputs with the trainer's answers."""
    rows = next(iter(handover.golden.inputs.values()))
    labels = handover.golden.labels or ("",) * len(rows)
    return [Shown(picture, label) for row, label in zip(rows, labels, strict=True) if (picture := pictures.sample(row))][:MOST_SHOWN]


def _disagreements(handover: Handover, candidates: list[Candidate], bench: Bench) -> list[tuple[str, int, list[Shown]]]:
    """Show test samples to which a file gives another answer than the trainer: (file and runtime, how many, some)."""
    reference = _first(handover.contract, bench).argmax(axis=1)
    rows = next(iter(handover.evaluation.values()))
    names = handover.contract.labels or tuple(str(i) for i in range(int(reference.max()) + 1))
    found = []
    for candidate in candidates:
        for trial in candidate.trials:
            answers = trial.scores.argmax(axis=1)
            where = np.flatnonzero(answers != reference)
            shown = []
            for i in where[:MOST_SHOWN]:
                picture = pictures.sample(rows[i])
                caption = f"true {names[bench.target[i]]}, trainer {names[reference[i]]}, here {names[answers[i]]}"
                if picture:
                    shown.append(Shown(picture, caption, wrong=bool(answers[i] != bench.target[i])))
            found.append((f"{candidate.plan.file} on {trial.runtime}", len(where), shown))
    return found


def _count(operators: tuple[str, ...]) -> str:
    names = sorted(set(operators))
    return ", ".join(f"{operators.count(name)} {name}" for name in names)
