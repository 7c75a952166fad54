"""Clusters of points among noise, found by scikit-learn, and the cluster that a new point belongs to.

Run:      tandem train clusters                   (then: tandem export clusters)
Expected: 400 of 400 test points get the cluster that scikit-learn tells. How well the clusterings find the groups that 1,200
          points were drawn from (adjusted Rand index, Hubert and Arabie, 1985): k-means 0.685, DBSCAN 0.945, HDBSCAN 0.946.
          k-means cuts the moons in two and knows no noise; DBSCAN calls 10.1 % noise and HDBSCAN 7.9 %, where 10.3 % were
          drawn. The run's page holds a picture of all three
Time:     under a second to fit, some 10 s with everything around it
Size:     one parameter that training sets; 1,024 core points
Source:   k-means (Lloyd, 1982), DBSCAN (Ester et al., 1996), HDBSCAN (Campello et al., 2013)

A new point belongs to the cluster of the nearest core point if that lies within DBSCAN's reach, else it is noise.

Variants:
- `clusters_kmeans`: the cluster of the nearest centre; nothing is noise
- `clusters_hdbscan`: the cluster of the nearest point that is in one, within the distance in which 99 % of those have a neighbour

The graph takes x and y, float32, and gives distances as logits; the anchors are constants in it.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np

from edge.contract import Budget, Contract, Metric
from edge.errors import GateError
from training.data import points
from training.families import tabular_classifier
from training.nearest_anchor import Anchors, NearestAnchor, assigned
from training.own import Conclusion
from training.recipe import Array, DataOptions, FitSettings, Recipe, Split, Splits

COUNT = len(points.GROUPS)
LABELS = (*(f"cluster {number}" for number in range(COUNT)), "noise")
KINDS = ("kmeans", "dbscan", "hdbscan")
_EPS, _NEIGHBOURS = 0.28, 10


@cache
def found(kind: str) -> tuple[Array, Anchors]:
    """Let scikit-learn cluster the training points.

    Args:
        kind: One of `KINDS`.

    Returns:
        The cluster of each point, (N,), -1 for noise, and what new points are held against.

    Raises:
        GateError: There are more or fewer clusters than the contract names.
    """
    from sklearn.cluster import DBSCAN, HDBSCAN, KMeans
    from sklearn.neighbors import NearestNeighbors

    seen = points.load().train.inputs["point"].astype(np.float64)
    if kind == "kmeans":
        means = KMeans(COUNT, n_init=10, random_state=0).fit(seen)
        labels, anchors = means.labels_, Anchors(means.cluster_centers_, np.arange(COUNT))
    elif kind == "dbscan":
        dense = DBSCAN(eps=_EPS, min_samples=_NEIGHBOURS).fit(seen)
        labels = dense.labels_
        anchors = Anchors(dense.components_, labels[dense.core_sample_indices_], _EPS)
    else:
        labels = HDBSCAN(min_cluster_size=60, min_samples=_NEIGHBOURS, copy=True).fit(seen).labels_
        inside = seen[labels >= 0]
        distances, _ = NearestNeighbors(n_neighbors=2).fit(inside).kneighbors(inside)
        anchors = Anchors(inside, labels[labels >= 0], float(np.quantile(distances[:, 1], 0.99)))
    if anchors.count != COUNT:
        raise GateError(f"{kind} finds {anchors.count} clusters, expected {COUNT}; change its parameters")
    return labels, anchors


def load(_options: DataOptions | None = None, kind: str = "dbscan") -> Splits:
    """Load the points with scikit-learn's clusters as targets, (N,) int64; 5 is noise, which k-means does not know."""
    drawn = points.load()
    train, validation, test = (_of_kind(split, kind) for split in drawn.parts().values())
    return replace(drawn, classes=_labels(kind), train=train, validation=validation, test=test)


def build(kind: str) -> NearestAnchor:
    """Make the network of a clustering."""
    return NearestAnchor(found(kind)[1])


def _labels(kind: str) -> tuple[str, ...]:
    return LABELS[:-1] if kind == "kmeans" else LABELS


def _of_kind(split: Split, kind: str) -> Split:
    where = split.inputs["point"]
    return Split({"features": where}, assigned(found(kind)[1], where))


def conclude(_model: Any, splits: Splits) -> Conclusion:
    """Compare the three clusterings with the groups that the points were drawn from, and draw them."""
    from sklearn.metrics import adjusted_rand_score

    drawn = points.load().train
    figures = {}
    for kind in KINDS:
        labels, _ = found(kind)
        figures[f"adjusted Rand index, {kind}"] = float(adjusted_rand_score(drawn.targets, labels))
        figures[f"share of noise, {kind}"] = float((labels < 0).mean())
    figures["share of noise, drawn"] = float((drawn.targets == points.NOISE).mean())
    shown = {"as drawn": np.where(drawn.targets == points.NOISE, -1, drawn.targets), **{kind: found(kind)[0] for kind in KINDS}}
    return Conclusion(splits, figures, {"clusters.png": picture(drawn.inputs["point"], shown)})


def picture(where: Array, shown: Mapping[str, Array]) -> bytes:
    """Draw points, (N, 2), in the colours of their clusters, (N,), noise in grey; several clusterings beside one another, as PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.6 * len(shown), 3.8), dpi=110, layout="constrained")
    for axes, (title, labels) in zip(figure.subplots(1, len(shown)), shown.items(), strict=True):
        axes.scatter(*where[labels < 0].T, s=4, c="#bbbbbb")
        axes.scatter(*where[labels >= 0].T, s=4, c=labels[labels >= 0], cmap="Dark2")
        axes.set_title(f"{title}, {len(set(labels[labels >= 0].tolist()))} clusters")
        axes.set_aspect("equal")
    buffer = io.BytesIO()
    figure.savefig(buffer, metadata={"Software": None})
    return buffer.getvalue()


def _contract(name: str, kind: str, words: str) -> Contract:
    return replace(
        tabular_classifier(name, _labels(kind), ("x", "y"), range=(-1e6, 1e6)),
        description=f"Which cluster a point belongs to: that of the nearest {words}.",
        metric=Metric("accuracy", "higher", floor=0.995),  # the share of points that get scikit-learn's cluster
        targets=("server", "device"),
        recipes=("fp32",),
        requires_runtimes=("onnxruntime", "ai-edge-litert", "tflite-runtime"),
        budget=Budget(size_bytes=60_000),  # of the file for devices
        source="points made by a formula; clusters by scikit-learn",
    )


RECIPE = Recipe(
    contract=_contract("clusters", "dbscan", "core point of DBSCAN, or none"),
    load_data=load,
    build=partial(build, "dbscan"),
    fit=FitSettings(epochs=3, learning_rate=0.05),
    conclude=conclude,
)

VARIANTS = (
    replace(
        RECIPE,
        contract=_contract("clusters_kmeans", "kmeans", "centre of k-means"),
        load_data=partial(load, kind="kmeans"),
        build=partial(build, "kmeans"),
    ),
    replace(
        RECIPE,
        contract=_contract("clusters_hdbscan", "hdbscan", "point in a cluster of HDBSCAN, or none"),
        load_data=partial(load, kind="hdbscan"),
        build=partial(build, "hdbscan"),
    ),
)
