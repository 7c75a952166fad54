"""How fast our training loop is beside a bare PyTorch loop, in turns; how much memory it takes, and how soon it begins.

Run:  python benchmarks/training_loop.py [--model mnist_cnn | line] [--samples 6400] [--epochs 2] [--rounds 5]

The bare loop is what a user would write: shuffle, batch, forward, backward, optimiser, schedule, and the validation
accuracy after each epoch, with torch's own settings. Ours does that and more: it checks the loss of each step, counts
hits, holds torch to deterministic algorithms, keeps the best weights and writes a checkpoint after each epoch. Both have
the same module, data in memory, optimiser and schedule. A round times both, in an order that changes from round to round;
the ratio is ours to bare, in samples/s, 1 = as fast. Other work on the machine widens the spread; then the ratio of the
best rounds says most.

Memory is the peak of the resident set, each loop in a process of its own. Start-up is the time from the start of the
process to the end of the first step of `tandem train`, with the data in the cache.

`mnist_cnn` is the recipe on its own data. `line` is one linear layer, the lightest model there is: it shows what the
loop costs by itself.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from torch import nn

from training import discover
from training.checkpoint import Checkpoints
from training.fit import fit
from training.frameworks import pytorch
from training.frameworks.pytorch import reproducible
from training.frameworks.pytorch_loop import tensor
from training.recipe import DataOptions, FitSettings, Split, Splits
from training.sampling import stratified_order

Loop: TypeAlias = Callable[[nn.Module], None]
VALIDATION = 1000
# Is `tandem`, and ends with the time when its first step is done.
FIRST_STEP = """
import os, sys, time
from edge.cli import main
from training.frameworks.pytorch_loop import PyTorchLoop

learn = PyTorchLoop._step

def step(self, *args):
    learn(self, *args)
    print(time.monotonic(), flush=True)
    os._exit(0)

PyTorchLoop._step = step
main(sys.argv[1:])
"""


def bare(module: nn.Module, splits: Splits, settings: FitSettings) -> None:
    """Train as a user would write it down."""
    inputs, targets = [tensor(array) for array in splits.train.inputs.values()], tensor(splits.train.targets)
    asked, answers = [tensor(array) for array in splits.validation.inputs.values()], tensor(splits.validation.targets)
    optimizer = torch.optim.AdamW(module.parameters(), settings.learning_rate)
    steps = len(targets) // settings.batch_size
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, total_steps=settings.epochs * steps + 1)
    for _ in range(settings.epochs):
        module.train()
        order = torch.randperm(len(targets))
        for step in range(steps):
            rows = order[step * settings.batch_size : (step + 1) * settings.batch_size]
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(module(*(values[rows] for values in inputs)), targets[rows])
            loss.backward()
            optimizer.step()
            schedule.step()
        module.eval()
        with torch.no_grad():
            float((module(*asked).argmax(dim=1) == answers).float().mean())


def line() -> tuple[Callable[[], nn.Module], Splits, FitSettings]:
    """Return one linear layer over 64 numbers, and its data."""
    random = np.random.default_rng(0)
    targets = random.integers(0, 10, 60_000)
    points = random.normal(size=(len(targets), 64)).astype(np.float32)
    points[np.arange(len(targets)), targets] += 3
    whole = Split({"x": points}, targets)
    few = whole.take(np.arange(VALIDATION))
    return lambda: nn.Linear(64, 10), Splits("line", "", "", tuple("abcdefghij"), whole, few, few), FitSettings()


def recipe(name: str) -> tuple[Callable[[], nn.Module], Splits, FitSettings]:
    """Return a recipe's module, data and settings."""
    found = discover.find(name)
    splits = found.load_data(DataOptions())
    few = splits.validation.take(np.arange(VALIDATION))
    return found.build, Splits(splits.name, "", "", splits.classes, splits.train, few, few), found.fit


def peak(name: str, words: list[str]) -> float:
    """Return the most memory that a process has resident which runs one loop, in MB."""
    command = [sys.executable, __file__, "--alone", name, *words]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def start_up() -> float:
    """Return how long `tandem train` takes from its start to the end of its first step, in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["train", "mnist_cnn", "--source", "subset", "--epochs", "1", "--force", "--out", folder]
        started = time.monotonic()  # the same clock for all processes of a machine
        done = subprocess.run([sys.executable, "-c", FIRST_STEP, *words], capture_output=True, text=True, check=True)
    return float(done.stdout) - started


def alone(loop: Loop, module: nn.Module) -> None:
    """Run one loop and print the most memory that this process had resident, in MB."""
    loop(module)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def race(build: Callable[[], nn.Module], loops: Mapping[str, Loop], samples: int, rounds: int) -> dict[str, list[float]]:
    """Time the loops in turns; return the speeds of each, in samples/s."""
    speeds: dict[str, list[float]] = {name: [] for name in loops}
    for number in range(rounds + 1):  # the first warms up
        for name in sorted(loops, reverse=number % 2 == 0):
            torch.manual_seed(0)
            module = build()
            started = time.perf_counter()
            loops[name](module)
            if number:
                speeds[name].append(samples / (time.perf_counter() - started))
    return speeds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="mnist_cnn")
    parser.add_argument("--samples", type=int, default=6400)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--alone", choices=("bare", "ours"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    build, splits, settings = line() if args.model == "line" else recipe(args.model)
    rows = stratified_order(splits.train.targets, np.random.default_rng(0))[: args.samples]
    splits = replace(splits, train=splits.train.take(rows))
    settings = FitSettings(epochs=args.epochs, batch_size=settings.batch_size, learning_rate=settings.learning_rate)

    def ours(module: nn.Module) -> None:
        with tempfile.TemporaryDirectory() as folder, reproducible(0):
            fit(pytorch, module, splits, settings, Checkpoints(Path(folder), "benchmark", pytorch))

    loops: dict[str, Loop] = {"bare": lambda module: bare(module, splits, settings), "ours": ours}
    if args.alone:
        alone(loops[args.alone], build())
        return
    speeds = race(build, loops, args.samples * args.epochs, args.rounds)
    ratios = [ours / bare for ours, bare in zip(speeds["ours"], speeds["bare"], strict=True)]
    for name, values in speeds.items():
        print(f"{name}: {statistics.median(values):,.0f} samples/s (median of {len(values)}; {min(values):,.0f} to {max(values):,.0f})")
    best = max(speeds["ours"]) / max(speeds["bare"])  # what a busy machine disturbs least
    print(f"ours / bare: {statistics.median(ratios):.3f} (median; {min(ratios):.3f} to {max(ratios):.3f}), best {best:.3f}, {args.model}")
    words = ["--model", args.model, "--samples", str(args.samples), "--epochs", str(args.epochs)]
    peaks = {name: peak(name, words) for name in loops}
    print(f"memory: ours {peaks['ours']:,.0f} MB, bare {peaks['bare']:,.0f} MB, ours / bare {peaks['ours'] / peaks['bare']:.3f}")
    starts = [start_up() for _ in range(3)]
    print(f"start-up: {statistics.median(starts):.2f} s to the end of the first step (median of 3, best {min(starts):.2f})")


if __name__ == "__main__":
    main()
