"""Which file, on which runtime, with how many threads is best on this device: measured, each in a process of its own.

What is fastest on one processor is not on another: int8 wins on Arm and loses on many x86; a small model slows down with a
second thread. Accuracy is what `variants.json` holds, measured when the model was released; that a candidate answers here as it
did there, its golden inputs prove again.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

import numpy as np

from edge import child, cpu
from edge.bundle import Bundle
from edge.errors import GateError, InputError, ParityError, SetupError
from edge.golden import replay_model
from edge.schema import encode
from edge.storage import load_npz
from edge.variants import Variant

ALIKE = 0.05  # candidates so close to the fastest count as equally fast; then the smaller one is kept
TIMEOUT_S = 600


@dataclass(frozen=True)
class Candidate:
    """One way to run the model."""

    variant: Variant
    runtime: str
    threads: int


@dataclass(frozen=True)
class Outcome:
    """What one run of a candidate gave, in a process of its own; `problem` says why it cannot be used, empty where it can."""

    p50_ms: float = 0.0
    p95_ms: float = 0.0
    peak_bytes: Optional[int] = None
    problem: str = ""


@dataclass(frozen=True)
class Measured:
    """A candidate over all rounds: medians of its times, the most memory, the loss of accuracy, and why it is out, if it is."""

    candidate: Candidate
    p50_ms: float
    p95_ms: float
    peak_bytes: Optional[int]
    loss: Optional[float]
    problem: str


def candidates(bundle: Bundle, runtimes: Sequence[str], threads: Sequence[int], target: Optional[str] = None) -> list[Candidate]:
    """List every released file × runtime that it passed on and that is here × number of threads.

    Args:
        bundle: The released model.
        runtimes: Those that are installed.
        threads: Numbers of threads to try.
        target: Only files for `device`, `server` or `browser`; all where it is None.

    Raises:
        SetupError: There is none; the message says which runtime the files want.
    """
    files = [v for v in bundle.variants if target is None or target in v.targets]
    found = [Candidate(v, runtime, count) for v in files for runtime in runtimes if runtime in v.passed for count in threads]
    if not found:
        wanted = ", ".join(sorted({name for v in files for name in v.passed})) or "none"
        raise SetupError(
            f"{bundle.contract.name}: no file can be tried here; its files passed on {wanted}, installed are "
            f"{', '.join(runtimes) or 'none'}; 'tandem doctor' says which runtime to install"
        )
    return found


def thread_counts() -> tuple[int, ...]:
    """Give 1, 2, 4 … up to the cores that this process may use, and these."""
    cores = cpu.usable()
    return tuple(sorted({1 << i for i in range(cores.bit_length()) if 1 << i <= cores} | {cores}))


def reference(bundle: Bundle) -> Optional[float]:
    """Give the metric that losses are counted from: the fp32 file's, else the best; None where nothing was measured."""
    metrics = [v.metric for v in bundle.variants if v.metric is not None]
    full = next((v.metric for v in bundle.variants if v.recipe == "fp32" and v.metric is not None), None)
    better = max if bundle.contract.metric.direction == "higher" else min
    return full if full is not None else better(metrics, default=None)


def loss(bundle: Bundle, variant: Variant) -> Optional[float]:
    """Give how much worse a file is than the reference by the contract's metric; positive is worse, None is not measured."""
    against = reference(bundle)
    if against is None or variant.metric is None:
        return None
    return against - variant.metric if bundle.contract.metric.direction == "higher" else variant.metric - against


