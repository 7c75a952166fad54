"""Walk-forward evaluation: learn from all that was known by then, answer what came next, go on; as a forecaster would live."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from torch import nn

from training.evaluate import predict
from training.frameworks import pytorch
from training.objective import Objective
from training.progress import bar
from training.recipe import Array, FitSettings, Split, Splits


@dataclass(frozen=True)
class Block:
    """A stretch of time behind what was learned from: `learned` samples before it, and its answers and targets (N, …)."""

    learned: int
    split: Split
    answers: Array


def walk_forward(
    build: Callable[[], nn.Module], splits: Splits, settings: FitSettings, objective: Objective, blocks: int = 4
) -> list[Block]:
    """Cut the test split into blocks, and answer each by a new model that learned from everything before it.

    Args:
        build: Makes the model, untrained.
        splits: Samples in the order of time.
        settings: How each is trained; without patience, as nothing lies ahead to be patient about.
        objective: The loss and the metric.
        blocks: How many.

    Raises:
        GateError: A loss is not finite.
    """
    parts = list(splits.parts().values())
    name = next(iter(splits.test.inputs))
    whole = Split({name: np.concatenate([part.inputs[name] for part in parts])}, np.concatenate([part.targets for part in parts]))
    first = len(whole) - len(splits.test)
    edges = np.linspace(first, len(whole), blocks + 1).astype(np.int64).tolist()
    found = []
    for begin, end in pairwise(edges):
        block = whole.take(np.arange(begin, end))
        known = replace(splits, train=whole.take(np.arange(begin)), validation=block)
        loop = pytorch.loop(build(), known, replace(settings, patience=None), objective)
        with bar(loop.samples * settings.epochs) as shown:
            for number in range(1, settings.epochs + 1):
                loop.run_epoch(number, shown)
        loop.finish()
        found.append(Block(begin, block, predict(pytorch.runner(loop.module), block)))
    return found
