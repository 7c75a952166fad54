"""Which samples go where: orders whose every stretch is spread over the classes."""

from __future__ import annotations

import numpy as np

from training.recipe import Array


def stratified_order(targets: Array, random: np.random.Generator) -> Array:
    """Order samples so that every stretch holds the classes in about the proportions of the whole.

    Args:
        targets: (N,) int64, class of each sample.
        random: Decides the order within a class.

    Returns:
        (N,) int64, each row number once.
    """
    rank, size = _ranks(targets, random)
    return np.lexsort((targets, (rank + 0.5) / size))


def balanced_order(targets: Array, random: np.random.Generator) -> Array:
    """Order samples so that every beginning holds the classes in equal numbers, as long as each lasts.

    Args:
        targets: (N,) int64, class of each sample.
        random: Decides the order within a class.

    Returns:
        (N,) int64, each row number once.
    """
    rank, _ = _ranks(targets, random)
    return np.lexsort((targets, rank))


def stratified_parts(targets: Array, sizes: tuple[int, ...], seed: int) -> list[Array]:
    """Part samples into groups that share none, each with the classes in about the proportions of the whole.

    Args:
        targets: (N,) int64, class of each sample.
        sizes: How many samples each part gets; together N at most.
        seed: The same seed gives the same parts.

    Returns:
        One (size,) int64 of ascending row numbers per part.
    """
    order = stratified_order(targets, np.random.default_rng(seed))
    ends = np.cumsum(sizes)
    return [np.sort(order[end - size : end]) for size, end in zip(sizes, ends, strict=True)]


def _ranks(targets: Array, random: np.random.Generator) -> tuple[Array, Array]:
    """Return the place of each sample within its class, in random order, and the size of its class."""
    shuffled = random.permutation(len(targets))
    by_class = shuffled[np.argsort(targets[shuffled], kind="stable")]
    classes, counts = np.unique(targets, return_counts=True)
    rank = np.empty(len(targets), np.int64)
    rank[by_class] = np.concatenate([np.arange(count) for count in counts]) if len(counts) else np.empty(0, np.int64)
    return rank, counts[np.searchsorted(classes, targets)]
