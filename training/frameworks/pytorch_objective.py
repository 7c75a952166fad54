"""Losses and metrics as PyTorch computes them, for one batch, where it lies."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from training.objective import Objective
from training.recipe import Array

LATE = 512  # answers at the end of an epoch that are kept where a metric cannot be summed up


def loss(name: str, outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean loss of outputs (B, …) against targets, a scalar; names are those of `training.objective.LOSSES`."""
    if name == "cross_entropy":
        return F.cross_entropy(_columns(outputs), targets)
    return F.mse_loss(outputs, targets)


def learn_by(objective: Objective) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the loss of an objective: the recipe's own, or one of `loss`."""
    return objective.own_loss or partial(loss, objective.loss)


class Tally:
    """The metric of the answers that training gives on the way, while the weights still change.

    A metric that does not follow from what each sample contributes is measured on the last answers of the epoch.
    """

    def __init__(self, objective: Objective, batch: int) -> None:
        """Begin an epoch of batches of that size."""
        self._objective, self._summed = objective, objective.summed
        self._most = max(1, LATE // batch)
        self._late: list[tuple[Tensor, Tensor]] = []

    def add(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Take in a batch; return what it contributes, (K,) or ()."""
        if self._summed is not None:
            return contributions(self._objective.metric, outputs, targets)
        self._late = [*self._late[1 - self._most :], (outputs, targets)] if self._most > 1 else [(outputs, targets)]
        return outputs.new_zeros(())

    def so_far(self, sums: Array, count: int) -> dict[str, float]:
        """Return the metric by name, from what `count` samples contribute; nothing where it is not known before the end."""
        return {} if self._summed is None else {self._objective.metric: float(self._summed.value(sums / count))}

    def value(self, sums: Array, count: int) -> float:
        """Return the metric of the epoch."""
        if self._summed is not None:
            return float(self._summed.value(sums / count))
        outputs, targets = (torch.cat(part).float().cpu().numpy() for part in zip(*self._late, strict=True))
        return self._objective.measure.of(outputs, targets)


def contributions(metric: str, outputs: Tensor, targets: Tensor) -> Tensor:
    """Return what a batch contributes to a metric of `edge.measures`, summed over its samples: (K,), or () for one figure.

    `outputs` are detached: nothing here is learned from.
    """
    if metric == "accuracy" and targets.dim() == 1:
        return (outputs.argmax(dim=1) == targets).count_nonzero()
    if metric == "f1":
        said, true = outputs.argmax(dim=1) == 1, targets == 1
        return torch.stack([(said & true).count_nonzero(), (said & ~true).count_nonzero(), (~said & true).count_nonzero()])
    if metric == "rated_rmse":
        known = targets != 0
        return torch.stack([((outputs - targets).square() * known).sum(), known.sum().to(outputs.dtype)])
    return _each(metric, outputs, targets).sum()


def _each(metric: str, outputs: Tensor, targets: Tensor) -> Tensor:
    """Return what each sample contributes, (B,), to a metric of one figure."""
    if metric == "accuracy":
        return (outputs.argmax(dim=-1) == targets).float().flatten(1).mean(dim=1)
    if metric == "perplexity":
        return F.cross_entropy(_columns(outputs), targets, reduction="none").reshape(len(targets), -1).mean(dim=1)
    if metric == "mae":
        return (outputs - targets).abs().flatten(1).mean(dim=1)
    if metric == "regret":
        return (targets.amax(1, keepdim=True) - targets.gather(1, outputs.argmax(1, keepdim=True)))[:, 0]
    if metric == "mape":
        return ((outputs - targets).abs() / targets.abs().clamp_min(1e-12)).flatten(1).mean(dim=1)
    squares = (outputs - targets).square().flatten(1).mean(dim=1)
    return -10 * squares.clamp_min(1e-12).log10() if metric == "psnr" else squares


def _columns(logits: Tensor) -> Tensor:
    """Put the classes of (B, …, C) second, where torch looks for them."""
    return logits if logits.dim() == 2 else logits.movedim(-1, 1)
