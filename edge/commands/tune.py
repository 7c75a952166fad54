"""`tandem tune`: measure every file × runtime × number of threads on this device, keep the best within the accuracy budget."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from edge import cpu, runtimes, tuned, tuning
from edge.bundle import Bundle, open_bundle
from edge.commands.bench import thread_counts
from edge.commands.progress import Progress
from edge.errors import SetupError, UsageError
from edge.tuned import Choice
from edge.tuning import Measured

HELP = "find the best file, runtime and number of threads on this device, and remember them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("bundle", help="a released bundle: a name such as mnist_cnn, its folder, or a version's")
    parser.add_argument("--budget", type=float, help="largest loss of the contract's metric (default: the contract's metric_drop)")
    parser.add_argument("--threads", type=thread_counts, help="numbers of threads to try (default: 1, 2, 4 … up to the cores)")
    parser.add_argument("--target", choices=("device", "server", "browser"), help="try only files for it (default: every released file)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured (default: 3)")
    parser.add_argument("--forget", action="store_true", help="let go what is remembered for this bundle, and measure nothing")
    parser.add_argument("--json", action="store_true", help="print JSON for machines")


def run(args: argparse.Namespace) -> int:
    """Measure, report, remember.

    Raises:
        UsageError: A number makes no sense.
        SetupError: Nothing can be measured here, or the choice cannot be remembered.
        GateError: No candidate may be kept.
        TandemError: The bundle cannot be used.
    """
    if not 1 <= args.rounds <= 1000:
        raise UsageError(f"--rounds is {args.rounds}, expected 1 to 1000")
    if args.budget is not None and not 0 <= args.budget < float("inf"):
        raise UsageError(f"--budget is {args.budget}, expected 0 or more")
    bundle = open_bundle(args.bundle)
    if args.forget:
        return _forget(bundle, args)
    budget = bundle.contract.tolerance.metric_drop if args.budget is None else args.budget
    ways = tuning.candidates(bundle, list(runtimes.installed()), args.threads or tuning.thread_counts(), args.target)
    progress = Progress(f"tune {bundle.contract.name}", len(ways) * args.rounds)
    rows = tuning.measure(bundle, ways, args.rounds, budget, told=lambda done: progress.show(done, f"{done} of {len(ways) * args.rounds}"))
    progress.close()
    if not args.json:
        print("\n".join(_table(bundle, rows, args.rounds, budget)))
    kept = tuning.best(rows)
    choice = Choice(kept.candidate.variant.file, kept.candidate.runtime, kept.candidate.threads, kept.p50_ms)
    try:
        where, problem = str(tuned.remember(bundle, choice)), None
    except SetupError as error:  # a read-only device: what was measured is told all the same
        where, problem = None, error
    if args.json:
        print(json.dumps(_document(bundle, rows, kept, budget, where)))
    else:
        print(f"best: {choice.file} on {choice.runtime}, {choice.threads} thread(s)")
    if problem is not None:
        raise problem
    if not args.json:
        print(f"remembered in {where}; taken by Model.open(…, tuned=True) and 'tandem run … --tuned'")
    return 0


def _forget(bundle: Bundle, args: argparse.Namespace) -> int:
    gone = tuned.forget(bundle)
    name = f"{bundle.contract.name} {bundle.contract.version}"
    print(json.dumps({"forgotten": gone}) if args.json else f"{name}: {'forgotten' if gone else 'nothing was remembered'}")
    return 0


def _table(bundle: Bundle, rows: Sequence[Measured], rounds: int, budget: float) -> list[str]:
    metric, against = bundle.contract.metric.name, tuning.reference(bundle)
    accuracy = "no accuracy was measured" if against is None else f"loss of {metric} against {against:.4f}, at most {budget:g}"
    head = f"  {'file':<36} {'runtime':<15} {'threads':>7} {'p50 ms':>9} {'p95 ms':>9} {'peak MB':>8} {'loss':>8}"
    lines = [
        f"{bundle.contract.name} {bundle.contract.version} on {cpu.read().sentence()}",
        f"{rounds} round(s) of turns, each measurement in a process of its own; {accuracy}",
        head,
    ]
    for one in sorted(rows, key=lambda row: (bool(row.problem), row.p50_ms)):
        way = one.candidate
        figures = f"{'–':>9} {'–':>9}" if not one.p50_ms else f"{one.p50_ms:9.3f} {one.p95_ms:9.3f}"
        peak = "–" if one.peak_bytes is None else f"{one.peak_bytes / 1e6:.1f}"
        lost = "–" if one.loss is None else f"{one.loss:+.4f}"
        out = f"  out: {one.problem}" if one.problem else ""
        lines.append(f"  {way.variant.file:<36} {way.runtime:<15} {way.threads:>7} {figures} {peak:>8} {lost:>8}{out}")
    return lines


def _document(bundle: Bundle, rows: Sequence[Measured], kept: Measured, budget: float, where: Any) -> dict[str, Any]:
    return {
        "model": bundle.contract.name,
        "version": bundle.contract.version,
        "metric": bundle.contract.metric.name,
        "reference": tuning.reference(bundle),
        "budget": budget,
        "candidates": [_row(one) for one in rows],
        "kept": _row(kept),
        "remembered_in": where,
    }


def _row(one: Measured) -> dict[str, Any]:
    return {
        "file": one.candidate.variant.file,
        "runtime": one.candidate.runtime,
        "threads": one.candidate.threads,
        "latency_p50_ms": one.p50_ms or None,
        "latency_p95_ms": one.p95_ms or None,
        "rss_peak_bytes": one.peak_bytes,
        "loss": one.loss,
        "problem": one.problem or None,
    }
