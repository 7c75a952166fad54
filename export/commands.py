"""`tandem export`: release a trained model, with proof."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from edge.errors import UsageError
from export.release import Options, Outcome, export

HELP = "convert, quantize and prove a trained model, then release it as a bundle"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("name", help="the trained model, such as mnist_cnn (its hand-over is RUNS/mnist_cnn)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where training wrote its hand-overs (default: runs)")
    parser.add_argument("--out", type=Path, default=Path("bundles"), help="where bundles go (default: bundles)")
    parser.add_argument("--time-limit", type=float, default=600.0, metavar="SECONDS", help="for one conversion (default: 600)")
    parser.add_argument("--force", action="store_true", help="export again although nothing changed")
    parser.add_argument("--json", action="store_true", help="print JSON for machines")


def run(args: argparse.Namespace) -> int:
    """Export one model and say what was released.

    Raises:
        TandemError: Why it was not released; the earlier bundle is untouched.
    """
    if not 1 <= args.time_limit <= 86_400:
        raise UsageError(f"--time-limit is {args.time_limit:g}, expected 1 to 86400 seconds")
    started = time.perf_counter()
    outcome = export(args.name, Options(args.runs, args.out, args.time_limit, args.force))
    elapsed = time.perf_counter() - started
    if args.json:
        print(json.dumps(_facts(outcome, elapsed)))
    else:
        _tell(outcome, elapsed)
    return 0


def _facts(outcome: Outcome, elapsed: float) -> dict[str, object]:
    return {
        "bundle": str(outcome.folder),
        "skipped": outcome.skipped,
        "seconds": elapsed,
        "report": str(outcome.folder / "report.html"),
        "variants": [{"file": v.file, "metric": v.metric, "agreement": v.agreement, "size_bytes": v.size_bytes} for v in outcome.variants],
    }


def _tell(outcome: Outcome, elapsed: float) -> None:
    if outcome.skipped:
        print(f"{outcome.folder}: nothing changed since it was released, kept ({elapsed:.1f} s); --force exports again", file=sys.stderr)
    else:
        print(f"{outcome.folder}: released in {elapsed:.1f} s", file=sys.stderr)
    for v in outcome.variants:
        metric = "–" if v.metric is None else f"{v.metric:.4f}"
        agreement = "–" if v.agreement is None else f"{v.agreement:.4f}"
        print(f"  {v.file:<32} {v.size_bytes / 1000:8.1f} kB  metric {metric}  agreement {agreement}  on {', '.join(v.passed)}")
    print(f"  report: {outcome.folder / 'report.html'}")
