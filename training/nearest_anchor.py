"""Clusters as a network: a new point belongs to the cluster of the nearest anchor, if it is near enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from training.recipe import Array


@dataclass(frozen=True)
class Anchors:
    """What new points are held against.

    Attributes:
        places: (P, F) float64: centres, core points, or all points in clusters.
        clusters: (P,) int64, which cluster each stands for, 0 to C - 1.
        reach: The distance beyond which a point is noise; None where none ever is.
    """

    places: Array
    clusters: Array
    reach: float | None = None

    @property
    def count(self) -> int:
        """How many clusters there are."""
        return int(self.clusters.max()) + 1


def assigned(anchors: Anchors, points: Array) -> Array:
    """Let scikit-learn tell the cluster of points, (N, F) to (N,) int64; noise is the number behind the last cluster."""
    from sklearn.neighbors import NearestNeighbors

    distances, nearest = NearestNeighbors(n_neighbors=1).fit(anchors.places).kneighbors(points.astype(np.float64))
    found = anchors.clusters[nearest[:, 0]]
    reach = np.inf if anchors.reach is None else anchors.reach
    return np.where(distances[:, 0] <= reach, found, anchors.count).astype(np.int64)


class NearestAnchor(nn.Module):
    """The distances themselves are the scores. The anchors are given; how sure an answer is, is all that training learns."""

    def __init__(self, anchors: Anchors) -> None:
        """Take the anchors, cluster by cluster."""
        super().__init__()
        self.sizes = np.bincount(anchors.clusters).tolist()
        self.reach = anchors.reach
        order = np.argsort(anchors.clusters, kind="stable")
        self.register_buffer("places", torch.tensor(anchors.places[order], dtype=torch.float32))
        self.sharpness = nn.Parameter(torch.tensor(2.0))

    def forward(self, features: Tensor) -> Tensor:
        """Score each cluster by its nearest anchor.

        Args:
            features: (B, F) float32.

        Returns:
            Logits, (B, C) float32, or (B, C + 1) where there is noise, which comes last.
        """
        squares = (features.unsqueeze(1) - cast("Tensor", self.places)).square().sum(2)  # (B, P)
        scores = [part.amin(1, keepdim=True) for part in torch.split(squares, self.sizes, 1)]  # (B, 1) of each cluster
        if self.reach is not None:
            scores.append(torch.zeros_like(scores[0]) + self.reach**2)
        return -self.sharpness.exp() * torch.cat(scores, dim=1).clamp_min(1e-12).sqrt()
