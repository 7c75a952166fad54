"""Iris: four measures of 150 flowers of three species, as they lie inside the installed scikit-learn. Source: Fisher, 1936.

Nothing is fetched; the table's SHA-256 is checked. It is the table of Fisher's paper (another one that is widely used has
two wrong rows). Two flowers of it have the same measures, to the last digit; the second is left out, so that no flower is
in two splits. The splits are fixed: the seed of a training does not move them.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import io

import numpy as np

from edge.errors import InputError, SetupError
from training.data.dataset import DataSet
from training.recipe import DataOptions, Split, Splits
from training.sampling import stratified_parts

SHA256 = "f13ffa8fdd56fd8e6c8d16d4081a3fbd3114bcd0aae4256c43205169cd9d1449"
CLASSES = ("setosa", "versicolor", "virginica")
FEATURES = ("sepal length", "sepal width", "petal length", "petal width")
SIZES = (69, 40, 40)
SPLIT_SEED = 20_260_101


def load(_options: DataOptions | None = None) -> Splits:
    """Load the flowers as `features`: (N, 4) float32, in centimetres: 69 to train, 40 to validate, 40 to test.

    Raises:
        SetupError: scikit-learn is not installed.
        InputError: The installed table is another one.
    """
    try:
        content = (importlib.resources.files("sklearn.datasets") / "data" / "iris.csv").read_bytes()
    except ModuleNotFoundError as error:
        raise SetupError(f"iris: its table comes with scikit-learn, but {error.name} is not installed; install the extra [trees]") from None
    flowers = parse(content)
    train, validation, test = (flowers.take(rows) for rows in stratified_parts(flowers.targets, SIZES, SPLIT_SEED))
    return Splits("iris", SHA256, "149 flowers of Fisher's iris table, from scikit-learn", CLASSES, train, validation, test)


def parse(content: bytes) -> Split:
    """Read the table: a heading, then rows of four measures and a class; a repeated row is left out.

    Raises:
        InputError: It is not the pinned one.
    """
    digest = hashlib.sha256(content).hexdigest()
    if digest != SHA256:
        raise InputError(f"iris.csv of scikit-learn: SHA-256 is {digest[:12]}…, expected {SHA256[:12]}…; install scikit-learn anew")
    table = np.loadtxt(io.BytesIO(content), np.float32, delimiter=",", skiprows=1)  # (150, 5)
    _, first = np.unique(table, axis=0, return_index=True)
    table = table[np.sort(first)]  # (149, 5)
    return Split({"features": np.ascontiguousarray(table[:, :4])}, table[:, 4].astype(np.int64))


DATASET = DataSet(
    name="iris",
    title="sepals and petals of 149 flowers, four lengths in cm, three species",
    licence="public domain (published 1936); the package: BSD-3-Clause (scikit-learn)",
    origin="R. A. Fisher, The use of multiple measurements in taxonomic problems, 1936; it comes with scikit-learn, nothing is fetched",
    packages={"full": ()},
    loader=load,
)
