"""Run every file on every runtime over the whole test split, and compare with the trainer's own answers."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge import runtimes
from edge.contract import Contract
from edge.errors import ParityError, SetupError
from edge.schema import encode
from edge.steps.judged import judged
from edge.storage import load_npz, save_npz
from edge.variants import RUNTIMES_OF
from export.candidate import Candidate, Trial, provisional
from export.handover import Handover
from export.metric import agreement, decisive
from export.sandbox import Sandbox

Array = np.ndarray[Any, Any]
LEGACY = "tflite-runtime"


@dataclass(frozen=True)
class Bench:
    """The samples that every file answers, with the trainer's answers: (N, …) by tensor name; the last rows are golden.

    `target` is what would be right, (N without the golden ones, …); None where nobody knows.
    """

    inputs: Path
    reference: Mapping[str, Array]
    target: Array | None
    golden: int

    @property
    def count(self) -> int:
        """Number of test samples, without the golden ones."""
        return len(next(iter(self.reference.values()))) - self.golden if self.target is None else len(self.target)


def interpreters() -> dict[str, str]:
    """Map each runtime to the Python that has it; tflite-runtime lives in an environment of its own (numpy<2).

    `TANDEM_LEGACY_PYTHON` names that Python; the default is `.venv-legacy/bin/python`. A runtime that no environment
    has is absent.
    """
    found = dict.fromkeys(runtimes.installed(), sys.executable)
    legacy = os.environ.get("TANDEM_LEGACY_PYTHON", str(Path(".venv-legacy/bin/python")))
    if Path(legacy).exists():
        found[LEGACY] = str(Path(legacy).absolute())
    return found


def require(contract: Contract, at_hand: Mapping[str, str]) -> None:
    """Refuse to start where a runtime that the contract requires is not on this machine.

    Raises:
        SetupError: The message names it and how to get it.
    """
    for name in contract.requires_runtimes:
        if name not in at_hand:
            known = runtimes.KNOWN.get(name)
            if known is None:
                raise SetupError(f"{contract.name} requires the runtime {name!r}; there are {', '.join(runtimes.KNOWN)}")
            where = "; 'make install' puts it into .venv-legacy (or set TANDEM_LEGACY_PYTHON)" if name == LEGACY else f"; {known.remedy}"
            raise SetupError(f"{contract.name} must be proved on {name}, which is not on this machine{where}")


def prepare(handover: Handover, sandbox: Sandbox) -> Bench:
    """Write the samples for the children and let the trainer's program answer them.

    Raises:
        ConversionError: The program cannot be loaded or gives other outputs than the contract says.
        ParityError: It does not give the golden answers, so it is not what training handed over.
    """
    path = sandbox.folder / "bench.npz"
    rows = {name: np.concatenate([array, handover.golden.inputs[name]]) for name, array in handover.evaluation.items()}
    save_npz(path, {f"input/{name}": array for name, array in rows.items()})
    answers = sandbox.folder / "reference.npz"
    sandbox.convert(
        "reference",
        {
            "program": str(handover.program),
            "contract_file": str(handover.folder / "contract.json"),
            "inputs": str(path),
            "outputs": str(answers),
        },
    )
    arrays = load_npz(answers)
    reference = {t.name: arrays[f"output/{t.name}"] for t in handover.contract.main.outputs}
    _hold_golden(handover, reference)
    return Bench(path, reference, handover.target, handover.golden.count)


def _hold_golden(handover: Handover, reference: Mapping[str, Array]) -> None:
    """Refuse a program that answers the golden inputs otherwise than the trainer did; files would only be as wrong as it is."""
    promise, bound = handover.contract, max(handover.contract.tolerance.onnx, handover.contract.tolerance.tflite)
    for name, stored in handover.golden.outputs.items():
        worst = _worst(reference[name][-handover.golden.count :], stored)
        if worst > bound:
            raise ParityError(
                f"{promise.name} {promise.version}: {handover.program.name} gives golden output {name!r} {worst:.3g} away from the "
                f"trainer's answer, tolerance {bound:g}; program and golden.npz are not of the same training, train again"
            )


def attempt(candidate: Candidate, runtime: str, python: str, handover: Handover, bench: Bench, sandbox: Sandbox) -> Trial:
    """Run one file on one runtime over all samples and compare.

    Raises:
        GateError: The runtime refuses the file or dies of it.
        SetupError: The runtime's environment is missing.
    """
    label = f"{candidate.plan.label}-{runtime}"
    outputs = sandbox.folder / f"{label}.npz"
    report = sandbox.infer(
        python,
        label,
        {
            "file": str(candidate.path),
            "runtime": runtime,
            "contract": str(handover.folder / "contract.json"),
            "variant": encode(provisional(candidate.plan, candidate.io, candidate.path)),
            "inputs": str(bench.inputs),
            "outputs": str(outputs),
        },
    )
    arrays = load_npz(outputs)
    return _compare(handover, bench, {name: arrays[f"output/{name}"] for name in bench.reference}, report)


def runtimes_of(candidate: Candidate, at_hand: Mapping[str, str]) -> list[str]:
    """List the runtimes on this machine that can be tried on a file."""
    return [name for name in RUNTIMES_OF[candidate.plan.format] if name in at_hand]


def _compare(handover: Handover, bench: Bench, got: Mapping[str, Array], report: Mapping[str, Any]) -> Trial:
    n = bench.count
    scores, reference = judged(handover.contract, got)[:n], judged(handover.contract, bench.reference)[:n]
    measure = None if bench.target is None else decisive(handover.contract.metric, handover.contract)
    golden = max(_worst(got[name][n:], stored) for name, stored in handover.golden.outputs.items())
    return Trial(
        runtime=report["runtime"],
        version=report["version"],
        metric=measure.of(scores, bench.target) if measure else None,
        interval=measure.interval(scores, bench.target) if measure else None,
        drop=measure.loss(scores, reference, bench.target) if measure else None,
        agreement=agreement(handover.contract, scores, reference),
        difference={name: _worst(got[name], bench.reference[name]) for name in got},
        golden_drift=golden,
        seconds_per_sample=report["seconds_per_sample"],
        scores=scores,
        seconds_p95=report.get("seconds_p95"),
        peak_rss_bytes=report.get("peak_rss_bytes"),
    )


def _worst(got: Array, expected: Array) -> float:
    """Largest absolute difference; infinite where an answer is not finite."""
    difference = np.abs(got.astype(np.float64) - expected.astype(np.float64))
    return float(difference.max()) if np.isfinite(difference).all() else float("inf")
