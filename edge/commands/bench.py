"""`tandem bench`: how long one answer takes on this machine, how much memory, which operators; two files in turns; steady load."""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from dataclasses import asdict
from typing import Any

from edge import benchmark, budget, child
from edge.commands import steadily
from edge.commands.options import add_model_arguments, describe, open_model
from edge.errors import SetupError, TandemError, UsageError
from edge.model import Model
from edge.runtimes import MOST_THREADS
from edge.variants import RUNTIMES_OF

HELP = "measure latency, memory and operators of a released model on this machine"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_model_arguments(parser, threads=False)
    parser.add_argument("--threads", type=thread_counts, default=(1,), help="processor threads; several, such as 1,2,4, give a table")
    parser.add_argument("--runs", type=int, default=200, help="measured runs (default: 200)")
    parser.add_argument("--warmup", type=int, default=20, help="runs before measuring (default: 20)")
    parser.add_argument("--operators", type=int, default=5, metavar="N", help="name the N slowest operators (default: 5; 0 for none)")
    parser.add_argument("--compare", metavar="FILE_OR_RECIPE", help="measure this file of the bundle too, in turns, and give the ratio")
    parser.add_argument("--rounds", type=int, default=20, help="turns of each file with --compare (default: 20)")
    words = "hold the contract's budget of memory, and of latency on the device that it calls NAME; exit code 5 where it is passed"
    parser.add_argument("--budget", nargs="?", const="", metavar="NAME", help=words)
    steadily.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Measure and report.

    Raises:
        UsageError: A number makes no sense, or options exclude one another.
        SetupError: A process for a number of threads cannot be started, or the picture cannot be written.
        BudgetError: The contract's budget was to be held, and is passed.
        TandemError: The bundle cannot be used.
    """
    _check(args)
    if len(args.threads) > 1:
        return _report_threads(args)
    args.threads = args.threads[0]
    if args.compare is not None:
        return _report_comparison(args)
    if args.steady is not None:
        return steadily.run(args)
    return _report_one(args)


def _report_one(args: argparse.Namespace) -> int:
    """Measure one file with one number of threads."""
    started = time.perf_counter()
    model = open_model(args)
    opened_ms = (time.perf_counter() - started) * 1000
    if args.budget is not None:
        budget.bounds(model.contract, args.budget)  # before anything is measured
    figures = {**describe(model), "threads": args.threads, "open_ms": opened_ms, **benchmark.measure(model, args.runs, args.warmup)}
    figures["xnnpack"] = benchmark.xnnpack_words(model) or None
    if args.operators:
        slowest, figures["operators_silent"] = benchmark.operator_times(model, args.threads)
        figures["operators"] = [asdict(one) for one in slowest]
    found = [] if args.budget is None else budget.held(model.contract, args.budget, figures)
    if args.budget is not None:
        figures["budget"] = [{**asdict(one), "kept": one.kept} for one in found]
    lines = [*_lines(figures, args.operators), *(f"  budget                            {one.sentence()}" for one in found)]
    print(json.dumps(figures) if args.json else "\n".join(lines))
    budget.check(model.contract, found)
    return 0


def thread_counts(value: str) -> tuple[int, ...]:
    """Read `1` or `1,2,4`.

    Raises:
        argparse.ArgumentTypeError: A part is no number, or one that no machine has threads for.
    """
    try:
        counts = tuple(dict.fromkeys(int(part) for part in value.split(",")))
    except ValueError:
        counts = ()
    if not counts or not all(1 <= count <= MOST_THREADS for count in counts):
        raise argparse.ArgumentTypeError(f"--threads is {value}, expected 1 to {MOST_THREADS}, or several such as 1,2,4")
    return counts


def in_child(args: argparse.Namespace, threads: int) -> dict[str, Any]:
    """Measure with so many threads in a process of its own, so that its memory is its own.

    Raises:
        SetupError: The process cannot be started, or dies.
        TandemError: It failed; with its words and its exit code.
    """
    words = ["bench", str(args.bundle), "--json", "--operators", "0", "--threads", str(threads)]
    words += ["--runs", str(args.runs), "--warmup", str(args.warmup), "--target", args.target, "--device", args.device]
    words += [part for name in ("variant", "runtime") if getattr(args, name) for part in (f"--{name}", getattr(args, name))]
    try:
        done = subprocess.run(child.module("edge", *words), capture_output=True, text=True, errors="replace")
    except OSError as error:
        raise SetupError(f"--threads {threads}: no process can be started here ({error}); give one number of threads") from None
    if done.returncode == 0:
        figures: dict[str, Any] = json.loads(done.stdout)
        return figures
    said = (done.stderr.strip().splitlines() or [f"ended with {done.returncode} and no words"])[-1]
    failed = TandemError(f"--threads {threads}: {said.partition('tandem: ')[2] or said}")
    failed.exit_code = done.returncode if done.returncode > 0 else SetupError.exit_code
    raise failed


def _check(args: argparse.Namespace) -> None:
    for name, least, value in (("--runs", 1, args.runs), ("--warmup", 0, args.warmup), ("--rounds", 2, args.rounds)):
        if not least <= value <= 1_000_000:
            raise UsageError(f"{name} is {value}, expected {least} to 1000000")
    if args.operators < 0:
        raise UsageError(f"--operators is {args.operators}, expected 0 or more")
    if args.compare is not None and args.steady is not None:
        raise UsageError("--compare and --steady exclude one another; measure them one after the other")
    if len(args.threads) > 1 and (args.compare is not None or args.steady is not None or args.tuned):
        raise UsageError("--compare, --steady and --tuned take one number of threads, such as --threads 2")
    if args.budget is not None and (len(args.threads) > 1 or args.compare is not None or args.steady is not None):
        raise UsageError("--budget holds one measurement: leave out --compare and --steady, and give one number of --threads")
    if args.compare is not None and args.tuned:
        raise UsageError("--compare and --tuned exclude one another; name the tuned file with --variant")
    steadily.check(args)


def _lines(figures: dict[str, Any], operators: int) -> list[str]:
    """Tell the figures of one measurement to people."""
    started, resident, peak = figures["start_to_answer_ms"], figures["rss_bytes"], figures["rss_peak_bytes"]
    lines = [
        f"{figures['model']} {figures['version']}: {_where(figures)}, {figures['threads']} thread(s)",
        f"  open, verified and replayed       {figures['open_ms']:8.1f} ms",
        f"  first inference after that        {figures['first_inference_ms']:8.3f} ms",
        f"  program start to first answer     {'not told by this system' if started is None else f'{started:8.0f} ms'}",
        *(f"  one inference, {key:<5}              {figures[f'latency_{key}_ms']:8.3f} ms" for key in ("p50", "p95", "p99", "mean")),
        f"                                    {figures['runs']} runs after {figures['warmup']} for warm-up",
        f"  memory, resident                  {'not told by this system' if resident is None else f'{resident / 1e6:8.1f} MB'}",
        f"  memory, peak                      {'not told by this system' if peak is None else f'{peak / 1e6:8.1f} MB'}",
    ]
    if figures["xnnpack"]:
        lines.append(f"  XNNPACK                           {figures['xnnpack']}")
    if operators and figures["operators"]:
        lines.append(f"  slowest operators, of {len(figures['operators'])} kinds, for one answer")
        for one in figures["operators"][:operators]:
            lines.append(f"    {one['operator']:<24} {one['count']:6g} times {one['ms']:9.4f} ms {one['share']:6.1%}")
    elif operators:
        lines.append(f"  operators                         {figures['operators_silent']}")
    return lines


def _report_threads(args: argparse.Namespace) -> int:
    rows = [in_child(args, threads) for threads in args.threads]
    if args.json:
        print(json.dumps({"threads": rows}))
        return 0
    print(f"{rows[0]['model']} {rows[0]['version']}: {_where(rows[0])}; each row in a process of its own")
    print(f"  {'threads':>7} {'p50 ms':>9} {'p95 ms':>9} {'p99 ms':>9} {'mean ms':>9} {'of the first':>12} {'peak MB':>9} {'open ms':>9}")
    for row in rows:
        times = " ".join(f"{row[f'latency_{key}_ms']:9.3f}" for key in ("p50", "p95", "p99", "mean"))
        share = row["latency_p50_ms"] / rows[0]["latency_p50_ms"]
        peak = "–" if row["rss_peak_bytes"] is None else f"{row['rss_peak_bytes'] / 1e6:.1f}"
        print(f"  {row['threads']:>7} {times} {share:12.2f} {peak:>9} {row['open_ms']:9.1f}")
    return 0


def _report_comparison(args: argparse.Namespace) -> int:
    first = open_model(args)
    second = _second(args, first)
    found = benchmark.compare(first, second, args.rounds, max(1, args.runs // args.rounds), args.warmup)
    sides = [{**describe(model), **latency} for model, latency in zip((first, second), found["latency"])]
    ratio = found["ratio"]
    if args.json:
        print(json.dumps({"sides": sides, "ratio": ratio, "runs": found["runs"], "threads": args.threads}))
        return 0
    head = f"{sides[0]['model']} {sides[0]['version']}, {args.threads} thread(s)"
    print(f"{head}, {found['runs']} runs each in {ratio['rounds']} rounds of turns")
    for name, side in zip("AB", sides):
        times = "  ".join(f"{key} {side[f'latency_{key}_ms']:.3f}" for key in ("p50", "p95", "p99", "mean"))
        print(f"  {name}  {_where(side):<62} {times} ms")
    spread = f"{ratio['low']:.2f} to {ratio['high']:.2f}"
    print(f"  B takes {ratio['median']:.2f} times as long as A (middle 80 % of rounds: {spread}){_verdict(ratio)}")
    return 0


def _second(args: argparse.Namespace, first: Model) -> Model:
    """Open the file to compare with, on the runtime asked for where it runs such files."""
    named = [v for v in first.bundle.variants if args.compare in (v.recipe, v.file, f"{v.format}:{v.recipe}")]
    fits = bool(named) and args.runtime in RUNTIMES_OF[named[0].format]
    return open_model(argparse.Namespace(**{**vars(args), "variant": args.compare, "runtime": args.runtime if fits else None}))


def _verdict(ratio: dict[str, Any]) -> str:
    return "; the rounds do not agree which is faster" if ratio["low"] <= 1 <= ratio["high"] else ""


def _where(figures: dict[str, Any]) -> str:
    return f"{figures['file']} on {figures['runtime']} {figures['runtime_version']} ({figures['provider']})"
