"""Pictures of a code, the few numbers that a network makes of a sample: what lies near what, as PNG.

Source: principal components as in K. Pearson (1901); t-SNE of L. van der Maaten and G. Hinton, "Visualizing data using
t-SNE" (2008), both as scikit-learn has them.
"""

from __future__ import annotations

import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.recipe import Array

MOST = 1500  # points: t-SNE's time grows faster than their number
NEIGHBOURS = 10


def projections(codes: Array, kinds: Array, classes: tuple[str, ...]) -> dict[str, bytes]:
    """Draw codes in two dimensions, coloured by class.

    Args:
        codes: (N, D) float32; the first 1,500 are drawn.
        kinds: (N,) int64, their classes.
        classes: The names.

    Returns:
        `code_pca.png` and `code_tsne.png`.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    codes, kinds = codes[:MOST].astype(np.float64), kinds[:MOST]
    components = PCA(2, svd_solver="full").fit(codes)
    shares = components.explained_variance_ratio_
    near = min(30.0, (len(codes) - 1) / 3)
    drawn = {
        "code_pca.png": (components.transform(codes), f"principal components ({shares[0]:.0%} and {shares[1]:.0%} of the variance)"),
        "code_tsne.png": (TSNE(2, perplexity=near, init="pca", random_state=0).fit_transform(codes), "t-SNE"),
    }
    return {name: _scatter(points, kinds, classes, title) for name, (points, title) in drawn.items()}


def nearest(codes: Array, count: int = NEIGHBOURS) -> Array:
    """Return the rows of the nearest other codes by Euclidean distance, (N, count) int64, the nearest first."""
    from sklearn.neighbors import NearestNeighbors

    _, rows = NearestNeighbors(n_neighbors=count + 1).fit(codes).kneighbors(codes)
    own = rows == np.arange(len(codes))[:, None]
    own[~own.any(axis=1), -1] = True  # of equal codes another may stand first: then the last one goes
    others: Array = rows[~own].reshape(len(codes), count).astype(np.int64)
    return others


def same_kind(neighbours: Array, kinds: Array) -> float:
    """Return the share of neighbours, (N, K) rows, that are of the class, (N,), of the sample itself."""
    return float((kinds[neighbours] == kinds[:, None]).mean())


def sheet(rows: Array, gap: int = 2) -> bytes:
    """Draw rows of pictures as one PNG.

    Args:
        rows: (R, K, H, W) float32, 0–1.
        gap: Pixels between two.
    """
    from edge.png import encode

    padded = np.pad(rows, ((0, 0), (0, 0), (gap, 0), (gap, 0)), constant_values=0.5)  # (R, K, H + gap, W + gap)
    whole = padded.transpose(0, 2, 1, 3).reshape(rows.shape[0] * padded.shape[2], -1)
    pixels = np.clip(np.rint(whole * 255), 0, 255).astype(np.uint8)
    return encode(np.repeat(np.repeat(pixels, 2, axis=0), 2, axis=1)[..., None])


def _scatter(points: Array, kinds: Array, classes: tuple[str, ...], title: str) -> bytes:
    figure = Figure(figsize=(6.4, 5.6), dpi=110, layout="constrained")
    axes: Axes = figure.subplots()
    for kind, name in enumerate(classes):
        own = points[kinds == kind]
        axes.plot(own[:, 0], own[:, 1], ".", color=f"C{kind % 10}", label=name, markersize=4)
    axes.set_title(f"{len(points):,} codes, {title}", fontsize=11)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize=9, markerscale=3)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