def try_out(bundle: Bundle, candidate: Candidate) -> Outcome:
    """Run a candidate once in a process of its own: time, memory, and its golden answers.

    Raises:
        SetupError: No process can be started, or there is no place for its answers.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="tandem-tune-") as folder:
            return _try_in(Path(folder), bundle, candidate)
    except OSError as error:
        raise SetupError(f"nothing can be measured here: {error}; set TMPDIR to a folder that can be written") from None


def measure(
    bundle: Bundle,
    ways: Sequence[Candidate],
    rounds: int,
    budget: float,
    run: Callable[[Bundle, Candidate], Outcome] = try_out,
    told: Callable[[int], object] = int,
) -> list[Measured]:
    """Measure all candidates in turns, several rounds; one that failed is not tried again.

    Args:
        bundle: The released model.
        ways: The candidates.
        rounds: How often each is measured.
        budget: The largest loss of the contract's metric that is accepted.
        run: Measures one candidate once.
        told: Is given how many measurements are done.
    """
    outcomes: dict[int, list[Outcome]] = {number: [] for number in range(len(ways))}
    done = 0
    for _ in range(rounds):
        for number, way in enumerate(ways):
            if not any(outcome.problem for outcome in outcomes[number]):
                outcomes[number].append(run(bundle, way))
            done += 1
            told(done)
    return [_summed(bundle, way, outcomes[number], budget) for number, way in enumerate(ways)]


def best(measured: Sequence[Measured]) -> Measured:
    """Take the fastest that may be used; of those about as fast, the one with the fewest threads, then the least memory.

    Raises:
        GateError: None may be used; the message says why.
    """
    usable = [one for one in measured if not one.problem]
    if not usable:
        reasons = "; ".join(sorted({f"{one.candidate.variant.file} on {one.candidate.runtime}: {one.problem}" for one in measured}))
        raise GateError(f"no candidate can be kept ({reasons}); allow a larger loss with --budget, or release other files")
    fastest = min(one.p50_ms for one in usable)
    close = [one for one in usable if one.p50_ms <= fastest * (1 + ALIKE)]
    return min(close, key=lambda one: (one.candidate.threads, one.peak_bytes or 0, one.p50_ms))


def _try_in(folder: Path, bundle: Bundle, candidate: Candidate) -> Outcome:
    request = {
        "file": str(bundle.file(candidate.variant)),
        "runtime": candidate.runtime,
        "contract": str(bundle.folder / "contract.json"),
        "variant": encode(candidate.variant),
        "inputs": str(bundle.folder / "golden.npz"),
        "outputs": str(folder / "outputs.npz"),
        "threads": candidate.threads,
    }
    (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
    command = child.module("edge.runtimes.worker", str(folder / "request.json"))
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return Outcome(problem=f"no answer within {TIMEOUT_S} s")
    report = _report(done)
    if "error" in report:
        return Outcome(problem=str(report["error"]))
    try:
        answers = {name.partition("/")[2]: array for name, array in load_npz(folder / "outputs.npz").items()}
        replay_model(bundle.golden, lambda _: answers, candidate.variant.tolerance, candidate.variant.file)
    except (ParityError, InputError) as error:
        return Outcome(problem=str(error))
    times = [float(str(report[name])) * 1000 for name in ("seconds_per_sample", "seconds_p95")]
    peak = report["peak_rss_bytes"]
    return Outcome(times[0], times[1], peak if isinstance(peak, int) else None)


def _report(done: subprocess.CompletedProcess[str]) -> Mapping[str, object]:
    """Read the worker's last line; a worker that died, or said something else, is an error too."""
    if done.returncode < 0:
        return {"error": f"its process was killed by signal {-done.returncode}"}
    try:
        report = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        report = None
    return report if isinstance(report, dict) else {"error": f"its process ended with {done.returncode} and no report"}


def _summed(bundle: Bundle, way: Candidate, outcomes: Sequence[Outcome], budget: float) -> Measured:
    lost = loss(bundle, way.variant)
    problem = next((outcome.problem for outcome in outcomes if outcome.problem), "")
    if problem:
        return Measured(way, 0.0, 0.0, None, lost, problem)
    if lost is not None and lost > budget:
        problem = f"loses {lost:.4g} {bundle.contract.metric.name}, allowed are {budget:.4g}"
    p50, p95 = (float(np.median([getattr(outcome, key) for outcome in outcomes])) for key in ("p50_ms", "p95_ms"))
    peaks = [outcome.peak_bytes for outcome in outcomes if outcome.peak_bytes is not None]
    return Measured(way, p50, p95, max(peaks, default=None), lost, problem)
