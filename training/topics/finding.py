"""Topics as dense heaps of sentence vectors: fewer features, HDBSCAN, and heaps that mean nearly the same made one.

Source: the course documents' own way (sentence vectors, HDBSCAN with min_cluster_size 15, topics of cosine above .5 merged);
Campello, Moulavi and Sander, "Density-based clustering based on hierarchical density estimates" (2013);
Grootendorst, "BERTopic" (2022), for the order of the steps.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.errors import InputError, SetupError, UsageError
from training.recipe import Array
from training.settings_checks import check_whole, finite

NOTHING = -1  # the label of a text that is in no heap
_FEW = 4  # points that are laid out as they are
REDUCTIONS = ("pca", "tsne", "umap", "none")


@dataclass(frozen=True)
class TopicSettings:
    """How topics are looked for.

    Attributes:
        reduce: `pca`; `tsne`, to a plane, after PCA; `umap`, which needs the library umap-learn; or `none`, to look among all features.
        features: How many of them are left; of `tsne` how many it begins with.
        least: The fewest texts of a topic, HDBSCAN's min_cluster_size.
        neighbours: How many texts must be near for a place to count as dense, HDBSCAN's min_samples.
        alike: The cosine of two topics' centres above which they become one.
    """

    reduce: str = "pca"
    features: int = 15
    least: int = 15
    neighbours: int = 5
    alike: float = 0.5

    def __post_init__(self) -> None:
        """Refuse what cannot be used."""
        if self.reduce not in REDUCTIONS:
            raise UsageError(f"reduce is {self.reduce!r}, expected one of {', '.join(REDUCTIONS)}")
        check_whole("features", self.features, 2, 4096)
        check_whole("least", self.least, 2, 100_000)
        check_whole("neighbours", self.neighbours, 1, 100_000)
        if not (finite(self.alike) and -1 <= self.alike <= 1):
            raise UsageError(f"alike is {self.alike!r}, expected a cosine from -1 to 1")


def find(vectors: Array, settings: TopicSettings, where: str = "the texts") -> Array:
    """Find topics.

    Args:
        vectors: (N, D) float32, each of length 1.
        settings: How.
        where: What the texts are, for messages.

    Returns:
        The topic of each text, (N,) int64, counted from 0, the largest first; -1 where it is in none.

    Raises:
        InputError: There are too few texts, or none lie dense enough.
        SetupError: A library is missing.
    """
    if len(vectors) < 2 * settings.least:
        raise InputError(
            f"{where}: {len(vectors)} different texts to learn from, expected at least {2 * settings.least}, "
            f"twice the smallest topic ({settings.least}); give more, or lower it with --set least=…"
        )
    found = heaps(reduced(vectors, settings), settings)
    if found.max() < 0:
        raise InputError(
            f"{where}: HDBSCAN finds no topic, all {len(found)} texts lie apart from one another; "
            f"give more texts, or let topics be smaller: --set least={max(2, settings.least // 2)} --set neighbours=1"
        )
    return by_size(merged(vectors, found, settings.alike))


def reduced(vectors: Array, settings: TopicSettings) -> Array:
    """Return vectors, (N, D), with fewer features, (N, F) float64; no more than there are texts or features.

    Raises:
        SetupError: umap-learn is asked for and not installed.
    """
    features = min(settings.features, len(vectors) - 1, vectors.shape[1])
    if settings.reduce == "none":
        return vectors.astype(np.float64)
    if settings.reduce == "umap":
        return _umap(vectors, features)
    from sklearn.decomposition import PCA

    points = np.asarray(PCA(features, svd_solver="full").fit_transform(vectors.astype(np.float64)), np.float64)
    return places(points) if settings.reduce == "tsne" else points


def places(points: Array) -> Array:
    """Lay points, (N, F), out in a plane, (N, 2) float64, so that neighbours stay neighbours; what is far apart says nothing.

    Source: van der Maaten and Hinton, "Visualizing data using t-SNE" (2008).
    """
    from sklearn.manifold import TSNE

    if len(points) < _FEW:
        return np.pad(points.astype(np.float64), ((0, 0), (0, 2)))[:, :2]
    perplexity = min(30.0, (len(points) - 1) / 3)
    method = TSNE(2, perplexity=perplexity, init="pca", learning_rate="auto", max_iter=500, random_state=0)
    return np.asarray(method.fit_transform(points.astype(np.float32)), np.float64)


def _umap(vectors: Array, features: int) -> Array:
    """Source: McInnes, Healy and Melville, "UMAP" (2018)."""
    try:
        umap: Any = importlib.import_module("umap")
    except ImportError:
        raise SetupError("reduce is umap, but umap-learn is not installed; install it, or leave reduce at pca") from None
    reducer = umap.UMAP(n_components=features, n_neighbors=15, min_dist=0.0, metric="cosine", random_state=0, n_jobs=1)
    return np.asarray(reducer.fit_transform(vectors), np.float64)


def heaps(points: Array, settings: TopicSettings) -> Array:
    """Let HDBSCAN find heaps among points, (N, F): their numbers, (N,) int64, -1 for what is in none."""
    from sklearn.cluster import HDBSCAN

    seen = HDBSCAN(min_cluster_size=settings.least, min_samples=settings.neighbours, copy=True).fit(points)
    return np.asarray(seen.labels_, np.int64)


def merged(vectors: Array, labels: Array, alike: float) -> Array:
    """Make one of two topics as long as the centres of any two have a cosine above `alike`, the most alike first.

    Args:
        vectors: (N, D), each of length 1.
        labels: (N,) int64, counted from 0 without gaps, -1 for no topic.
        alike: The cosine.

    Returns:
        (N,) int64, counted anew.
    """
    while labels.max() > 0:
        middle = centres(vectors, labels)
        cosines = np.triu(middle @ middle.T, 1)
        one, other = divmod(int(cosines.argmax()), len(cosines))
        if cosines[one, other] <= alike:
            break
        labels = np.where(labels == other, one, labels)
        labels = np.where(labels > other, labels - 1, labels)
    return labels


def centres(vectors: Array, labels: Array) -> Array:
    """Return the mean direction of each topic: (N, D) and (N,) to (T, D) float64, each of length 1."""
    sums = np.zeros((int(labels.max()) + 1, vectors.shape[1]))
    np.add.at(sums, labels[labels >= 0], vectors[labels >= 0].astype(np.float64))
    return np.asarray(sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12))


def by_size(labels: Array) -> Array:
    """Number topics, (N,) int64 with -1 for none, by their size, the largest first."""
    counts = np.bincount(labels[labels >= 0])
    place = np.empty(len(counts), np.int64)
    place[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return np.where(labels >= 0, place[labels], NOTHING)
