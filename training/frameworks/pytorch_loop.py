"""A PyTorch module while it learns: batches, optimiser, schedule, and the state that a checkpoint holds."""

from __future__ import annotations

import copy
import math
import random
import time
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edge.errors import GateError
from training.course import Epoch
from training.evaluate import cross_entropy, predict
from training.progress import Bar
from training.recipe import Array, FitSettings, Splits
from training.schedules import schedule


def tensor(array: Array) -> Tensor:
    """Give an array to torch, of the same shape and dtype; it is copied only where torch cannot read it in place."""
    return torch.from_numpy(np.require(array, requirements=("C", "W")))


class Runner:
    """A module as a function from arrays to an array."""

    def __init__(self, module: nn.Module, device: torch.device) -> None:
        """Take a module that lies on `device`, in evaluation mode."""
        self._module, self._device = module, device

    def __call__(self, inputs: Mapping[str, Array]) -> Array:
        """Answer arrays (B, …) by input name with an array (B, C)."""
        with torch.no_grad():
            output: Tensor = self._module(*(tensor(array).to(self._device) for array in inputs.values()))
        result: Array = output.cpu().numpy()
        return result


class PyTorchLoop:
    """A module while it learns."""

    def __init__(self, module: nn.Module, splits: Splits, settings: FitSettings, device: torch.device) -> None:
        """Put the training data into the device's memory, in its own dtype."""
        self.module, self.settings, self._validation, self._device = module, settings, splits.validation, device
        self._inputs = [tensor(array).to(device) for array in splits.train.inputs.values()]
        self._targets = tensor(splits.train.targets).to(device)
        self.batch = min(settings.batch_size, len(splits.train))
        self.steps = len(splits.train) // self.batch  # what is left over waits for another epoch's shuffle
        self.samples = self.steps * self.batch
        self.device = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
        if settings.channels_last:
            _lay_out(module, torch.channels_last)
        self._call = torch.compile(module) if settings.compile else module
        self._precision = torch.autocast("cuda", torch.bfloat16) if settings.mixed_precision else nullcontext()
        self._optimizer = torch.optim.AdamW(module.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
        self._rate = schedule(settings, settings.epochs * math.ceil(self.steps / settings.accumulate))
        self._taken = 0  # steps of the optimiser
        self._shuffle = torch.Generator().manual_seed(settings.seed)

    def weights(self) -> dict[str, Any]:
        """Return a copy of the module's parameters and buffers."""
        return copy.deepcopy(self.module.state_dict())

    def set_weights(self, weights: Mapping[str, Any]) -> None:
        """Put back what `weights` gave."""
        self.module.load_state_dict(weights)

    def state(self) -> dict[str, Any]:
        """Return what the next epoch depends on besides the module."""
        return {
            "optimizer": self._optimizer.state_dict()["state"],
            "steps": self._taken,
            "shuffle": self._shuffle.get_state(),
            "generators": generators(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
        groups = self._optimizer.state_dict()["param_groups"]  # rates and decay are the settings', which may be new
        self._optimizer.load_state_dict({"state": state["optimizer"], "param_groups": groups})
        self._taken = int(state["steps"])
        self._shuffle.set_state(state["shuffle"])
        set_generators(state["generators"])

    def finish(self) -> None:
        """Leave the module on the CPU, in evaluation mode."""
        _lay_out(self.module.to("cpu").eval(), torch.contiguous_format)

    def run_epoch(self, number: int, shown: Bar) -> Epoch:
        """Learn from every batch once, in a new order, and measure on the validation split.

        Raises:
            GateError: A loss is not finite.
        """
        started = time.perf_counter()
        shown.begin(f"epoch {number}/{self.settings.epochs}")
        self.module.train()
        order = torch.randperm(len(self._targets), generator=self._shuffle).to(self._device)
        loss_sum, right = 0.0, 0
        for step in range(self.steps):
            rows = order[step * self.batch : (step + 1) * self.batch]  # (B,)
            loss, hits = self._step(step, rows)
            if not math.isfinite(loss):
                raise self._lost(f"the loss is {loss} in epoch {number}, step {step + 1} of {self.steps}")
            loss_sum, right = loss_sum + loss, right + hits
            shown.advance(len(rows), loss=loss_sum / (step + 1), accuracy=right / ((step + 1) * self.batch))
        self.module.eval()
        logits = predict(Runner(self.module, self._device), self._validation)  # (N, C)
        targets = self._validation.targets
        validation_loss = cross_entropy(logits, targets)
        if not math.isfinite(validation_loss):
            raise self._lost(f"the validation loss is {validation_loss} after epoch {number}, step {self.steps} of {self.steps}")
        return Epoch(
            number,
            train_loss=loss_sum / self.steps,
            train_metric=right / (self.steps * self.batch),
            validation_loss=validation_loss,
            validation_metric=float(np.mean(logits.argmax(axis=1) == targets)),
            seconds=time.perf_counter() - started,
        )

    def _step(self, step: int, rows: Tensor) -> tuple[float, int]:
        """Learn from the samples at `rows`, (B,); return the loss and how many were right."""
        first = step - step % self.settings.accumulate  # of the batches that make one step of the optimiser
        batches = min(self.settings.accumulate, self.steps - first)
        targets = self._targets[rows]  # (B,)
        if step == first:
            self._optimizer.zero_grad(set_to_none=True)
        with self._precision:
            logits = self._call(*(values[rows] for values in self._inputs))  # (B, C)
            loss = nn.functional.cross_entropy(logits, targets)
        value = loss.item()
        if math.isfinite(value):
            (loss if batches == 1 else loss / batches).backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
            if step + 1 == first + batches:
                self._update()
        return value, int((logits.argmax(dim=1) == targets).count_nonzero().item())

    def _update(self) -> None:
        """Take one step of the optimiser."""
        rate = self._rate(self._taken)
        for group in self._optimizer.param_groups:
            group["lr"], group["betas"] = rate.learning_rate, (rate.beta1, *group["betas"][1:])
        if self.settings.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.module.parameters(), self.settings.clip_norm)
        self._optimizer.step()
        self._taken += 1

    def _lost(self, what: str) -> GateError:
        rate = self.settings.learning_rate
        return GateError(
            f"{what}, expected a finite number; lower the learning rate (it is {rate}) or check the data for values that are not finite"
        )


def generators() -> dict[str, Any]:
    """Return the state of the random number generators of torch, numpy and Python, as tensors and plain containers."""
    name, keys, *rest = np.random.get_state(legacy=True)
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": [name, np.asarray(keys).tolist(), *rest],
        "python": random.getstate(),
    }


def set_generators(states: Mapping[str, Any]) -> None:
    """Put the generators where `generators` found them."""
    torch.set_rng_state(states["torch"])
    if states["cuda"] and len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states["cuda"])
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, np.array(keys, np.uint32), *rest))
    random.setstate(states["python"])


def _lay_out(module: nn.Module, form: torch.memory_format) -> None:
    """Give the weights of 2-D convolutions another order in memory; their values stay."""
    for weight in module.parameters():
        if weight.dim() == 4:
            weight.data = weight.data.contiguous(memory_format=form)
