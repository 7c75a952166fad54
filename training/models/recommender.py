"""Films that somebody would like, from the stars that they gave to others.

Run:      tandem train recommender                (then: tandem export recommender)
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edge.contract import Budget, Metric
from training.data import movielens
from training.evaluate import predict
from training.families import recommender
from training.frameworks.pytorch import runner
from training.own import Conclusion
from training.ranking import popularity, ranked
from training.recipe import FitSettings, Recipe, Splits

MEAN = 3.53  # stars, of all ratings that are learned from


class Recommender(nn.Module):
    """Somebody is the mean of the films that they rated, each weighted by how far it was above what was to be expected.

    A film's stars are the mean, the film's and the person's bias, the product of both embeddings, and what a dense
    network makes of both, one behind the other. The first dense layer of the two is the sum of one of each, so all films
    are answered at once.
    """

    def __init__(self, things: int = movielens.FILMS, width: int = 32, hidden: int = 32, dropout: float = 0.5) -> None:
        """Make the embeddings, with random weights."""
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(things))
        self.reserve = nn.Parameter(torch.tensor(1.5))  # how many ratings a person needs to have a bias, as a logarithm
        self.liked, self.watched, self.film = (nn.Parameter(0.05 * torch.randn(things, width)) for _ in range(3))
        self.of_person, self.of_film = nn.Linear(width, hidden), nn.Linear(width, hidden, bias=False)
        self.output = nn.Linear(hidden, 1, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, ratings: Tensor) -> Tensor:
        """Predict stars.

        Args:
            ratings: (B, I) uint8, 1–5, 0 where there are none.

        Returns:
            (B, I) float32, 1 or more; 0 for what is rated already.
        """
        stars = ratings.float()
        known = (stars > 0).float()  # (B, I)
        count = known.sum(1, keepdim=True)  # (B, 1)
        above = (stars - MEAN - self.bias) * known
        person_bias = above.sum(1, keepdim=True) / (count + self.reserve.exp())
        above = above - person_bias * known
        person = self.dropout((above @ self.liked + known @ self.watched) / (count + 1).sqrt())  # (B, width)
        both = F.relu(self.of_person(person).unsqueeze(1) + self.of_film(self.dropout(self.film)))  # (B, I, hidden)
        found = MEAN + self.bias + person_bias + person @ self.film.T + self.output(both).squeeze(-1)
        return cast("Tensor", found.clamp_min(1.0) * (1 - known))


def rated_squares(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean squared error where somebody gave stars: (B, I) and (B, I), 0 where nobody did."""
    known = targets != 0
    return ((outputs - targets).square() * known).sum() / known.sum().clamp_min(1)


def conclude(model: Any, splits: Splits) -> Conclusion:
    """Measure the first ten recommendations on the test split, beside the most popular films."""
    stars, known = splits.test.targets, splits.test.inputs["ratings"]
    ours, theirs = ranked(predict(runner(model), splits.test), stars), ranked(popularity(known), stars)
    figures = {f"{name}@10": value for name, value in ours.items()}
    return Conclusion(splits, {**figures, **{f"{name}@10 of the most popular": value for name, value in theirs.items()}})


_CONTRACT = replace(
    recommender("recommender", movielens.FILMS),
    description="Which films somebody would like, from the stars that they gave to others.",
    metric=Metric("rated_rmse", "lower", floor=0.94),
    budget=Budget(size_bytes=600_000),  # of the file for devices
    source="MovieLens-100k (GroupLens; its ratings travel with the model, under its terms)",
)

RECIPE = Recipe(
    contract=_CONTRACT,
    load_data=movielens.load,
    build=Recommender,
    fit=FitSettings(epochs=6, batch_size=64, learning_rate=0.01, weight_decay=1.0),
    task="regression",
    loss=rated_squares,
    raw_inputs="data",
    conclude=conclude,
)
