"""Species of irises from four lengths, by scikit-learn and XGBoost.

Run:      tandem train iris                  (then: tandem export iris)
Expected: test accuracy 0.950 (38 of 40 flowers, seed 0); the 95 % interval of so few reaches from 0.83 to 0.99
Time:     under a second to fit, about 4 s with everything around it
Size:     468 nodes in 50 trees
Source:   random forest (Breiman, 2001)

Variants, which so few flowers cannot tell apart:
- `iris_svm`: a support vector machine with a radial kernel and Platt's probabilities (1999); 0.975
- `iris_knn`: the five nearest neighbours; 0.950
- `iris_pca`: the five nearest neighbours in the plane of the two principal components (Hotelling, 1933); 0.900
- `iris_kmeans`: three groups by k-means (Lloyd, 1982), which is told no species; each is named after most of its flowers; 0.900
- `iris_xgboost`: gradient-boosted trees (Chen and Guestrin, 2016), at most 40 rounds; 0.900, 409 nodes

The graph takes the lengths in centimetres, float32, and gives the logarithm of each species' probability.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from edge.contract import Metric
from training.data import iris
from training.families import tabular_classifier
from training.recipe import FitSettings, Recipe


def forest(trees: int = 50) -> Any:
    """Make a random forest."""
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(n_estimators=trees, min_samples_leaf=2)


def support_vectors(penalty: float = 2.0) -> Any:
    """Make a support vector machine over scaled lengths, whose distances become probabilities."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    return make_pipeline(StandardScaler(), CalibratedClassifierCV(SVC(C=penalty), ensemble=False))


def neighbours(count: int = 5) -> Any:
    """Make a vote of the nearest neighbours among scaled lengths."""
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), KNeighborsClassifier(count))


def two_components(count: int = 5) -> Any:
    """Make a vote of the nearest neighbours in the plane of the two principal components of scaled lengths."""
    from sklearn.decomposition import PCA
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), PCA(2), KNeighborsClassifier(count))


def centres() -> Any:
    """Make k-means of the training flowers, which is told no species; each centre is named after most of its flowers."""
    from sklearn.cluster import KMeans

    from training.nearest_anchor import Anchors, NearestAnchor

    flowers = iris.load().train
    means = KMeans(len(iris.CLASSES), n_init=10, random_state=0).fit(flowers.inputs["features"].astype(np.float64))
    species = [np.bincount(flowers.targets[means.labels_ == number]).argmax() for number in range(len(iris.CLASSES))]
    return NearestAnchor(Anchors(means.cluster_centers_, np.array(species, np.int64)))


def boosted_trees(rate: float = 0.3, depth: int = 3) -> Any:
    """Make gradient-boosted trees; the recipe's epochs are its rounds."""
    from xgboost import XGBClassifier

    return XGBClassifier(learning_rate=rate, max_depth=depth, n_jobs=1)


_CONTRACT = replace(
    tabular_classifier("iris", iris.CLASSES, iris.FEATURES, unit="cm", range=(0.0, 30.0)),
    description="Which species of iris a flower is, from the lengths and widths of its sepals and petals.",
    metric=Metric("accuracy", "higher", floor=0.85),
    source="Fisher's irises (1936)",
)

RECIPE = Recipe(contract=_CONTRACT, load_data=iris.DATASET.load, build=forest, fit=FitSettings(epochs=1), framework="estimators")

VARIANTS = (
    replace(
        RECIPE,
        contract=replace(_CONTRACT, name="iris_svm", description="Which species of iris a flower is, by a support vector machine."),
        build=support_vectors,
    ),
    replace(
        RECIPE,
        contract=replace(_CONTRACT, name="iris_knn", description="Which species of iris a flower is, by its nearest neighbours."),
        build=neighbours,
    ),
    replace(
        RECIPE,
        contract=replace(_CONTRACT, name="iris_xgboost", description="Which species of iris a flower is, by gradient-boosted trees."),
        build=boosted_trees,
        fit=FitSettings(epochs=40, patience=10),
    ),
    replace(
        RECIPE,
        contract=replace(
            _CONTRACT, name="iris_pca", description="Which species of iris a flower is, in the plane of two principal components."
        ),
        build=two_components,
    ),
    replace(
        RECIPE,
        contract=replace(
            _CONTRACT,
            name="iris_kmeans",
            description="Which of three groups a flower belongs to, found by k-means without being told any species.",
            metric=Metric("accuracy", "higher", floor=0.80),
        ),
        build=centres,
        framework="pytorch",
        fit=FitSettings(epochs=20, learning_rate=0.05, batch_size=16),
    ),
)
