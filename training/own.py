"""Recipes that learn by a loop of their own, against another network or by trial and error; and what a trained model gives besides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from training.frameworks import Loop
    from training.objective import Objective
    from training.recipe import FitSettings, Splits


@dataclass(frozen=True)
class Conclusion:
    """What only a trained model could give.

    Attributes:
        splits: The data that the answers are judged by and that go into the hand-over, with the targets that are known now.
        figures: Measured in the recipe's own way, such as the mean return of many episodes; `training.json` holds them.
        pictures: PNG, GIF or SVG files by name, for people, or HTML; the hand-over holds them and the run's page shows, or names, them.
    """

    splits: Splits
    figures: Mapping[str, float] = field(default_factory=dict)
    pictures: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class OwnTraining:
    """How a recipe learns where batches of inputs and targets and one optimiser do not describe it.

    Attributes:
        loop: Makes the loop of a model, splits, settings and objective; of PyTorch, a `training.frameworks.own_loop.OwnLoop`.
        metric: What the loop measures after each epoch, for people; it decides which epoch is kept.
        direction: Which of its values are better.
        released: Gives the part of the model that leaves, such as a generator without its discriminator; the whole without it.
    """

    loop: Callable[[Any, Splits, FitSettings, Objective], Loop]
    metric: str
    direction: Literal["higher", "lower"]
    released: Callable[[Any], Any] | None = None

    def leaving(self, model: Any) -> Any:
        """Return the part of a model that leaves."""
        return model if self.released is None else self.released(model)
