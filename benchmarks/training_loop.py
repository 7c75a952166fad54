"""How fast our training loop is beside a bare PyTorch loop, in one process, in turns.

Run:  python benchmarks/training_loop.py [--model mnist_cnn | line] [--samples 6400] [--epochs 2] [--rounds 5]

The bare loop is what a user would write: shuffle, batch, forward, backward, optimiser, schedule, and the validation
accuracy after each epoch. Ours does that and more: it checks the loss of each step, counts hits, keeps the best weights
and writes a checkpoint after each epoch. Both have the same module, data in memory, optimiser and schedule. A round
times both, in an order that changes from round to round; the ratio is ours to bare, in samples/s, 1 = as fast. Other work
on the machine widens the spread; then the ratio of the best rounds says most.

`mnist_cnn` is the recipe on its own data. `line` is one linear layer, the lightest model there is: it shows what the
loop costs by itself.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

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
from training.train import limited

VALIDATION = 1000


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
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="mnist_cnn")
    parser.add_argument("--samples", type=int, default=6400)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    build, splits, settings = line() if args.model == "line" else recipe(args.model)
    splits = limited(discover.find("mnist_cnn"), splits, args.samples)
    settings = FitSettings(epochs=args.epochs, batch_size=settings.batch_size, learning_rate=settings.learning_rate)

    def ours(module: nn.Module) -> None:
        with tempfile.TemporaryDirectory() as folder, reproducible(0):
            fit(pytorch, module, splits, settings, Checkpoints(Path(folder), "benchmark"))

    loops = {"bare": lambda module: bare(module, splits, settings), "ours": ours}
    speeds: dict[str, list[float]] = {name: [] for name in loops}
    for number in range(args.rounds + 1):  # the first warms up
        for name in sorted(loops, reverse=number % 2 == 0):
            torch.manual_seed(0)
            module = build()
            started = time.perf_counter()
            loops[name](module)
            if number:
                speeds[name].append(args.samples * args.epochs / (time.perf_counter() - started))
    ratios = [ours / bare for ours, bare in zip(speeds["ours"], speeds["bare"], strict=True)]
    for name, values in speeds.items():
        print(f"{name}: {statistics.median(values):,.0f} samples/s (median of {len(values)}; {min(values):,.0f} to {max(values):,.0f})")
    best = max(speeds["ours"]) / max(speeds["bare"])  # what a busy machine disturbs least
    print(f"ours / bare: {statistics.median(ratios):.3f} (median; {min(ratios):.3f} to {max(ratios):.3f}), best {best:.3f}, {args.model}")


if __name__ == "__main__":
    main()
