"""Losses and metrics as PyTorch computes them, for one batch, where it lies."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def loss(name: str, outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean loss of outputs (B, …) against targets, a scalar; names are those of `training.objective.LOSSES`."""
    if name == "cross_entropy":
        return F.cross_entropy(_columns(outputs), targets)
    return F.mse_loss(outputs, targets)


def contributions(metric: str, outputs: Tensor, targets: Tensor) -> Tensor:
    """Return what a batch contributes to a metric of `edge.measures`, summed over its samples: (K,), or () for one figure.

    `outputs` are detached: nothing here is learned from.
    """
    if metric == "accuracy" and targets.dim() == 1:
        return (outputs.argmax(dim=1) == targets).count_nonzero()
    if metric == "f1":
        said, true = outputs.argmax(dim=1) == 1, targets == 1
        return torch.stack([(said & true).count_nonzero(), (said & ~true).count_nonzero(), (~said & true).count_nonzero()])
    return _each(metric, outputs, targets).sum()


def _each(metric: str, outputs: Tensor, targets: Tensor) -> Tensor:
    """Return what each sample contributes, (B,), to a metric of one figure."""
    if metric == "accuracy":
        return (outputs.argmax(dim=-1) == targets).float().flatten(1).mean(dim=1)
    if metric == "perplexity":
        return F.cross_entropy(_columns(outputs), targets, reduction="none").reshape(len(targets), -1).mean(dim=1)
    if metric == "mae":
        return (outputs - targets).abs().flatten(1).mean(dim=1)
    squares = (outputs - targets).square().flatten(1).mean(dim=1)
    return -10 * squares.clamp_min(1e-12).log10() if metric == "psnr" else squares


def _columns(logits: Tensor) -> Tensor:
    """Put the classes of (B, …, C) second, where torch looks for them."""
    return logits if logits.dim() == 2 else logits.movedim(-1, 1)
