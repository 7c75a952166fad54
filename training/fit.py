"""The training loop for classifiers: reproducible, stopped early where it no longer helps, the best weights kept."""

from __future__ import annotations

import copy
import math
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from edge.errors import GateError
from training.evaluate import cross_entropy, predict
from training.progress import Bar, bar, say
from training.recipe import Array, FitSettings, Split, Splits


@dataclass(frozen=True)
class Epoch:
    """The figures of one pass over the training data; the metric is accuracy."""

    number: int
    train_loss: float
    train_metric: float
    validation_loss: float
    validation_metric: float
    seconds: float


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


def fit(module: nn.Module, splits: Splits, settings: FitSettings) -> Fitted:
    """Train a classifier; afterwards it holds the best weights, on the CPU, in evaluation mode.

    Best is the epoch with the highest validation accuracy; among equals, the one with the lowest validation loss.

    Args:
        module: Takes the inputs by position, in the order of `splits.train.inputs`, and gives logits (B, C) float32.
        splits: The data.
        settings: How to train.

    Raises:
        GateError: The loss is not finite; the message names epoch and step.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    started = time.perf_counter()
    loop = _Loop(module.to(device), splits, settings, device)
    best, best_epoch, best_weights = (-math.inf, -math.inf), 0, module.state_dict()
    history: list[Epoch] = []
    stop = False
    with bar(settings.epochs * loop.steps * loop.batch) as shown:
        for number in range(1, settings.epochs + 1):
            epoch = loop.run_epoch(number, shown)
            history.append(epoch)
            if (epoch.validation_metric, -epoch.validation_loss) > best:
                best, best_epoch = (epoch.validation_metric, -epoch.validation_loss), number
                best_weights = copy.deepcopy(module.state_dict())
            say(_line(epoch, settings.epochs, loop.steps * loop.batch, time.perf_counter() - started))
            stop = settings.patience is not None and number - best_epoch >= settings.patience and number < settings.epochs
            if stop:
                say(f"stopped early: no better validation accuracy for {settings.patience} epochs; keeping epoch {best_epoch}")
                break
    module.load_state_dict(best_weights)
    module.to("cpu").eval()
    return Fitted(tuple(history), best_epoch, stop, time.perf_counter() - started, _device_name(device))


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
        self._module, self._validation, self._settings, self._device = module, splits.validation, settings, device
        self._inputs, self._targets = _on_device(splits.train, device)
        self.batch = min(settings.batch_size, len(splits.train))
        self.steps = len(splits.train) // self.batch  # what is left over waits for another epoch's shuffle
        self._optimizer = torch.optim.AdamW(module.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
        self._schedule = _schedule(self._optimizer, settings, settings.epochs * self.steps)
        self._shuffle = torch.Generator().manual_seed(settings.seed)

    def run_epoch(self, number: int, shown: Bar) -> Epoch:
        started = time.perf_counter()
        shown.begin(f"epoch {number}/{self._settings.epochs}")
        self._module.train()
        order = torch.randperm(len(self._targets), generator=self._shuffle).to(self._device)
        loss_sum, right = 0.0, 0
        for step in range(self.steps):
            rows = order[step * self.batch : (step + 1) * self.batch]  # (B,)
            loss, hits = self._step(rows)
            if not math.isfinite(loss):
                raise GateError(
                    f"the loss is {loss} in epoch {number}, step {step + 1} of {self.steps}, expected a finite number; "
                    f"lower the learning rate (it is {self._settings.learning_rate}) or check the data for values that are not finite"
                )
            loss_sum, right = loss_sum + loss, right + hits
            shown.advance(len(rows), loss=loss_sum / (step + 1), accuracy=right / ((step + 1) * self.batch))
        self._module.eval()
        logits = predict(runner(self._module, self._device), self._validation)  # (N, C)
        targets = self._validation.targets
        return Epoch(
            number,
            train_loss=loss_sum / self.steps,
            train_metric=right / (self.steps * self.batch),
            validation_loss=cross_entropy(logits, targets),
            validation_metric=float(np.mean(logits.argmax(axis=1) == targets)),
            seconds=time.perf_counter() - started,
        )

    def _step(self, rows: Tensor) -> tuple[float, int]:
        """Take one step of the optimiser on the samples at `rows`, (B,); return the loss and how many were right."""
        targets = self._targets[rows]  # (B,)
        self._optimizer.zero_grad(set_to_none=True)
        logits = self._module(*(values[rows] for values in self._inputs))  # (B, C)
        loss = nn.functional.cross_entropy(logits, targets)
        value = loss.item()
        if math.isfinite(value):
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
            self._optimizer.step()
            if self._schedule is not None:
                self._schedule.step()
        return value, int((logits.detach().argmax(dim=1) == targets).sum())


def _on_device(split: Split, device: torch.device) -> tuple[list[Tensor], Tensor]:
    """Put a whole split into the device's memory, in its own dtype."""
    inputs = [tensor(array).to(device) for array in split.inputs.values()]
    return inputs, tensor(split.targets).to(device)


def _schedule(optimizer: torch.optim.Optimizer, settings: FitSettings, steps: int) -> torch.optim.lr_scheduler.OneCycleLR | None:
    """Return the learning-rate schedule; one cycle rises to `learning_rate` and falls to about nothing. Source: Smith, 2018."""
    if settings.schedule == "constant":
        return None
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, total_steps=steps + 1)


def _line(epoch: Epoch, epochs: int, samples: int, elapsed_s: float) -> str:
    left = elapsed_s / epoch.number * (epochs - epoch.number)
    return (
        f"epoch {epoch.number}/{epochs}: loss {epoch.train_loss:.4f}, accuracy {epoch.train_metric:.4f} | "
        f"validation loss {epoch.validation_loss:.4f}, accuracy {epoch.validation_metric:.4f} | "
        f"{samples / epoch.seconds:,.0f} samples/s, {left:.0f} s left"
    )


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
