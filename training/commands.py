"""`tandem train`: from nothing to a hand-over directory."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from edge.errors import UsageError
from training import discover
from training.finished import Outcome, TrainOptions
from training.recipe import SOURCES
from training.train import train

HELP = "train a model on real data and write its hand-over directory"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("name", nargs="?", help="the model, such as mnist_cnn")
    parser.add_argument("--out", type=Path, default=Path("runs"), help="folder of hand-over directories (default: runs)")
    parser.add_argument("--epochs", type=int, help="passes over the training data (default: the recipe's)")
    parser.add_argument("--seed", type=int, help="seed of weights and shuffling (default: the recipe's)")
    parser.add_argument(
        "--source", choices=SOURCES, default="auto", help="which content of the data set (default: auto, the best to be had)"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="use N training samples only")
    parser.add_argument("--force", action="store_true", help="train although nothing has changed")
    parser.add_argument("--json", action="store_true", help="print the training's record as JSON")
    parser.add_argument("--list", action="store_true", help="list the models and stop")


def run(args: argparse.Namespace) -> int:
    """Train one model, or list all.

    Raises:
        UsageError: No model is named, or a number cannot be used.
        TandemError: Training cannot be done.
    """
    if args.list:
        names = discover.names()
        print(json.dumps(names) if args.json else "\n".join(names))
        return 0
    if args.name is None:
        raise UsageError(f"name the model to train; there are: {', '.join(discover.names())}")
    options = TrainOptions(args.out, args.epochs, args.seed, args.source, args.limit, args.force)
    started = time.perf_counter()
    outcome = train(args.name, options)
    seconds = time.perf_counter() - started
    if args.json:
        print(json.dumps({**outcome.record, "folder": str(outcome.folder), "skipped": outcome.skipped}, ensure_ascii=False))
    else:
        print(describe(outcome, seconds))
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
        lines.append(f"  below {metric['floor']}, the least that its contract allows: export will refuse it")
    return "\n".join(lines)
