"""`tandem train`: from nothing to a hand-over directory."""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import replace
from pathlib import Path

from edge.errors import UsageError
from training import compare, discover, overrides, sweep
from training.finished import Outcome, TrainOptions
from training.interruption import terminable
from training.launch import train_in
from training.observers import Watching
from training.ranks import joined, launched, told_once
from training.recipe import SOURCES
from training.train import train

COMPARE = "compare"  # in place of a model's name
HELP = "train a model on real data and write its hand-over directory"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("name", nargs="?", help="the model, such as mnist_cnn, or the path of a file: ./my_model.py, ./my_model.py:variant")
    parser.add_argument("runs", nargs="*", type=Path, metavar="RUN", help="after the word compare: the runs to compare")
    parser.add_argument("--out", type=Path, default=Path("runs"), help="folder of hand-over directories (default: runs)")
    parser.add_argument("--epochs", type=int, help="passes over the training data (default: the recipe's)")
    parser.add_argument("--learning-rate", type=float, metavar="RATE", help="highest learning rate (default: the recipe's)")
    parser.add_argument("--seed", type=int, help="seed of weights and shuffling (default: the recipe's)")
    parser.add_argument(
        "--source", choices=SOURCES, default="auto", help="which content of the data set (default: auto, the best to be had)"
    )
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="read the data set's genuine files from this folder")
    parser.add_argument("--strict", action="store_true", help="refuse samples that cannot be read, instead of skipping and listing them")
    parser.add_argument("--limit", type=int, metavar="N", help="use N training samples only")
    parser.add_argument("--force", action="store_true", help="train although nothing has changed, and from nothing although it could go on")
    parser.add_argument("--from", dest="start", type=Path, metavar="FILE", help="begin with this checkpoint of another training")
    _add_ways(parser)
    parser.add_argument("--json", action="store_true", help="print the training's record as JSON")
    parser.add_argument("--list", action="store_true", help="list the models and stop")
    parser.add_argument(
        "--compare",
        nargs="+",
        type=Path,
        metavar="RUN",
        help="compare finished hand-over directories with the first; the same as: compare RUN RUN",
    )


def _add_ways(parser: argparse.ArgumentParser) -> None:
    """Declare what varies a training, looks on, or shares it."""
    parser.add_argument(
        "--set",
        action="extend",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="other settings: of the fit (clip_norm=1), or arguments of build (width=32)",
    )
    parser.add_argument(
        "--sweep",
        action="extend",
        nargs="+",
        metavar="NAME=A,B",
        help="train with every combination of settings: lr=1e-3,1e-4 width=16,32; with --trials also lr=1e-4..1e-1",
    )
    parser.add_argument("--trials", type=int, metavar="N", help="let Optuna choose N combinations of --sweep")
    parser.add_argument("--tensorboard", action="store_true", help="write scalars, graph, histograms and images for TensorBoard")
    parser.add_argument(
        "--mlflow",
        metavar="URL",
        default=os.environ.get("MLFLOW_TRACKING_URI"),
        help="log to this MLflow server (default: MLFLOW_TRACKING_URI)",
    )
    parser.add_argument(
        "--processes",
        type=int,
        default=1,
        metavar="N",
        help="share every batch between N processes of this machine; for more machines: torchrun … -m edge train … (docs/training.md)",
    )


def run(args: argparse.Namespace) -> int:
    """Train one model, list all, or compare finished trainings.

    Raises:
        UsageError: No model is named, or a number cannot be used.
        TandemError: Training cannot be done.
    """
    if args.list:
        names = discover.names()
        print(json.dumps(names) if args.json else "\n".join(names))
        return 0
    if args.compare or args.name == COMPARE:
        return _compare(args)
    if args.runs:
        raise UsageError(f"{args.runs[0]} follows {args.name}, expected one model; several runs belong to: tandem train compare RUN RUN")
    if args.name is None:
        raise UsageError(f"name the model to train; there are: {', '.join(discover.names())}")
    numbers = (args.epochs, args.seed, args.source, args.limit, args.force, args.learning_rate)
    options = TrainOptions(args.out, *numbers, start=args.start, data_dir=args.data_dir, strict=args.strict)
    chosen = tuple(sorted(overrides.assignment(text, "--set") for text in args.set))
    options = replace(options, settings=chosen, watching=Watching(args.tensorboard, args.mlflow))
    if args.sweep or args.trials is not None:
        return _sweep(args, options)
    started = time.perf_counter()
    with terminable(), told_once(), joined() as ranks:
        outcome = train(args.name, options) if args.processes == 1 else train_in(args.processes, args.name, options)
    if ranks.number > 0:  # rank 0 speaks
        return 0
    seconds = time.perf_counter() - started
    if args.json:
        print(json.dumps({**outcome.record, "folder": str(outcome.folder), "skipped": outcome.skipped}, ensure_ascii=False))
    else:
        print(describe(outcome, seconds))
    return 0


def _sweep(args: argparse.Namespace, options: TrainOptions) -> int:
    if not args.sweep:
        raise UsageError("--trials says how often to try, --sweep what: add --sweep NAME=A,B or NAME=LOW..HIGH")
    if args.processes > 1 or launched():
        raise UsageError("--sweep trains in one process; leave out --processes or torchrun")
    with terminable():
        walked = sweep.run(args.name, [sweep.axis(text) for text in args.sweep], args.trials, options, train)
    picture = sweep.write(walked, options.out)
    print(json.dumps(sweep.to_json(walked), ensure_ascii=False) if args.json else f"{sweep.describe(walked)}\npicture: {picture}")
    return 0


def _compare(args: argparse.Namespace) -> int:
    if args.compare and args.name is not None:
        raise UsageError(f"{args.name!r} is named beside --compare, which trains nothing; give the runs only: --compare RUN RUN")
    found = compare.compare(args.compare or args.runs)
    print(json.dumps(found.to_json(), ensure_ascii=False) if args.json else compare.describe(found))
    return 0


def describe(outcome: Outcome, seconds: float) -> str:
    """Say in a few lines what a training gave."""
    record, metric = outcome.record, outcome.record["metric"]
    name = f"{record['model']} {record['version']}"
    lines = [
        f"{name}: test {metric['name']} {metric['test']:.4f} on {metric['test_count']:,} samples, "
        f"validation {metric['validation']:.4f} on {metric['validation_count']:,} ({record['data']['note']})",
        f"  unchanged since {record['finished']}, training skipped in {seconds:.1f} s; --force trains again"
        if outcome.skipped
        else f"  trained in {record['fit_seconds']:.1f} s on {record['device']}, {seconds:.1f} s with data and hand-over",
        f"  hand-over: {outcome.folder}",
    ]
    if not metric["floor_met"]:
        words = ("below", "least") if metric["direction"] == "higher" else ("above", "most")
        lines.append(f"  {words[0]} {metric['floor']}, the {words[1]} that its contract allows: export will refuse it")
    return "\n".join(lines)
