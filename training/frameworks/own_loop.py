"""A PyTorch module that learns by a recipe's own step: several optimisers, games, trial and error in a world.

A recipe derives from `OwnLoop` and writes `step` and `judge`; batches, schedule, what is lost, and the state that a checkpoint
holds are here. Whatever else a step depends on is drawn from torch's, numpy's or Python's generators or from `generator`, or is
begun anew in each epoch (a `step` whose index is 0), or is given by `memory` and taken back by `recall`.
"""

from __future__ import annotations

import copy
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from edge.errors import GateError
from training.course import Epoch
from training.frameworks import distributed
from training.frameworks.generators import generators, set_generators
from training.objective import Objective
from training.progress import Bar, say
from training.recipe import FitSettings, Splits
from training.schedules import schedule

_BATCHES_ONLY = {"accumulate": 1, "optimizer": "adamw", "mixed_precision": False, "channels_last": False, "compile": False}


class OwnLoop(ABC):
    """A module while it learns in one process.

    Attributes:
        settings: Those that are used.
        module: All that learns, on `place`; its weights are kept of the best epoch.
        splits: The data.
        place: Where the module lies.
        batch: Samples of one step.
        steps: Calls of `step` in one epoch.
        samples: What the bar counts in one epoch.
        optimizers: By name; a recipe fills it after `super().__init__`.
        generator: Random numbers on the CPU; its state is part of a checkpoint.
        number: The epoch that is running, counted from 1.
    """

    def __init__(self, module: nn.Module, splits: Splits, settings: FitSettings, _objective: Objective, steps: int | None = None) -> None:
        """Put the module onto the GPU where there is one; without `steps`, an epoch has a step for each batch."""
        self.settings = _used(settings)
        self.place = distributed.device()
        self.device = torch.cuda.get_device_name(self.place) if self.place.type == "cuda" else "CPU"
        self.module, self.splits = module.to(self.place), splits
        self.batch = min(settings.batch_size, len(splits.train))
        self.steps = steps or len(splits.train) // self.batch
        self.samples = self.steps * self.batch
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        self.generator = torch.Generator().manual_seed(settings.seed)
        self.number = 0
        self._order = torch.empty(0, dtype=torch.int64)
        self._taken = 0  # steps of the whole training

    @abstractmethod
    def step(self, index: int) -> Tensor:
        """Learn once, `index` counted from 0 in each epoch; return the losses, () or (K,), detached, whose sum is shown."""

    @abstractmethod
    def judge(self) -> tuple[float, float, float]:
        """Measure after an epoch, the module in evaluation mode and without gradients.

        Returns:
            The metric in training, the validation loss (which decides between equal metrics), the validation metric.
        """

    def memory(self) -> dict[str, Any]:
        """Return what else the next epoch depends on, as tensors and plain containers; nothing by default."""
        return {}

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Take back what `memory` gave.

        Raises:
            ValueError: There is something, and this loop has no use for it.
        """
        if memory:
            raise ValueError(f"it holds {', '.join(memory)}, which this loop does not take back")

    def rows(self, index: int) -> Tensor:
        """Return the training samples of a step, (B,) int64, in a new order each epoch."""
        return self._order[index * self.batch : (index + 1) * self.batch]

    def update(self, name: str, loss: Tensor) -> None:
        """Take one step of an optimiser down a scalar loss, by the schedule and with clipped gradients as the settings say.

        Only the weights of that optimiser are asked for gradients, whatever else the loss runs through.
        """
        optimizer = self.optimizers[name]
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        for weight, gradient in zip(weights, torch.autograd.grad(loss, weights), strict=True):
            weight.grad = gradient
        if self.settings.clip_norm is not None:
            nn.utils.clip_grad_norm_(weights, self.settings.clip_norm)
        rate = schedule(self.settings, self.settings.epochs * self.steps)(self._taken)
        share = rate.learning_rate / self.settings.learning_rate
        for group in optimizer.param_groups:
            group["lr"] = share * group.setdefault("initial_lr", group["lr"])
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    def run_epoch(self, number: int, shown: Bar) -> Epoch:
        """Learn for one epoch and measure.

        Raises:
            GateError: A loss is not finite.
        """
        started = time.perf_counter()
        shown.begin(f"epoch {number}/{self.settings.epochs}")
        self._order = torch.randperm(len(self.splits.train), generator=self.generator)
        self.module.train()
        self.number = number
        total = 0.0
        for index in range(self.steps):
            loss = float(self.step(index).sum())
            if not math.isfinite(loss):
                raise self._lost(f"the loss is {loss} in epoch {number}, step {index + 1} of {self.steps}")
            self._taken, total = self._taken + 1, total + loss
            shown.advance(self.batch, loss=total / (index + 1))
        self.module.eval()
        with torch.no_grad():
            train_metric, validation_loss, validation_metric = self.judge()
        if not (math.isfinite(validation_loss) and math.isfinite(validation_metric)):
            raise self._lost(f"the validation loss is {validation_loss} and the metric {validation_metric} after epoch {number}")
        return Epoch(number, total / self.steps, train_metric, validation_loss, validation_metric, time.perf_counter() - started)

    def weights(self) -> dict[str, Any]:
        """Return a copy of the module's parameters and buffers."""
        return copy.deepcopy(self.module.state_dict())

    def set_weights(self, weights: Mapping[str, Any]) -> None:
        """Put back what `weights` gave."""
        self.module.load_state_dict(weights)

    def state(self) -> dict[str, Any]:
        """Return what the next epoch depends on besides the module."""
        return {
            "optimizers": {name: optimizer.state_dict()["state"] for name, optimizer in self.optimizers.items()},
            "taken": self._taken,
            "generator": self.generator.get_state(),
            "generators": generators(),
            "memory": self.memory(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
        for name, optimizer in self.optimizers.items():
            groups = optimizer.state_dict()["param_groups"]  # rates are the settings', which may be new
            optimizer.load_state_dict({"state": state["optimizers"][name], "param_groups": groups})
        self._taken = int(state["taken"])
        self.generator.set_state(state["generator"])
        self.recall(state["memory"])
        set_generators(state["generators"])

    def finish(self) -> None:
        """Leave the module on the CPU, in evaluation mode."""
        self.module.to("cpu").eval()

    def _lost(self, what: str) -> GateError:
        rate = self.settings.learning_rate
        return GateError(f"{what}, expected a finite number; lower the learning rate (it is {rate}) or check the recipe's own step")


def _used(settings: FitSettings) -> FitSettings:
    """Leave out, and say so, what only a training by batches of one optimiser uses."""
    unused = [name for name, plain in _BATCHES_ONLY.items() if getattr(settings, name) != plain]
    if unused:
        say(f"{', '.join(unused)}: not used by a loop of the recipe's own, left out")
    return replace(settings, accumulate=1, optimizer="adamw", mixed_precision=False, channels_last=False, compile=False)
