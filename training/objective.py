"""What a loop makes small and what it shows: the loss to learn by, and the metric that decides which epoch is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from edge import measures
from edge.contract import Contract
from edge.measures import AnyMeasure, Measure

if TYPE_CHECKING:
    from training.recipe import Array

Loss = Literal["cross_entropy", "mean_squares", "shortfall", "own"]
LOSSES: tuple[str, ...] = get_args(Loss)
# By task, where a recipe has no loss of its own; the last two are of models that others trained.
LOSS_OF: Mapping[str, Loss] = {
    "classification": "cross_entropy",
    "regression": "mean_squares",
    "detection": "shortfall",
    "embedding": "shortfall",
}


@dataclass(frozen=True)
class Objective:
    """A loss by name, which each library computes in its own terms, and a metric of `edge.measures`.

    `cross_entropy` takes logits (B, …, C) and classes (B, …) int64; `mean_squares` values and values of the same shape;
    `shortfall` is what is missing of a metric whose best value is 1, for models that nobody here trains; `own` is the recipe's:
    `own_loss` in the library's terms, `own_mean` the same of arrays (N, …). Metrics of boxes need the `contract`.
    Where `direction` is given, a loop of the recipe's own measures what is called `metric`, and only its direction is asked here.
    """

    loss: Loss = "cross_entropy"
    metric: str = "accuracy"
    own_loss: Callable[[Any, Any], Any] | None = None
    own_mean: Callable[[Array, Array], float] | None = None
    contract: Contract | None = None
    direction: str | None = None

    @property
    def measure(self) -> AnyMeasure:
        """The metric."""
        return measures.measure(self.metric, self.contract)

    @property
    def summed(self) -> Measure | None:
        """The metric where it follows from what each sample contributes, so that batches can be added up; None where it does not."""
        return self.measure if isinstance(self.measure, Measure) and not self.measure.among else None

    def judge(self, outputs: Array, targets: Array) -> tuple[float, float]:
        """Return the mean loss and the metric of outputs (N, …) against targets (N, …)."""
        if self.own_mean is not None:
            loss = self.own_mean(outputs, targets)
        elif self.loss == "cross_entropy":
            loss = float(measures.cross_entropies(outputs, targets).mean())
        elif self.loss == "shortfall":
            loss = 1 - self.measure.of(outputs, targets)
        else:
            loss = float(np.mean(np.square(outputs.astype(np.float64) - targets)))
        return loss, self.measure.of(outputs, targets)

    def merit(self, metric: float, loss: float) -> tuple[float, float]:
        """Return what is greater for a better epoch: the metric, among equals the smaller loss."""
        return metric if (self.direction or self.measure.direction) == "higher" else -metric, -loss


CLASSES = Objective()
