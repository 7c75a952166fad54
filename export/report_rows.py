"""What every report of an export tells, whatever its form: the findings, and a row for each file on each runtime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge.contract import Contract
from edge.errors import TandemError
from edge.variants import Variant
from export.candidate import Candidate, Trial
from export.choose import Choice
from export.gate import Check, checks, size_check
from export.handover import Handover
from export.parity import Bench


@dataclass(frozen=True)
class Findings:
    """The result of one export.

    `bench` is None and `candidates` is empty where a conversion failed. `problem` is why the model was refused. `blame` has
    a row for each tensor that moved, the worst first; `notes` are sentences, such as why a recipe was chosen or what a
    repair cost. `only` names the part that was built, None for all. `choices` has the fate of every recipe where the contract
    leaves the choice open.
    """

    handover: Handover
    candidates: tuple[Candidate, ...] = ()
    bench: Bench | None = None
    released: tuple[Variant, ...] = ()
    problem: TandemError | None = None
    blame: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    only: str | None = None
    choices: tuple[Choice, ...] = ()

    @property
    def contract(self) -> Contract:
        """The contract of the model."""
        return self.handover.contract

    @property
    def samples(self) -> int:
        """Number of test samples that were answered."""
        return self.bench.count if self.bench else 0

    @property
    def proof(self) -> str:
        """Say what the samples were, in a few words."""
        if self.contract.parity_only:
            held = f"held against the given model's own answers to {self.samples} samples"
            return f"Parity only: {held}; whether those are right was not measured."
        return ""

    @property
    def refusals(self) -> list[tuple[str, str, str, bool]]:
        """Each file that a runtime could not run: file, runtime, what it said, and whether the contract requires it to."""
        required = self.contract.requires_runtimes
        return [(c.plan.file, runtime, words, runtime in required) for c in self.candidates for runtime, words in c.refused.items()]

    @property
    def verdict(self) -> str:
        """One word: released, proved (a part alone) or refused."""
        if self.problem is not None:
            return "refused"
        return "released" if self.only is None else "proved"


@dataclass(frozen=True)
class Row:
    """One line of the table: a file on a runtime."""

    file: str
    runtime: str
    size_bytes: int
    trial: Trial
    interval: tuple[float, float] | None
    checks: tuple[Check, ...]
    operators: int

    @property
    def passed(self) -> bool:
        """Whether every promise was kept."""
        return all(check.passed for check in self.checks)

    @property
    def latency_ms(self) -> float:
        """Median time of one sample."""
        return self.trial.seconds_per_sample * 1000

    @property
    def p95_ms(self) -> float | None:
        """Time that 95 of 100 samples keep within."""
        return None if self.trial.seconds_p95 is None else self.trial.seconds_p95 * 1000

    @property
    def peak_mb(self) -> float | None:
        """Most memory of the process that ran the file, in megabytes."""
        return None if self.trial.peak_rss_bytes is None else self.trial.peak_rss_bytes / 1e6

    @property
    def difference(self) -> float:
        """Largest difference of any output from the trainer's."""
        return max(self.trial.difference.values(), default=0.0)


def rows(findings: Findings) -> list[Row]:
    """List every file on every runtime that tried it."""
    found = []
    for candidate in findings.candidates:
        size = size_check(findings.contract, candidate)
        for trial in candidate.trials:
            found.append(
                Row(
                    file=candidate.plan.file,
                    runtime=f"{trial.runtime} {trial.version}",
                    size_bytes=candidate.path.stat().st_size,
                    trial=trial,
                    interval=trial.interval,
                    checks=tuple(checks(findings.contract, candidate, trial) + ([size] if size else [])),
                    operators=len(candidate.operators),
                )
            )
    return found


def worst(table: list[Row]) -> Row | None:
    """Give the row that loses most of the metric or, where none is measured, agrees least."""
    return max(table, key=lambda row: row.trial.harm, default=None)
