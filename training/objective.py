"""What a loop makes small and what it shows: the loss to learn by, and the metric that decides which epoch is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from edge import measures
from edge.measures import Measure

if TYPE_CHECKING:
    from training.recipe import Array

Loss = Literal["cross_entropy", "mean_squares"]
LOSSES: tuple[str, ...] = get_args(Loss)


@dataclass(frozen=True)
class Objective:
    """A loss by name, which each library computes in its own terms, and a metric of `edge.measures`.

    `cross_entropy` takes logits (B, …, C) and classes (B, …) int64; `mean_squares` values and values of the same shape.
    """

    loss: Loss = "cross_entropy"
    metric: str = "accuracy"

    @property
    def measure(self) -> Measure:
        """The metric."""
        return measures.measure(self.metric)

    def judge(self, outputs: Array, targets: Array) -> tuple[float, float]:
        """Return the mean loss and the metric of outputs (N, …) against targets (N, …)."""
        if self.loss == "cross_entropy":
            loss = float(measures.cross_entropies(outputs, targets).mean())
        else:
            loss = float(np.mean(np.square(outputs.astype(np.float64) - targets)))
        return loss, self.measure.of(outputs, targets)

    def merit(self, metric: float, loss: float) -> tuple[float, float]:
        """Return what is greater for a better epoch: the metric, among equals the smaller loss."""
        return metric if self.measure.direction == "higher" else -metric, -loss


CLASSES = Objective()
