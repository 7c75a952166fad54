"""Films that somebody would like, from the stars that they gave to others.

Run:      tandem train recommender                (then: tandem export recommender)
          POST /predict/recommender {"user": 42, "n": 10}, or {"ratings": {"Toy Story (1995)": 5, …}, "n": 10}
Expected: test RMSE 0.909 stars on 9,596 ratings that training never saw, a tenth of each person's, chosen at random (seed 0).
          Of people who liked something in the test split (4 stars or more), 64.5 % find it among the first ten
          recommendations (NDCG@10 0.210); among the ten most popular films that they have not rated 44.1 % (0.103). Ranked by
          predicted stars alone it would be 34.3 % (0.076), **below** the most popular: who would give a film five stars need
          not be about to watch it, so interest is learned beside the stars, and ranks
Time:     about a minute for 6 epochs on one CPU core
Size:     328,421 parameters
Source:   embeddings, joined, and a dense network as in the course documents (He et al., 2017: neural collaborative filtering);
          a person as the sum of what they rated (Koren, 2008: SVD++); interest by a multinomial likelihood (Liang et al., 2018)

The documents give every user an embedding of their own, so a newcomer has none. Here it is computed in the graph from the
stars that are known: five ratings of a newcomer are enough, nothing is learned anew, and a known user is no special case.
The ratings of the known users travel with the model as an asset; those of the test split are among them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edge.contract import Budget, Metric
from training.data import movielens
from training.evaluate import predict
from training.families import recommender
from training.frameworks.pytorch import runner
from training.own import Conclusion
from training.ranking import LIKED, popularity, ranked
from training.recipe import FitSettings, Recipe, Splits

MEAN = 3.53  # stars, of all ratings that are learned from


class Recommender(nn.Module):
    """Somebody is the sum of the films that they rated, some of it weighted by how far each was above what was to be expected.

    A film's stars are the mean, the film's and the person's bias, the product of both embeddings, and what a dense
    network makes of both, one behind the other. The first dense layer of the two is the sum of one of each, so all films
    are answered at once. Whether somebody would watch a film at all is another question, with embeddings of its own.
    """

    def __init__(self, things: int = movielens.FILMS, width: int = 32, hidden: int = 32, dropout: float = 0.5) -> None:
        """Make the embeddings, with random weights."""
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(things))
        self.reserve = nn.Parameter(torch.tensor(1.5))  # how many ratings a person needs to have a bias, as a logarithm
        self.liked, self.watched, self.film = (nn.Parameter(0.05 * torch.randn(things, width)) for _ in range(3))
        self.of_person, self.of_film = nn.Linear(width, hidden), nn.Linear(width, hidden, bias=False)
        self.output = nn.Linear(hidden, 1, bias=False)
        self.habit, self.taste, self.attraction = (nn.Parameter(0.05 * torch.randn(things, width)) for _ in range(3))
        self.fame = nn.Parameter(torch.zeros(things))
        self.dropout = nn.Dropout(dropout)

    def forward(self, ratings: Tensor) -> Tensor:
        """Predict stars and interest.

        Args:
            ratings: (B, I) uint8, 1–5, 0 where there are none.

        Returns:
            (B, I, 2) float32: stars, 1 or more, and 0 for what is rated already; and interest, a logit among all films.
        """
        stars = ratings.float()
        known = (stars > 0).float()  # (B, I)
        count = known.sum(1, keepdim=True)  # (B, 1)
        above = (stars - MEAN) * known
        person = self.dropout(torch.tanh((known @ self.habit + above @ self.taste) / (count + 1).sqrt()))  # (B, width)
        interest = self.fame + person @ self.attraction.T  # (B, I)
        return torch.stack([self._stars(above, known, count) * (1 - known), interest], dim=2)

    def _stars(self, above: Tensor, known: Tensor, count: Tensor) -> Tensor:
        """Predict the stars of every film, (B, I), from how far above the mean the known ones are, (B, I)."""
        above = above - self.bias * known
        person_bias = above.sum(1, keepdim=True) / (count + self.reserve.exp())
        above = above - person_bias * known
        person = self.dropout((above @ self.liked + known @ self.watched) / (count + 1).sqrt())  # (B, width)
        both = F.relu(self.of_person(person).unsqueeze(1) + self.of_film(self.dropout(self.film)))  # (B, I, hidden)
        found = MEAN + self.bias + person_bias + person @ self.film.T + self.output(both).squeeze(-1)
        return cast("Tensor", found.clamp_min(1.0))


def loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean squared error of stars, and the cross-entropy of interest, over the ratings that were hidden.

    Args:
        outputs: (B, I, 2), as the network gives them.
        targets: (B, I, 2): stars, 0 where nobody gave any, and 0.
    """
    stars, interest, given = outputs[..., 0], outputs[..., 1], targets[..., 0]
    hidden = given != 0
    count = hidden.sum().clamp_min(1)
    squares = ((stars - given).square() * hidden).sum() / count
    liked = given >= LIKED
    chances = F.log_softmax(interest.masked_fill(stars == 0, -1e4), dim=1)  # what is rated already is no choice
    return squares - (chances * liked).sum() / liked.sum().clamp_min(1)


def conclude(model: Any, splits: Splits) -> Conclusion:
    """Measure the first ten recommendations on the test split: by interest, by stars alone, and of the most popular films."""
    stars, known = splits.test.targets[..., 0], splits.test.inputs["ratings"]
    answers = predict(runner(model), splits.test)
    interest = np.where(known > 0, 0, answers[..., 1] - answers[..., 1].min() + 1)
    found = {"": interest, " by stars alone": answers[..., 0], " of the most popular": popularity(known)}
    return Conclusion(
        splits, {f"{name}@10{words}": value for words, scores in found.items() for name, value in ranked(scores, stars).items()}
    )


_CONTRACT = replace(
    recommender("recommender", movielens.FILMS),
    description="Which films somebody would like, from the stars that they gave to others.",
    metric=Metric("rated_rmse", "lower", floor=0.94),
    budget=Budget(size_bytes=900_000),  # of the file for devices
    source="MovieLens-100k (GroupLens; its ratings travel with the model, under its terms)",
)

RECIPE = Recipe(
    contract=_CONTRACT,
    load_data=movielens.load,
    build=Recommender,
    fit=FitSettings(epochs=6, batch_size=64, learning_rate=0.01, weight_decay=1.0),
    task="regression",
    loss=loss,
    raw_inputs="data",
    conclude=conclude,
)
