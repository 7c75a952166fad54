"""The training loop for classifiers: reproducible, stopped early where it no longer helps, the best weights kept."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edge.errors import GateError
from training.checkpoint import Checkpoints
from training.course import Course, Epoch
from training.evaluate import cross_entropy, predict
from training.progress import Bar, bar, say
from training.recipe import Array, FitSettings, Split, Splits
from training.schedules import schedule

__all__ = ["Epoch", "Fitted", "fit", "reproducible", "runner", "tensor"]
_CUDA_ONLY = ("mixed_precision", "channels_last", "compile")


@dataclass(frozen=True)
class Fitted:
    """How a training went; the module holds the weights of `best_epoch`."""

    history: tuple[Epoch, ...]
    best_epoch: int
    stopped_early: bool
    seconds: float
    device: str


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Seed Python, numpy and torch; on a CPU, hold torch to algorithms that give the same bits again."""
    random.seed(seed)
    np.random.seed(seed)  # for modules that draw from numpy's global state
    torch.manual_seed(seed)
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(before or not torch.cuda.is_available())
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def fit(module: nn.Module, splits: Splits, settings: FitSettings, checkpoints: Checkpoints | None = None) -> Fitted:
    """Train a classifier; afterwards it holds the best weights, on the CPU, in evaluation mode.

    Best is the epoch with the highest validation accuracy; among equals, the one with the lowest validation loss.
    With checkpoints, training goes on from the newest; on a CPU it ends with the bits of one that was never interrupted.

    Args:
        module: Takes the inputs by position, in the order of `splits.train.inputs`, and gives logits (B, C) float32. Whatever
            changes in it while it learns must be a parameter or a buffer of its `state_dict`.
        splits: The data.
        settings: How to train.
        checkpoints: Where the state is kept after each epoch; None keeps none.

    Raises:
        GateError: The loss is not finite; the message names epoch and step.
        InputError: A checkpoint is of another module.
        SetupError: A checkpoint cannot be written; those before it are untouched.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    settings = _for_device(settings, device)
    loop = _Loop(module.to(device), splits, settings, device)
    course = Course(loop)
    if checkpoints is not None and (state := checkpoints.load()) is not None:
        course.restore(state, checkpoints.newest)
    started, samples = time.perf_counter() - course.seconds, loop.steps * loop.batch
    with bar(settings.epochs * samples) as shown:
        shown.advance(len(course.history) * samples)
        while len(course.history) < settings.epochs and not course.stalled():
            epoch = loop.run_epoch(len(course.history) + 1, shown)
            course.add(epoch, time.perf_counter() - started)
            say(_line(epoch, settings.epochs, samples, course.seconds))
            if checkpoints is not None:
                checkpoints.save(epoch.number, course.state())
    stopped = len(course.history) < settings.epochs
    if stopped:
        say(f"stopped early: no better validation accuracy for {settings.patience} epochs; keeping epoch {course.best_epoch}")
    module.load_state_dict(course.best_module)
    _lay_out(module.to("cpu").eval(), torch.contiguous_format)
    return Fitted(tuple(course.history), course.best_epoch, stopped, time.perf_counter() - started, _device_name(device))


def runner(module: nn.Module, device: torch.device | None = None) -> _Runner:
    """Return a function from arrays (B, …) by input name to the module's output (B, C) as an array."""
    return _Runner(module, device or torch.device("cpu"))


def tensor(array: Array) -> Tensor:
    """Give an array to torch, of the same shape and dtype; it is copied only where torch cannot read it in place."""
    return torch.from_numpy(np.require(array, requirements=("C", "W")))


class _Runner:
    def __init__(self, module: nn.Module, device: torch.device) -> None:
        self._module, self._device = module, device

    def __call__(self, inputs: Mapping[str, Array]) -> Array:
        with torch.no_grad():
            output: Tensor = self._module(*(tensor(array).to(self._device) for array in inputs.values()))
        result: Array = output.cpu().numpy()
        return result


class _Loop:
    """What stays the same from epoch to epoch."""

    def __init__(self, module: nn.Module, splits: Splits, settings: FitSettings, device: torch.device) -> None:
        self.module, self.settings, self._validation, self._device = module, settings, splits.validation, device
        self._inputs, self._targets = _on_device(splits.train, device)
        self.batch = min(settings.batch_size, len(splits.train))
        self.steps = len(splits.train) // self.batch  # what is left over waits for another epoch's shuffle
        if settings.channels_last:
            _lay_out(module, torch.channels_last)
        self._call = torch.compile(module) if settings.compile else module
        self._precision = torch.autocast("cuda", torch.bfloat16) if settings.mixed_precision else nullcontext()
        self._optimizer = torch.optim.AdamW(module.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
        self._rate = schedule(settings, settings.epochs * math.ceil(self.steps / settings.accumulate))
        self._taken = 0  # steps of the optimiser
        self._shuffle = torch.Generator().manual_seed(settings.seed)

    def state(self) -> dict[str, Any]:
        """Return what the next epoch depends on besides the module."""
        return {"optimizer": self._optimizer.state_dict()["state"], "steps": self._taken, "shuffle": self._shuffle.get_state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
        groups = self._optimizer.state_dict()["param_groups"]  # rates and decay are the settings', which may be new
        self._optimizer.load_state_dict({"state": state["optimizer"], "param_groups": groups})
        self._taken = int(state["steps"])
        self._shuffle.set_state(state["shuffle"])

    def run_epoch(self, number: int, shown: Bar) -> Epoch:
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
        logits = predict(runner(self.module, self._device), self._validation)  # (N, C)
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


def _on_device(split: Split, device: torch.device) -> tuple[list[Tensor], Tensor]:
    """Put a whole split into the device's memory, in its own dtype."""
    inputs = [tensor(array).to(device) for array in split.inputs.values()]
    return inputs, tensor(split.targets).to(device)


def _for_device(settings: FitSettings, device: torch.device) -> FitSettings:
    """Leave out, and say so, what is for CUDA only."""
    unused = [name for name in _CUDA_ONLY if getattr(settings, name)]
    if device.type == "cuda" or not unused:
        return settings
    say(f"{', '.join(unused)}: for CUDA only, left out on this CPU")
    return replace(settings, mixed_precision=False, channels_last=False, compile=False)


def _lay_out(module: nn.Module, form: torch.memory_format) -> None:
    """Give the weights of 2-D convolutions another order in memory; their values stay."""
    for weight in module.parameters():
        if weight.dim() == 4:
            weight.data = weight.data.contiguous(memory_format=form)


def _line(epoch: Epoch, epochs: int, samples: int, elapsed_s: float) -> str:
    left = elapsed_s / epoch.number * (epochs - epoch.number)
    return (
        f"epoch {epoch.number}/{epochs}: loss {epoch.train_loss:.4f}, accuracy {epoch.train_metric:.4f} | "
        f"validation loss {epoch.validation_loss:.4f}, accuracy {epoch.validation_metric:.4f} | "
        f"{samples / epoch.seconds:,.0f} samples/s, {left:.0f} s left"
    )


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
