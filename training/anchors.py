"""Anchors of a detector: the sizes that its boxes begin from, found among the boxes of the training data."""

from __future__ import annotations

import numpy as np

from training.recipe import Array


def k_means(targets: Array, count: int, seed: int = 0) -> list[list[float]]:
    """Group the boxes' sizes by overlap and return each group's mean size.

    Source: J. Redmon, A. Farhadi, "YOLO9000: better, faster, stronger" (2017), section 2: the distance is 1 - IoU.

    Args:
        targets: (N, M, 5) float32: class, centre x, centre y, width, height; -1 where there is no box.
        count: How many anchors, at most as many as there are boxes.
        seed: Of the sizes that grouping begins from.

    Returns:
        [width, height] each, rounded to a tenth, the smallest area first.
    """
    sizes = targets[targets[..., 0] >= 0][:, 3:5].astype(np.float64)  # (K, 2)
    means = sizes[np.random.default_rng(seed).choice(len(sizes), count, replace=False)]
    for _ in range(100):
        nearest = shape_overlaps(sizes, means).argmax(axis=1)
        moved = np.stack([sizes[nearest == i].mean(axis=0) if (nearest == i).any() else means[i] for i in range(count)])
        if np.allclose(moved, means):
            break
        means = moved
    return [[round(float(w), 1), round(float(h), 1)] for w, h in means[np.argsort(means.prod(axis=1))]]


def shape_overlaps(sizes: Array, anchors: Array) -> Array:
    """Return intersection over union of boxes that share their centre: (K, 2) and (A, 2) → (K, A)."""
    shared = np.minimum(sizes[:, None], anchors[None]).prod(axis=2)
    union = sizes.prod(axis=1)[:, None] + anchors.prod(axis=1)[None] - shared
    return np.asarray(shared / union)
