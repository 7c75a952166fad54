"""Clusters and the classics of iris: what ONNX answers is what scikit-learn answers, point for point."""

import numpy as np
import onnxruntime
import pytest
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

from export.from_estimator import onnx as estimator_to_onnx
from training.data import iris, points
from training.frameworks import estimators, pytorch
from training.models import clusters
from training.models import iris as recipes
from training.nearest_anchor import Anchors, NearestAnchor, assigned

FLOWERS = load_iris().data.astype(np.float32)  # all 150
ESTIMATORS = [recipe for recipe in (recipes.RECIPE, *recipes.VARIANTS) if recipe.framework == "estimators"]


def run_onnx(content, values):
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: values})[0]


@pytest.mark.filterwarnings("ignore:Attribute `prob:FutureWarning")  # skl2onnx asks every SVC for it
@pytest.mark.parametrize("recipe", [r for r in ESTIMATORS if "xgboost" not in r.contract.name], ids=lambda recipe: recipe.contract.name)
def test_all_flowers_get_the_labels_of_scikit_learn(recipe, tmp_path):
    data = iris.load()
    model = recipe.build()
    model.fit(data.train.inputs["features"], data.train.targets)
    estimators.save(tmp_path / "model.skops", model, data.test)
    (tmp_path / "contract.json").write_text(recipe.contract.dumps(), encoding="utf-8")
    estimator_to_onnx(str(tmp_path / "model.skops"), str(tmp_path / "contract.json"), str(tmp_path / "model.onnx"))
    logits = run_onnx((tmp_path / "model.onnx").read_bytes(), FLOWERS)
    np.testing.assert_array_equal(logits.argmax(axis=1), model.predict(FLOWERS))


def test_principal_components_are_those_of_scikit_learn():
    model = PCA(2).fit(FLOWERS)
    converted = convert_sklearn(model, initial_types=[("x", FloatTensorType([None, 4]))], target_opset=18)
    np.testing.assert_allclose(run_onnx(converted.SerializeToString(), FLOWERS), model.transform(FLOWERS), atol=1e-5)


def test_k_means_tells_all_flowers_the_centre_of_scikit_learn():
    means = KMeans(3, n_init=10, random_state=0).fit(FLOWERS)
    converted = convert_sklearn(means, initial_types=[("x", FloatTensorType([None, 4]))], target_opset=18)
    np.testing.assert_array_equal(run_onnx(converted.SerializeToString(), FLOWERS), means.predict(FLOWERS))
    module = NearestAnchor(Anchors(means.cluster_centers_.astype(np.float64), np.arange(3)))
    answers = pytorch.runner(module.eval())({"features": FLOWERS}).argmax(axis=1)
    np.testing.assert_array_equal(answers, means.predict(FLOWERS))


def test_a_centre_is_named_after_most_of_its_flowers():
    data = iris.load()
    answers = pytorch.runner(recipes.centres().eval())(data.test.inputs).argmax(axis=1)
    assert (answers == data.test.targets).mean() >= 0.80


@pytest.mark.parametrize("kind", clusters.KINDS)
def test_new_points_get_the_cluster_that_scikit_learn_tells(kind):
    splits = clusters.load(kind=kind)
    answers = pytorch.runner(clusters.build(kind).eval())(splits.test.inputs).argmax(axis=1)
    np.testing.assert_array_equal(answers, splits.test.targets)
    labels, anchors = clusters.found(kind)
    inside = labels >= 0
    seen = assigned(anchors, points.load().train.inputs["point"])
    assert (seen[inside] == labels[inside]).mean() >= 0.99


def test_density_finds_what_k_means_cannot():
    drawn = points.load().train.targets
    found = {kind: adjusted_rand_score(drawn, clusters.found(kind)[0]) for kind in clusters.KINDS}
    assert found["kmeans"] < 0.75 < 0.9 < min(found["dbscan"], found["hdbscan"])


def test_a_point_beyond_reach_is_noise():
    anchors = Anchors(np.array([[0.0, 0.0], [4.0, 0.0]]), np.array([0, 1]), 1.0)
    where = np.array([[0.5, 0.0], [4.0, 0.9], [2.0, 0.0], [1e6, -1e6]], np.float32)
    expected = [0, 1, 2, 2]
    assert assigned(anchors, where).tolist() == expected
    assert pytorch.runner(NearestAnchor(anchors).eval())({"features": where}).argmax(axis=1).tolist() == expected
