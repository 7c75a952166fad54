"""PyTorch modules whose weights others trained: they leave as they came, measured as every other model is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from edge import measures
from edge.contract import Contract
from training.evaluate import predict
from training.frameworks import pytorch
from training.frameworks.own_loop import OwnLoop
from training.objective import Objective
from training.own import OwnTraining
from training.recipe import FitSettings, Split, Splits

_FEW = 256  # training samples that are measured, so that a large set costs no more than a small one


def as_published(contract: Contract) -> OwnTraining:
    """Return how a recipe `learns` whose `build` already gives the published weights: not at all, in one epoch.

    Args:
        contract: The recipe's; its metric is measured on the validation split.
    """

    def loop(module: nn.Module, splits: Splits, settings: FitSettings, objective: Objective) -> PublishedLoop:
        return PublishedLoop(module, splits, settings, objective, contract)

    return OwnTraining(loop, contract.metric.name, contract.metric.direction)


class PublishedLoop(OwnLoop):
    """A module that stays as it is, while it is measured."""

    def __init__(self, module: nn.Module, splits: Splits, settings: FitSettings, objective: Objective, contract: Contract) -> None:
        """Take a module with its weights."""
        super().__init__(module, splits, replace(settings, epochs=1, patience=None), objective, steps=1)
        self._measure = measures.measure(contract.metric.name, contract)

    def step(self, index: int) -> Tensor:
        """Learn nothing."""
        del index
        return torch.zeros(())

    def judge(self) -> tuple[float, float, float]:
        """Measure on some training samples and on the validation split; the loss is what is missing of the metric, or the metric."""
        few = self.splits.train.take(np.arange(min(_FEW, len(self.splits.train))))
        train, validation = self._measured(few), self._measured(self.splits.validation)
        return train, 1 - validation if self._measure.direction == "higher" else validation, validation

    def _measured(self, split: Split) -> float:
        return self._measure.of(predict(pytorch.runner(self.module, self.place), split), split.targets)
