"""The gate: what a file must prove on each runtime before it may be released."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edge.contract import Contract
from edge.errors import BudgetError, GateError, TandemError
from edge.storage import sha256_file
from edge.variants import RUNTIMES_OF, Variant
from export.candidate import Candidate, Trial, plans
from export.metric import agreement_name

SLACK = 1.25


@dataclass(frozen=True)
class Check:
    """One promise held against one measurement; `passed` decides, the rest is for the reader."""

    name: str
    measured: str
    allowed: str
    passed: bool


def checks(contract: Contract, candidate: Candidate, trial: Trial) -> list[Check]:
    """Hold one trial against the contract: difference (float files), agreement, loss of the metric, and its floor."""
    bounds, metric = contract.tolerance, contract.metric
    found = []
    if not candidate.plan.quantized:
        bound = bounds.onnx if candidate.plan.format == "onnx" else bounds.tflite
        for name, worst in trial.difference.items():
            found.append(Check(f"largest difference of {name!r}", f"{worst:.3g}", f"≤ {bound:g}", worst <= bound))
    elif not all(math.isfinite(worst) for worst in trial.difference.values()):
        found.append(Check("answers", "not finite (NaN or infinity)", "finite numbers", False))
    agreed = trial.agreement >= bounds.agreement
    found.append(Check(agreement_name(contract), f"{trial.agreement:.4f}", f"≥ {bounds.agreement:g}", agreed))
    if trial.drop is not None:
        found.append(_loss(contract, trial.drop, len(trial.scores)))
    if metric.floor is not None and trial.metric is not None:
        enough = trial.metric >= metric.floor if metric.direction == "higher" else trial.metric <= metric.floor
        sign = "≥" if metric.direction == "higher" else "≤"
        found.append(Check(metric.name, f"{trial.metric:.4f}", f"{sign} {metric.floor:g}", enough))
    return found


def _loss(contract: Contract, loss: tuple[float, float, float], samples: int) -> Check:
    """Hold the loss of the metric against its bound, and say so where the test split is too small to tell.

    The loss itself decides. Its interval does not, since that would let a small test split pass what a large one refuses.
    """
    bound, (drop, low, high) = contract.tolerance.metric_drop, loss
    measured = f"{drop:+.4f} [{low:+.4f}, {high:+.4f}]"
    if resolution(loss, samples) > bound >= low:
        measured += f", not decidable on {samples} samples"
    return Check(f"loss of {contract.metric.name}", measured, f"≤ {bound:g}", drop <= bound)


def resolution(loss: tuple[float, float, float], samples: int) -> float:
    """Give the smallest loss that can be told from none: half its 95 % interval, at least three in the number of samples.

    Source: J. A. Hanley, A. Lippman-Hand, "If nothing goes wrong, is everything all right?" (1983).
    """
    _, low, high = loss
    return max((high - low) / 2, 3 / samples)


def size_check(contract: Contract, candidate: Candidate) -> Check | None:
    """Hold the size of a device file against the budget, which a float file has no part in where a quantized one stands before it."""
    limit = contract.budget.size_bytes
    if limit is None or "device" not in candidate.plan.targets:
        return None
    if not candidate.plan.quantized and any(plan.quantized and "device" in plan.targets for plan in plans(contract)):
        return None
    size = candidate.path.stat().st_size
    return Check("size", f"{size} bytes", f"≤ {limit} bytes", size <= limit)


def judge(contract: Contract, candidate: Candidate) -> Variant:
    """Release one file, or refuse it.

    Returns:
        The variant with what it proved: its metric and agreement are the worst over the runtimes that it passed on.

    Raises:
        GateError: A required runtime did not run it, or a promise is not kept; the message names file, runtime, figure
            and bound.
        BudgetError: The file is larger than its budget.
    """
    problems: list[str] = []
    failures: list[str] = []
    passed: list[Trial] = []
    for trial in candidate.trials:
        failed = [check for check in checks(contract, candidate, trial) if not check.passed]
        if not failed:
            passed.append(trial)
        else:
            words = [f"{trial.runtime} {trial.version}: {check.name} is {check.measured}, allowed {check.allowed}" for check in failed]
            failures += words
            problems += words if trial.runtime in contract.requires_runtimes else []
    for runtime in contract.requires_runtimes:
        if runtime in RUNTIMES_OF[candidate.plan.format] and runtime not in [t.runtime for t in candidate.trials]:
            problems.append(candidate.refused.get(runtime, f"{runtime} did not run it"))
    if problems or not passed:
        reasons = "; ".join(problems) or "; ".join(["it passed on no runtime", *failures, *candidate.refused.values()])
        blame = f"; {candidate.repair.words}" if candidate.repair else ""
        raise GateError(f"{contract.name} {contract.version}, {candidate.plan.file}: not released: {reasons}{blame}")
    size = size_check(contract, candidate)
    if size is not None and not size.passed:
        raise BudgetError(
            f"{contract.name} {contract.version}, {candidate.plan.file}: {size.name} is {size.measured}, allowed {size.allowed}"
        )
    return _variant(contract, candidate, passed)


def verdict(contract: Contract, candidate: Candidate) -> tuple[Variant | None, TandemError | None]:
    """Judge without raising, for the report."""
    try:
        return judge(contract, candidate), None
    except (GateError, BudgetError) as error:
        return None, error


def round_up(value: float, digits: int = 2) -> float:
    """Round up to so many significant digits."""
    if value <= 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(value)) - digits + 1)
    return float(f"{math.ceil(value / unit - 1e-9) * unit:.{digits}g}")


def _variant(contract: Contract, candidate: Candidate, passed: list[Trial]) -> Variant:
    plan = candidate.plan
    sign = 1 if contract.metric.direction == "higher" else -1
    worst = min(passed, key=lambda trial: sign * (trial.metric or 0.0))
    exact = contract.tolerance.onnx if plan.format == "onnx" else contract.tolerance.tflite
    return Variant(
        file=plan.file,
        format=plan.format,
        recipe=plan.recipe,
        targets=plan.targets,
        io=candidate.io,
        min_runtime={trial.runtime: trial.version for trial in passed},
        passed=tuple(trial.runtime for trial in passed),
        metric=worst.metric,
        metric_interval=worst.interval,
        agreement=min(trial.agreement for trial in passed),
        tolerance=max(exact, round_up(SLACK * max(trial.golden_drift for trial in passed))) if plan.quantized else exact,
        size_bytes=candidate.path.stat().st_size,
        sha256=sha256_file(candidate.path),
    )
