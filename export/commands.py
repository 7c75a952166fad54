"""`tandem export`: release trained models, with proof."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edge.errors import EXIT_DONE, EXIT_INTERRUPTED, TandemError, UsageError
from edge.schema import encode
from export.release import Options, Outcome, export, handed_over, why
from export.report_rows import Row

HELP = "convert, quantize and prove trained models, then release them as bundles"
MOST_JOBS = 64
Result = tuple[str, Outcome | TandemError, float]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="a trained model, such as mnist_cnn (its hand-over is RUNS/mnist_cnn)")
    parser.add_argument("--all", action="store_true", help="every model that has a hand-over in RUNS")
    parser.add_argument(
        "--program", metavar="FILE", help="a model from elsewhere: a file, a SavedModel or Hugging Face folder, or package.module:Class"
    )
    parser.add_argument("--contract", type=Path, metavar="JSON", help="its contract; 'tandem contract init FILE' writes a first one")
    parser.add_argument("--samples", type=Path, metavar="NPZ", help="some of its inputs, an array for each, samples first")
    parser.add_argument("--eval", type=Path, metavar="NPZ", help="inputs with 'target', on which the metric is measured; else parity only")
    parser.add_argument("--licence", metavar="TEXT", help="the licence of a T5 folder's weights, which go without a contract")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="the weights of a class: safetensors, or .pt with tensors alone")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where training wrote its hand-overs (default: runs)")
    parser.add_argument("--out", type=Path, default=Path("bundles"), help="where bundles go (default: bundles)")
    parser.add_argument("--only", metavar="PART", help="build and prove one format or recipe (onnx, tflite, fp32 …) and release nothing")
    parser.add_argument("--explain", action="store_true", help="say why a model would be exported again, or why not; convert nothing")
    parser.add_argument("--jobs", type=int, default=_cores(), metavar="N", help="children at once (default: one a core, at most 4)")
    parser.add_argument("--time-limit", type=float, default=600.0, metavar="SECONDS", help="for one conversion (default: 600)")
    parser.add_argument("--memory-limit", type=float, metavar="GB", help="address space of one child (default: no limit)")
    parser.add_argument("--no-repair", action="store_true", help="refuse a quantized file that loses too much, without mending it")
    parser.add_argument("--force", action="store_true", help="export again although nothing changed")
    parser.add_argument("--json", action="store_true", help="print JSON for machines, of failures too")


def run(args: argparse.Namespace) -> int:
    """Export models and say what was released.

    With several models each failure is one line and the others go on; the exit code is that of the first failure.

    Raises:
        TandemError: Why the only model asked for was not released; the earlier bundle is untouched.
    """
    try:
        names, options = _asked(args)
        with _terminable():
            code = _explain(names, options, args.json) if args.explain else _export(names, options, args)
            if args.program is not None and args.names and code == EXIT_DONE and not (args.explain or args.only):
                from export import seq2seq

                seq2seq.prove(args.names[0], args.out)
            return code
    except TandemError as error:
        if args.json:
            print(json.dumps(_failure(error)))
        raise
    except KeyboardInterrupt:
        if args.json:
            print(json.dumps({"error": "interrupted", "exit_code": EXIT_INTERRUPTED}))
        raise


def _asked(args: argparse.Namespace) -> tuple[list[str], Options]:
    if not 1 <= args.time_limit <= 86_400:
        raise UsageError(f"--time-limit is {args.time_limit:g}, expected 1 to 86400 seconds")
    if args.memory_limit is not None and not 0.1 <= args.memory_limit <= 10_000:
        raise UsageError(f"--memory-limit is {args.memory_limit:g}, expected 0.1 to 10000 gigabytes")
    if not 1 <= args.jobs <= MOST_JOBS:
        raise UsageError(f"--jobs is {args.jobs}, expected 1 to {MOST_JOBS}")
    memory = None if args.memory_limit is None else int(args.memory_limit * 1e9)
    options = Options(args.runs, args.out, args.time_limit, args.force, args.only, args.jobs, memory, not args.no_repair)
    if args.program is not None:
        return _given(args, memory), options
    alone = [f"--{name}" for name in ("contract", "samples", "eval", "weights", "licence") if getattr(args, name) is not None]
    if alone:
        raise UsageError(f"{', '.join(alone)}: for a model from elsewhere; name it too: --program FILE")
    if args.all == bool(args.names):
        raise UsageError("expected the names of models, such as mnist_cnn, or --all" + (", not both" if args.all else ""))
    file = next((name for name in args.names if name.endswith(".py")), None)
    if file is not None:
        raise UsageError(f"{file}: the file of a recipe, expected the name of a model that was trained: tandem export {Path(file).stem}")
    names = handed_over(args.runs) if args.all else list(dict.fromkeys(args.names))
    if not names:
        raise UsageError(f"{args.runs}: no trained model here; train one first: tandem train mnist_cnn")
    return names, options


def _given(args: argparse.Namespace, memory: int | None) -> list[str]:
    """Write the hand-over of a model from elsewhere, and give what `export` shall be asked for."""
    if args.names and not args.all and args.contract is None and Path(args.program).is_dir():
        from export import seq2seq

        beside = [f"--{name}" for name in ("samples", "eval", "weights") if getattr(args, name) is not None]
        if beside:
            raise UsageError(f"{', '.join(beside)}: a T5 folder brings its own; leave it out, or name a --contract for another model")
        return seq2seq.hand_over(seq2seq.name_of(args.names), args.program, args.runs, args.licence, args.time_limit, memory)
    if args.names or args.all:
        raise UsageError("--program is one model; leave the names and --all away")
    if args.contract is None or args.samples is None:
        raise UsageError("--program needs --contract JSON and --samples NPZ; 'tandem contract init FILE' writes a first contract")
    from export.given import Given, hand_over

    given = Given(args.program, args.contract, args.samples, args.eval, args.weights)
    return [hand_over(given, args.runs, args.time_limit, memory)]


def _export(names: list[str], options: Options, args: argparse.Namespace) -> int:
    if len(names) == 1 and not args.all:
        started = time.perf_counter()
        outcome = export(names[0], options)
        elapsed = time.perf_counter() - started
        print(json.dumps(_facts(outcome, elapsed))) if args.json else _tell(outcome, elapsed)
        return EXIT_DONE
    results = [_attempt(name, options) for name in names]
    code = next((outcome.exit_code for _, outcome, _ in results if isinstance(outcome, TandemError)), EXIT_DONE)
    if args.json:
        models = [
            {"name": name, **(_failure(outcome) if isinstance(outcome, TandemError) else _facts(outcome, elapsed))}
            for name, outcome, elapsed in results
        ]
        print(json.dumps({"exit_code": code, "models": models}))
    else:
        _table(results)
    return code


def _attempt(name: str, options: Options) -> Result:
    """Export one model of several; its failure is said at once and does not stop the others."""
    started = time.perf_counter()
    try:
        outcome: Outcome | TandemError = export(name, options)
    except TandemError as error:
        print(f"tandem: {name}: {error}", file=sys.stderr)
        outcome = error
    return name, outcome, time.perf_counter() - started


def _explain(names: list[str], options: Options, as_json: bool) -> int:
    found = [why(name, options) for name in names]
    if as_json:
        keys = ("name", "version", "again", "reasons", "conversions")
        print(json.dumps({"models": [{key: getattr(one, key) for key in keys} for one in found]}))
        return EXIT_DONE
    for one in found:
        print(f"{one.name} {one.version}: {'would be exported again' if one.again else 'is kept'}")
        for line in one.reasons:
            print(f"  {line}")
        for line in one.conversions:
            print(f"  cache: {line}")
    return EXIT_DONE


def _failure(error: TandemError) -> dict[str, Any]:
    return {"error": str(error), "exit_code": error.exit_code, "reason": error.reason}


def _facts(outcome: Outcome, elapsed: float) -> dict[str, Any]:
    return {
        "bundle": str(outcome.folder),
        "released": outcome.only is None,
        "skipped": outcome.skipped,
        "only": outcome.only,
        "parity_only": outcome.parity_only,
        "seconds": elapsed,
        "report": str(outcome.report),
        "exit_code": EXIT_DONE,
        "variants": [encode(variant) for variant in outcome.variants],
        "trials": [_trial(row) for row in outcome.rows],
    }


def _trial(row: Row) -> dict[str, Any]:
    return {
        "file": row.file,
        "runtime": row.runtime,
        "passed": row.passed,
        "metric": row.trial.metric,
        "metric_loss": row.trial.loss,
        "agreement": row.trial.agreement,
        "latency_ms": row.latency_ms,
        "latency_p95_ms": row.p95_ms,
        "peak_rss_bytes": row.trial.peak_rss_bytes,
        "checks": [asdict(check) for check in row.checks],
    }


def _tell(outcome: Outcome, elapsed: float) -> None:
    if outcome.skipped:
        print(f"{outcome.folder}: nothing changed since it was released, kept ({elapsed:.1f} s); --force exports again", file=sys.stderr)
    elif outcome.only:
        print(f"{outcome.folder}: proved {outcome.only} alone in {elapsed:.1f} s; nothing was released", file=sys.stderr)
    else:
        print(f"{outcome.folder}: released in {elapsed:.1f} s", file=sys.stderr)
    if outcome.parity_only:
        print(
            "  parity only: held against the given model's own answers; whether those are right was not measured (--eval)", file=sys.stderr
        )
    for v in outcome.variants:
        metric = "–" if v.metric is None else f"{v.metric:.4f}"
        agreement = "–" if v.agreement is None else f"{v.agreement:.4f}"
        print(f"  {v.file:<32} {v.size_bytes / 1000:8.1f} kB  metric {metric}  agreement {agreement}  on {', '.join(v.passed)}")
    print(f"  report: {outcome.report}")


def _table(results: list[Result]) -> None:
    width = max(len(name) for name, _, _ in results)
    for name, outcome, elapsed in results:
        if isinstance(outcome, TandemError):
            print(f"  {name:<{width}}  failed     exit code {outcome.exit_code}  {elapsed:6.1f} s")
            continue
        verdict = "unchanged" if outcome.skipped else "proved" if outcome.only else "released"
        print(f"  {name:<{width}}  {verdict:<9}  {len(outcome.variants)} files      {elapsed:6.1f} s  {outcome.report}")


def _cores() -> int:
    return max(1, min(4, len(os.sched_getaffinity(0))))


@contextmanager
def _terminable() -> Iterator[None]:
    """Let a request to end (SIGTERM, or SIGHUP of a closed terminal) do as Ctrl-C does: children stopped, nothing half-written."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    # `nohup` has SIGHUP ignored, and means it.
    earlier = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    taken = {number: handler for number, handler in earlier.items() if handler is not signal.SIG_IGN}
    for number in taken:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in taken.items():
            signal.signal(number, handler)
