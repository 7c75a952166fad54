"""A PyTorch module while it learns: batches, optimiser, schedule, and the state that a checkpoint holds."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edge.errors import GateError
from training.course import Epoch
from training.evaluate import predict
from training.frameworks import distributed, pytorch_objective
from training.frameworks.generators import generators, seed_generators, set_generators
from training.objective import CLASSES, Objective
from training.progress import Bar, say
from training.ranks import current
from training.recipe import Array, FitSettings, Split, Splits
from training.schedules import schedule

WINDOW = 16  # steps whose figures are read at once: reading costs, most of all where it means waiting for a GPU or other ranks


def tensor(array: Array) -> Tensor:
    """Give an array to torch, of the same shape and dtype; it is copied only where torch cannot read it in place."""
    return torch.from_numpy(np.require(array, requirements=("C", "W")))


class Runner:
    """A module as a function from arrays to an array; of several outputs the first is the answer."""

    def __init__(self, module: nn.Module, device: torch.device) -> None:
        """Take a module that lies on `device`."""
        self._module, self._device = module, device

    def __call__(self, inputs: Mapping[str, Array]) -> Array:
        """Answer arrays (B, …) by input name with an array (B, C); a module that is learning is left as it was."""
        return self.every(inputs)[0]

    def every(self, inputs: Mapping[str, Array]) -> tuple[Array, ...]:
        """Answer arrays (B, …) by input name with all outputs, (B, …) each."""
        learning = self._module.training
        if learning:  # else a normalisation would learn from the question, and refuse one that stands alone
            self._module.eval()
        with torch.no_grad():
            given: Tensor | tuple[Tensor, ...] = self._module(*(tensor(array).to(self._device) for array in inputs.values()))
        if learning:
            self._module.train()
        return tuple(output.cpu().numpy() for output in (given if isinstance(given, tuple) else (given,)))


class PyTorchLoop:
    """A module while it learns, alone or as one of several ranks that share every batch."""

    def __init__(
        self, module: nn.Module, splits: Splits, settings: FitSettings, device: torch.device, objective: Objective = CLASSES
    ) -> None:
        """Put the training data into the device's memory, in its own dtype.

        Raises:
            UsageError: A batch has fewer samples than there are ranks.
        """
        self.settings, self._validation, self._device, self._objective = settings, splits.validation, device, objective
        self._inputs = [tensor(array).to(device) for array in splits.train.inputs.values()]
        self._targets = tensor(splits.train.targets).to(device)
        self.batch = min(settings.batch_size, len(splits.train))
        self.steps = len(splits.train) // self.batch  # what is left over waits for another epoch's shuffle
        self.samples = self.steps * self.batch
        self._ranks, self._part = current(), distributed.part(self.batch)
        self._share = (self._part.stop - self._part.start) / self.batch  # of each batch, 1 where one process is alone
        self._alone = self._ranks.count == 1 and device.type == "cpu"
        self.device = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
        self._given, self.module = module, distributed.replica(module, device)
        if settings.channels_last:
            _lay_out(self.module, torch.channels_last)
        self._parallel = distributed.parallel(self.module)
        self._call = torch.compile(self._parallel) if settings.compile else self._parallel
        self._precision = torch.autocast("cuda", torch.bfloat16) if settings.mixed_precision else nullcontext()
        self._optimizer = _optimizer([weight for weight in self.module.parameters() if weight.requires_grad], settings)
        self._rate = schedule(settings, settings.epochs * math.ceil(self.steps / settings.accumulate))
        self._taken = 0  # steps of the optimiser
        self._loss = pytorch_objective.learn_by(objective)
        self._shuffle = torch.Generator().manual_seed(settings.seed)  # the same on every rank
        if self._ranks.number:
            seed_generators(settings.seed, self._ranks.number)

    def weights(self) -> dict[str, Any]:
        """Return a copy of the module's parameters and buffers."""
        return copy.deepcopy(self.module.state_dict())

    def set_weights(self, weights: Mapping[str, Any]) -> None:
        """Put back what `weights` gave."""
        self.module.load_state_dict(weights)

    def state(self) -> dict[str, Any]:
        """Return what the next epoch depends on besides the module; the generators are those of each rank."""
        return {
            "optimizer": self._optimizer.state_dict()["state"],
            "steps": self._taken,
            "shuffle": self._shuffle.get_state(),
            "ranks": self._ranks.count,
            "generators": distributed.collect(generators()),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave; that of another number of ranks serves too, and this is said."""
        groups = self._optimizer.state_dict()["param_groups"]  # rates and decay are the settings', which may be new
        self._optimizer.load_state_dict({"state": state["optimizer"], "param_groups": groups})
        self._taken = int(state["steps"])
        self._shuffle.set_state(state["shuffle"])
        drawn, ranks = state["generators"], int(state["ranks"])
        if ranks != self._ranks.count:
            say(
                f"processes: {ranks} until now, {self._ranks.count} from here on; the order of the samples goes on, "
                "but the weights will not be, to the last bit, those of a training that never changed"
            )
        if self._ranks.number < len(drawn):
            set_generators(drawn[self._ranks.number])

    def finish(self) -> None:
        """Leave the module that was given on the CPU, in evaluation mode."""
        if self._given is not self.module:
            self._given.load_state_dict(self.module.state_dict())
        _lay_out(self._given.to("cpu").eval(), torch.contiguous_format)

    def run_epoch(self, number: int, shown: Bar) -> Epoch:
        """Learn from every batch once, in a new order, and measure on the validation split.

        Raises:
            GateError: A loss is not finite.
        """
        started = time.perf_counter()
        shown.begin(f"epoch {number}/{self.settings.epochs}")
        loss, metric = self._learn(number, shown)
        validation_loss, validation_metric = self._objective.judge(self._validate(), self._validation.targets)
        if not math.isfinite(validation_loss):
            raise self._lost(f"the validation loss is {validation_loss} after epoch {number}, step {self.steps} of {self.steps}")
        figures = torch.tensor([loss / self.steps, metric, validation_loss, validation_metric], dtype=torch.float64)
        train_loss, train_metric, validation_loss, validation_metric = distributed.as_first(figures).tolist()
        return Epoch(number, train_loss, train_metric, validation_loss, validation_metric, time.perf_counter() - started)

    def _learn(self, number: int, shown: Bar) -> tuple[float, float]:
        """Learn from every batch once; return the sum of the losses and the metric of the answers on the way."""
        self.module.train()
        order = torch.randperm(len(self._targets), generator=self._shuffle)[: self.samples].to(self._device)
        batches = order.view(self.steps, self.batch)[:, self._part].unbind()  # (B of this rank,) each
        loss_sum, sums, tally = 0.0, np.zeros(1), pytorch_objective.Tally(self._objective, len(batches[0]))
        unread: list[tuple[Tensor, Tensor]] = []  # losses and contributions to the metric that only the device knows
        window = 1 if shown.live and self._alone else WINDOW  # a bar that somebody watches moves with every step
        for step, rows in enumerate(batches):
            unread.append(self._step(step, rows, tally))
            if len(unread) < window and step + 1 < self.steps:
                continue
            for earlier, (loss, *found) in enumerate(self._read(unread), step + 1 - len(unread)):
                if not math.isfinite(loss):
                    raise self._lost(f"the loss is {loss} in epoch {number}, step {earlier + 1} of {self.steps}")
                loss_sum, sums = loss_sum + loss, sums + found
            if shown.live:
                metric = tally.so_far(sums, (step + 1) * self.batch)
                shown.advance(len(unread) * self.batch, **{"loss": loss_sum / (step + 1), **metric})
            unread.clear()
        return loss_sum, tally.value(sums, self.samples)

    def _step(self, step: int, rows: Tensor, tally: pytorch_objective.Tally) -> tuple[Tensor, Tensor]:
        """Learn from the samples at `rows`, (B,); return the loss and the sums for the metric, (K,) or (), where the device has them."""
        first = step - step % self.settings.accumulate  # of the batches that make one step of the optimiser
        batches = min(self.settings.accumulate, self.steps - first)
        targets = self._targets.index_select(0, rows)  # (B,)
        if step == first:
            self._optimizer.zero_grad(set_to_none=True)
        last = step + 1 == first + batches
        with nullcontext() if last else distributed.unsynchronised(self._parallel):
            with self._precision:
                outputs = self._call(*(values.index_select(0, rows) for values in self._inputs))  # (B, …)
                loss = self._loss(outputs, targets)
            found = tally.add(outputs.detach(), targets)  # (K,)
            if self._alone and not math.isfinite(loss.item()):  # where it costs nothing to know, take no step on it
                return loss.detach(), found
            weight = self._share * self._ranks.count / batches  # of this rank's mean within the mean over ranks and batches
            (loss if weight == 1 else loss * weight).backward()
        if last:
            self._update()
        return loss.detach(), found

    def _read(self, unread: list[tuple[Tensor, Tensor]]) -> list[list[float]]:
        """Return the loss of some steps and their sums for the metric as numbers, over all ranks."""
        losses, sums = (torch.stack(column).double() for column in zip(*unread, strict=True))  # (S,), (S, K)
        figures = torch.cat([losses[:, None] * self._share, sums.reshape(len(unread), -1)], dim=1)
        rows: list[list[float]] = distributed.total(figures).tolist()
        return rows

    def _update(self) -> None:
        """Take one step of the optimiser."""
        rate = self._rate(self._taken)
        for group in self._optimizer.param_groups:
            group["lr"] = rate.learning_rate
            group.update({"betas": (rate.beta1, *group["betas"][1:])} if "betas" in group else {"momentum": rate.beta1})
        if self.settings.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.module.parameters(), self.settings.clip_norm)
        self._optimizer.step()
        self._taken += 1

    def _validate(self) -> Array:
        """Answer the validation split, (N, C); of several ranks, each answers a part."""
        for buffer in self.module.buffers():  # such as batch normalisation's averages, which differ from rank to rank
            distributed.as_first(buffer)
        self.module.eval()
        whole, run, count = self._validation, Runner(self.module, self._device), self._ranks.count
        if count == 1 or len(whole) < count:
            return predict(run, whole)
        own = slice(self._ranks.number, None, count)
        answers = predict(run, Split({name: array[own] for name, array in whole.inputs.items()}, whole.targets[own]))
        logits = torch.zeros(len(whole), *answers.shape[1:])
        logits[own] = tensor(answers)
        result: Array = distributed.total(logits).numpy()
        return result

    def _lost(self, what: str) -> GateError:
        rate = self.settings.learning_rate
        return GateError(
            f"{what}, expected a finite number; lower the learning rate (it is {rate}) or check the data for values that are not finite"
        )


def _optimizer(weights: list[nn.Parameter], settings: FitSettings) -> torch.optim.Optimizer:
    """Make the optimiser; fused: one kernel does all that a weight needs. The schedule sets rate and momentum before each step."""
    rate, decay = settings.learning_rate, settings.weight_decay
    if settings.optimizer == "sgd":
        return torch.optim.SGD(weights, rate, momentum=0.9, weight_decay=decay, fused=True)
    return torch.optim.AdamW(weights, rate, weight_decay=decay, fused=True)


def _lay_out(module: nn.Module, form: torch.memory_format) -> None:
    """Give the weights of 2-D convolutions another order in memory; their values stay."""
    for weight in module.parameters():
        if weight.dim() == 4:
            weight.data = weight.data.contiguous(memory_format=form)
