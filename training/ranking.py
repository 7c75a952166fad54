"""How good recommendations are: whether the first ten hold what somebody liked, and how high up."""

from __future__ import annotations

import numpy as np

from training.recipe import Array

FIRST = 10
LIKED = 4  # stars, from which somebody liked something


def ranked(scores: Array, stars: Array, first: int = FIRST) -> dict[str, float]:
    """Measure rankings against what their readers liked.

    Args:
        scores: (U, I) float32, higher is better; 0 or less is not recommended.
        stars: (U, I), what each gave to things that the ranking did not know of, 0 where nobody knows.
        first: How many of the best count.

    Returns:
        `hit_rate`: the share of users with one liked thing or more among the first; `ndcg`: their discounted cumulative
        gain, 1 where all that was liked stands first. Users who liked nothing do not count.

    Source: Järvelin and Kekäläinen, 2002 (NDCG).
    """
    liked = stars >= LIKED
    users = liked.any(axis=1)
    order = np.argsort(-scores[users], axis=1, kind="stable")[:, :first]
    gains = np.take_along_axis(liked[users], order, axis=1) / np.log2(np.arange(2, first + 2))  # (U, first)
    best = np.cumsum(1 / np.log2(np.arange(2, first + 2)))[np.minimum(liked[users].sum(axis=1), first) - 1]
    return {"hit_rate": float((gains > 0).any(axis=1).mean()), "ndcg": float((gains.sum(axis=1) / best).mean())}


def popularity(known: Array) -> Array:
    """Rank everything by how many rated it: (U, I) stars to (U, I) float32 scores, 0 for what a user has rated."""
    counts = (known > 0).sum(axis=0).astype(np.float32)
    scores: Array = np.where(known > 0, np.float32(0), counts)
    return scores
