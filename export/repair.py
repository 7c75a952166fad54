"""Mend a quantized file that lost too much: leave the worst operators in float32, or give them 16 bits, and try again.

Each round looks at the file of the round before, treats the operators that add most noise, and sends the new file
through the same gate on the same runtimes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edge.contract import Contract
from edge.errors import ConversionError, GateError, TandemError
from edge.variants import RUNTIMES_OF
from export import recipes
from export.blame import QUIET, Repair, Round, Suspect, blame
from export.candidate import Candidate
from export.gate import checks, verdict
from export.parity import Bench
from export.recipes import Override, Treatment
from export.spread import decibels

if TYPE_CHECKING:
    from export.build import Builder

Treated = tuple[Suspect, Treatment]

ROUNDS = 5
LARGEST = 0.98  # a mended file must be smaller than this share of the float file
NEWEST = "ai-edge-litert"
SHARE = 0.5  # one round treats all operators that add at least this share of the worst one's noise
ENOUGH_DB = 30.0  # int16 is tried where it would leave at least this much signal over noise
# Operators that hand on the numbers they are given: where one is treated, what reads it must be too.
PASSING = frozenset(
    {
        "CONCATENATION",
        "GATHER",
        "MAX_POOL_2D",
        "PACK",
        "PAD",
        "RESHAPE",
        "SLICE",
        "SPLIT",
        "SQUEEZE",
        "STRIDED_SLICE",
        "TRANSPOSE",
        "UNPACK",
    }
)
NODE = re.compile(r"[Nn]ode number \d+ \((\w+)\)")


@dataclass(frozen=True)
class Patient:
    """A file that failed, with what is needed to make and try it again."""

    builder: Builder
    bench: Bench
    source: Candidate
    failed: Candidate

    def examine(self, candidate: Candidate) -> tuple[Suspect, ...]:
        """Rank the operators of a file by the noise that they add."""
        handover = self.builder.handover
        self.builder.progress.expect(1)
        inputs = {t.name: p.name for t, p in zip(handover.contract.main.inputs, self.source.io.inputs, strict=True)}
        with self.builder.progress.step(f"compare the tensors of {candidate.plan.file}"):
            return blame(self.builder.sandbox, self.source.path, candidate.path, handover.program, self.builder.calibration, inputs)

    def again(self, overrides: Sequence[Override]) -> Candidate:
        """Quantize otherwise, and try the file on every runtime at hand; a runtime that refuses it leaves no trial."""
        plan = replace(self.failed.plan, mended=True)
        runtimes = [name for name in RUNTIMES_OF[plan.format] if name in self.builder.at_hand]
        self.builder.progress.expect(1 + len(runtimes))
        made = self.builder.convert(plan, self.source, tuple(overrides))
        tried = [self.builder.attempt(made, runtime, self.bench) for runtime in runtimes]
        refused = {runtime: words for one in tried for runtime, words in one.refused.items()}
        return replace(made, trials=tuple(trial for one in tried for trial in one.trials), refused=refused)


def mend_all(builder: Builder, candidates: list[Candidate], bench: Bench, repair: bool = True) -> list[Candidate]:
    """Mend the quantized TFLite files that the contract names and that failed; where it says `auto`, only if none passed.

    A float file that fails speaks against the model or the converter, not against quantization: then nothing is mended.

    Args:
        builder: Makes and tries files.
        candidates: Every file with its trials, float files among them.
        bench: The test samples with the trainer's answers.
        repair: Whether to mend them; otherwise it is only found out what is to blame.

    Returns:
        The candidates in the same order; see `mend`.
    """
    promise = builder.handover.contract
    source = next((c for c in candidates if c.plan.format == "tflite" and not c.plan.quantized), None)
    small = [c for c in candidates if c.plan.format == "tflite" and c.plan.quantized and c.plan.derived]
    failed = [c for c in small if isinstance(verdict(promise, c)[1], GateError)]
    if source is None or verdict(promise, source)[0] is None:
        return candidates
    if promise.recipes == "auto":
        failed = failed[:1] if len(failed) == len(small) else []
    rounds = ROUNDS if repair else 0
    return [mend(builder, c, source, bench, rounds) if any(c is each for each in failed) else c for c in candidates]


def mend(builder: Builder, candidate: Candidate, source: Candidate, bench: Bench, limit: int = ROUNDS) -> Candidate:
    """Mend a quantized TFLite file that failed for accuracy, for agreement or because a runtime refused an operator.

    Args:
        builder: Makes and tries files.
        candidate: The file with its trials.
        source: The float file that it was made of.
        bench: The test samples with the trainer's answers.
        limit: How often to try at most.

    Returns:
        The mended file, or the one that failed; either with `repair`, which says what was found and tried.
    """
    promise, patient = builder.handover.contract, Patient(builder, bench, source, candidate)
    suspects = found = patient.examine(candidate)
    current, rounds, treated = candidate, list[Round](), dict[str, Treated]()
    while len(rounds) < limit:
        fresh = for_old_runtimes(promise, current, suspects, treated) or cures(suspects, treated)
        if not fresh:
            break
        try:
            current, treated = _attempt(patient, treated, fresh)
        except ConversionError as error:
            rounds.append(Round(_listed(fresh, treated), 0, {}, str(error)))
            break
        problem = _pointless(current, source) or verdict(promise, current)[1]
        rounds.append(_round(_listed(fresh, treated), current, problem))
        if not isinstance(problem, GateError) or _pointless(current, source):
            break
        suspects = patient.examine(current)
    mended = bool(rounds) and not rounds[-1].failed
    cost = candidate.path.stat().st_size, _latency(candidate)
    refused = tuple(s for s in found if s.operator in refused_kinds(candidate))
    repair = Repair(found, refused, tuple(rounds), *cost, mended, tuple(_override(s, t) for s, t in treated.values()) if mended else ())
    return replace(current if mended else candidate, repair=repair)


def for_old_runtimes(
    contract: Contract, candidate: Candidate, suspects: Sequence[Suspect], treated: Mapping[str, Treated]
) -> dict[str, Treated]:
    """Choose what to treat where a file is right on the newest runtime and refused or wrong on another.

    An operator that a runtime refuses is left in float32. With ranges measured at run time, dense layers get one scale for
    all weights: tflite-runtime 2.14 takes them with one scale a channel, and uses the first for all.
    """
    right = [t.runtime for t in candidate.trials if all(check.passed for check in checks(contract, candidate, t))]
    if NEWEST not in right:
        return {}
    kinds = refused_kinds(candidate)
    recipe = recipes.get("tflite", candidate.plan.recipe)
    dense = not recipe.calibrated and recipe.activations != "float32"
    chosen: dict[str, Treated] = {s.scope: (s, "float") for s in suspects if s.operator in kinds}
    chosen |= {s.scope: (s, "per_tensor") for s in suspects if dense and s.operator == "FULLY_CONNECTED" and s.added > QUIET}
    return {scope: cure for scope, cure in chosen.items() if treated.get(scope) != cure and not _is_float(cure[0], treated)}


def refused_kinds(candidate: Candidate) -> set[str]:
    """Read from what runtimes said which operators they refuse."""
    return {kind for message in candidate.refused.values() for kind in NODE.findall(message)}


def cures(suspects: Sequence[Suspect], treated: Mapping[str, Treated]) -> dict[str, Treated]:
    """Choose what to treat next, by scope.

    Operators that lose infinities come first; then the worst, with all that are nearly as bad. What reads a tensor that
    steps or limits have spoiled is treated alike, since it would store the same numbers.
    """
    known = {suspect.tensor: suspect for suspect in suspects}
    left = [s for s in suspects if not _is_float(s, treated)]
    if not left or not (left[0].infinite or left[0].added > QUIET):
        return {}
    chosen, worst = dict[str, Treated](), left[0]
    for suspect in left:
        if suspect.infinite or (not worst.infinite and suspect.added >= SHARE * worst.added):
            fine = not suspect.infinite and suspect.coarse is not None and decibels(suspect.coarse) >= ENOUGH_DB
            treatment: Treatment = "int16" if fine and suspect.scope not in treated else "float"
            for each in _with_readers(suspect, known):
                if not _is_float(each, chosen) and not _is_float(each, treated):
                    chosen[each.scope] = (each, treatment)
    return chosen


def _is_float(suspect: Suspect, treated: Mapping[str, Treated]) -> bool:
    return suspect.scope in treated and treated[suspect.scope][1] == "float"


def _pointless(made: Candidate, source: Candidate) -> GateError | None:
    """Object to a file in which next to nothing is quantized any more: the float file does the same."""
    size, whole = made.path.stat().st_size, source.path.stat().st_size
    return GateError(f"it is as large as the float file ({size} bytes of {whole})") if size > LARGEST * whole else None


def _with_readers(suspect: Suspect, known: Mapping[str, Suspect]) -> list[Suspect]:
    """Give an operator and, where its output cannot be stored well, those that would store the same numbers again."""
    found = {suspect.tensor: suspect}
    waiting = list(suspect.readers) if suspect.infinite or suspect.coarse is not None else []
    while waiting:
        reader = known.get(waiting.pop())
        if reader is not None and reader.tensor not in found:
            found[reader.tensor] = reader
            if reader.operator in PASSING or reader.unbounded:
                waiting += reader.readers
    return list(found.values())


def _attempt(patient: Patient, treated: Mapping[str, Treated], fresh: Mapping[str, Treated]) -> tuple[Candidate, dict[str, Treated]]:
    """Make and try a file; where 16 bits are refused by the quantizer or a required runtime, the same in float32."""
    both = {**treated, **fresh}
    if any(treatment == "int16" for _, treatment in fresh.values()):
        try:
            made = patient.again([_override(s, t) for s, t in both.values()])
        except ConversionError:
            made = None
        required = patient.builder.handover.contract.requires_runtimes
        if made is not None and not set(made.refused) & set(required):
            return made, both
        both = {**treated, **{scope: (s, "float") for scope, (s, _) in fresh.items()}}
    return patient.again([_override(s, t) for s, t in both.values()]), both


def _override(suspect: Suspect, treatment: Treatment) -> Override:
    return Override(f"^{re.escape(suspect.scope)};?$", suspect.operator, treatment)


def _listed(fresh: Mapping[str, Treated], treated: Mapping[str, Treated]) -> tuple[tuple[Suspect, str], ...]:
    return tuple((suspect, treated.get(scope, (suspect, treatment))[1]) for scope, (suspect, treatment) in fresh.items())


def _round(treated: tuple[tuple[Suspect, str], ...], candidate: Candidate, error: TandemError | None) -> Round:
    return Round(treated, candidate.path.stat().st_size, _latency(candidate), str(error) if error else "")


def _latency(candidate: Candidate) -> dict[str, float]:
    return {trial.runtime: trial.seconds_per_sample * 1000 for trial in candidate.trials}
