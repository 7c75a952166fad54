"""`tandem bench`: how long one answer takes on this machine, and how much memory."""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from typing import Any

import numpy as np

from edge.commands.options import add_model_arguments, describe, open_model
from edge.errors import UsageError
from edge.model import Model

HELP = "measure latency and memory of a released model on this machine"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_model_arguments(parser)
    parser.add_argument("--runs", type=int, default=200, help="measured runs (default: 200)")
    parser.add_argument("--warmup", type=int, default=20, help="runs before measuring (default: 20)")


def run(args: argparse.Namespace) -> int:
    """Measure and report.

    Raises:
        UsageError: A number of runs makes no sense.
        TandemError: The bundle cannot be used.
    """
    for name, least, value in (("--runs", 1, args.runs), ("--warmup", 0, args.warmup)):
        if not least <= value <= 1_000_000:
            raise UsageError(f"{name} is {value}, expected {least} to 1000000")
    started = time.perf_counter()
    model = open_model(args)
    opened_ms = (time.perf_counter() - started) * 1000
    figures = {**describe(model), "threads": args.threads, "open_ms": opened_ms, **measure(model, args.runs, args.warmup)}
    if args.json:
        print(json.dumps(figures))
        return 0
    runtime = f"{figures['runtime']} {figures['runtime_version']} ({figures['provider']})"
    print(f"{figures['model']} {figures['version']}: {figures['file']} on {runtime}")
    print(f"  open, verified and replayed   {opened_ms:8.1f} ms")
    for key in ("p50", "p95", "p99"):
        print(f"  one inference, {key}            {figures[f'latency_{key}_ms']:8.3f} ms   ({args.runs} runs, {args.threads} thread(s))")
    print(f"  peak resident memory          {figures['rss_peak_bytes'] / 1e6:8.1f} MB")
    return 0


def measure(model: Model, runs: int, warmup: int) -> dict[str, Any]:
    """Time single inferences on the stored golden inputs, one after the other; times in milliseconds."""
    rows = [{name: array[i : i + 1] for name, array in model.bundle.golden.inputs.items()} for i in range(model.bundle.golden.count)]
    for i in range(warmup):
        model.run(rows[i % len(rows)])
    times = np.empty(runs)
    for i in range(runs):
        started = time.perf_counter()
        model.run(rows[i % len(rows)])
        times[i] = time.perf_counter() - started
    p50, p95, p99 = (float(x) for x in np.percentile(times * 1000, (50, 95, 99)))
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage counts bytes on macOS, kB elsewhere
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return {"runs": runs, "latency_p50_ms": p50, "latency_p95_ms": p95, "latency_p99_ms": p99, "rss_peak_bytes": peak}
