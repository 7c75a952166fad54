"""scikit-learn and XGBoost: the same answers from ONNX, and files that nobody should trust refused in one line."""

import copy
import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import onnx
import pytest
import skops.io
import xgboost
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from edge.bundle import UNLISTED
from edge.cli import main
from edge.contract import Tensor
from edge.errors import ConversionError
from edge.model import Model
from edge.storage import load_npz, save_npz
from export import from_estimator, from_xgboost

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*probability.*:FutureWarning"),  # what scikit-learn thinks of SVC(probability=True)
    pytest.mark.filterwarnings("ignore::DeprecationWarning:(skl2onnx|onnxmltools|onnx).*"),
]
IRIS, CLASSES = load_iris(return_X_y=True)
IRIS = IRIS.astype(np.float32)


def scaled(estimator):
    return make_pipeline(StandardScaler(), estimator)


ESTIMATORS = {
    "decision tree": DecisionTreeClassifier(random_state=0),
    "random forest": RandomForestClassifier(20, random_state=0),
    "gradient boosting": GradientBoostingClassifier(n_estimators=5, random_state=0),
    "scaler and SVC": scaled(SVC(probability=True, random_state=0)),
    "scaler and nearest neighbours": scaled(KNeighborsClassifier(5)),
    "scaler and logistic regression": scaled(LogisticRegression()),
    "scaler and MLP": scaled(MLPClassifier((8,), max_iter=2000, random_state=0)),
    "naive Bayes": GaussianNB(),
    "XGBoost in a pipeline": scaled(xgboost.XGBClassifier(n_estimators=5)),
}


@pytest.fixture
def promise(toy_contract):
    return toy_contract("iris_tree", Tensor("features", "float32", ("batch", 4), "NC"), 3)


@pytest.fixture
def road(tmp_path):
    """Let a program answer rows, convert it, and let onnxruntime answer them; give both (N, C) logits."""

    def run(module, program, promise, rows):
        import onnxruntime

        contract_file, bench = tmp_path / "contract.json", tmp_path / "bench.npz"
        contract_file.write_text(promise.dumps())
        save_npz(bench, {"input/features": rows})
        module.reference(str(program), str(contract_file), str(bench), str(tmp_path / "answers.npz"))
        report = module.onnx(str(program), str(contract_file), str(tmp_path / "model.onnx"))
        assert [t["name"] for t in report["inputs"]] == ["features"]
        session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
        assert session.get_inputs()[0].shape == ["batch", rows.shape[1]]
        assert [o.name for o in session.get_outputs()] == ["logits"]
        assert session.get_outputs()[0].shape[0] == "batch"
        assert len(session.run(None, {"features": rows[:1]})[0]) == 1
        return load_npz(tmp_path / "answers.npz")["output/logits"], session.run(None, {"features": rows})[0]

    return run


@pytest.mark.parametrize("name", ESTIMATORS)
def test_onnx_gives_the_estimators_probabilities(name, road, promise, tmp_path):
    estimator = ESTIMATORS[name].fit(IRIS, CLASSES)
    skops.io.dump(estimator, tmp_path / "model.skops")
    rows = np.concatenate([IRIS, IRIS + np.random.default_rng(0).normal(0, 1, IRIS.shape).astype(np.float32)])
    expected, got = road(from_estimator, tmp_path / "model.skops", promise, rows)
    np.testing.assert_allclose(np.exp(expected), np.clip(estimator.predict_proba(rows), 1e-7, 1), rtol=1e-5)
    np.testing.assert_allclose(got, expected, atol=1e-3)
    np.testing.assert_allclose(np.exp(got), np.exp(expected), atol=5e-6)


def test_rows_that_lie_on_a_threshold_of_a_tree_take_the_same_branch(road, promise, tmp_path):
    tree = DecisionTreeClassifier(random_state=0).fit(IRIS, CLASSES)
    skops.io.dump(tree, tmp_path / "model.skops")
    rows = []
    for feature, threshold in zip(tree.tree_.feature, tree.tree_.threshold.astype(np.float32), strict=True):
        for value in (np.nextafter(threshold, np.float32(-99)), threshold, np.nextafter(threshold, np.float32(99))):
            row = IRIS[50:60].copy()
            row[:, max(feature, 0)] = value
            rows.append(row)
    expected, got = road(from_estimator, tmp_path / "model.skops", promise, np.concatenate(rows))
    np.testing.assert_array_equal(got, expected)


def boosters():
    cancer, ill = load_breast_cancer(return_X_y=True)
    few = np.r_[0:50, 50:60, 100:103]  # classes of unequal size: each begins from a score of its own
    stopping = xgboost.XGBClassifier(n_estimators=200, learning_rate=0.5, early_stopping_rounds=3)
    stopping.fit(cancer[:300], ill[:300], eval_set=[(cancer[300:], ill[300:])], verbose=False)
    return {
        "binary": (xgboost.XGBClassifier(n_estimators=10).fit(cancer, ill), cancer),
        "multi-class": (xgboost.XGBClassifier(n_estimators=10).fit(IRIS, CLASSES), IRIS),
        "unequal classes": (xgboost.XGBClassifier(n_estimators=5).fit(IRIS[few], CLASSES[few]), IRIS),
        "stopped early": (stopping, cancer),
    }


@pytest.mark.parametrize("name", ["binary", "multi-class", "unequal classes", "stopped early"])
def test_onnx_gives_the_boosters_probabilities(name, road, toy_contract, tmp_path):
    booster, rows = boosters()[name]
    rows = rows.astype(np.float32)
    booster.get_booster().save_model(tmp_path / "xgboost.json")
    promise = toy_contract("toy", Tensor("features", "float32", ("batch", rows.shape[1]), "NC"), len(booster.classes_))
    expected, got = road(from_xgboost, tmp_path / "xgboost.json", promise, rows)
    np.testing.assert_allclose(np.exp(expected), booster.predict_proba(rows), atol=1e-6)
    np.testing.assert_allclose(got, expected, atol=1e-3)


def dumped(estimator, classes=CLASSES):
    return skops.io.dumps(estimator.fit(IRIS, classes))


def renamed_type():
    """A skops file whose type was exchanged for one that would run a command."""
    source, made = zipfile.ZipFile(io.BytesIO(dumped(GaussianNB()))), io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for member in source.namelist():
            content = source.read(member)
            if member == "schema.json":
                content = json.dumps({**json.loads(content), "__module__": "subprocess", "__class__": "Popen"}).encode()
            archive.writestr(member, content)
    return made.getvalue()


HOSTILE = [
    ("another type", from_estimator, renamed_type, "subprocess.Popen, which is not trusted and not loaded"),
    ("a function", from_estimator, lambda: dumped(make_pipeline(FunctionTransformer(copy.copy), GaussianNB())), "not trusted"),
    ("truncated", from_estimator, lambda: dumped(GaussianNB())[:-200], "not a whole skops file"),
    ("a pickle", from_estimator, lambda: b"\x80\x04cos\nsystem\n", "not a whole skops file"),
    ("a regressor", from_estimator, lambda: dumped(LinearRegression()), "LinearRegression gives no probabilities"),
    ("names out of order", from_estimator, lambda: dumped(GaussianNB(), np.array(["c", "a", "b"])[CLASSES]), "the contract's labels"),
    ("two classes", from_estimator, lambda: dumped(GaussianNB(), CLASSES % 2), "the estimator has 2 classes, the contract says 'logits'"),
    ("garbage", from_xgboost, lambda: b'{"learner": {"a": [1, 2]}}', "not a booster in XGBoost's JSON format"),
    ("no JSON", from_xgboost, lambda: b"\x00\x01junk", "not a booster in XGBoost's JSON format"),
    ("nested without end", from_xgboost, lambda: b"[" * 100_000, "not a booster in XGBoost's JSON format"),
]


@pytest.mark.parametrize(("module", "content", "fragment"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
@pytest.mark.filterwarnings("ignore:.*ChangedTypes.*")
def test_a_hostile_file_is_refused_in_one_line(module, content, fragment, promise, tmp_path):
    path = tmp_path / ("xgboost.json" if module is from_xgboost else "model.skops")
    path.write_bytes(content())
    (tmp_path / "contract.json").write_text(promise.dumps())
    with pytest.raises(ConversionError) as caught:
        module.onnx(str(path), str(tmp_path / "contract.json"), str(tmp_path / "model.onnx"))
    assert fragment in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_objective_without_probabilities_is_named(promise, tmp_path):
    booster = xgboost.train({"objective": "multi:softmax", "num_class": 3}, xgboost.DMatrix(IRIS, CLASSES), 2)
    booster.save_model(tmp_path / "xgboost.json")
    with pytest.raises(ConversionError, match="its objective is multi:softmax, which gives no probabilities; train with binary:logistic"):
        from_xgboost.open_booster(str(tmp_path / "xgboost.json"), promise)


class TestWholeExport:
    """`tandem export` of a decision tree."""

    @pytest.fixture
    def export(self, tmp_path, capsys, promise, write_handover):
        tree = DecisionTreeClassifier(random_state=0, max_depth=3).fit(IRIS, CLASSES)

        def run(*words, content=None, **changed):
            if not (tmp_path / "runs").exists():
                logits = from_estimator.log_probabilities(tree.predict_proba(IRIS))
                program = skops.io.dumps(tree) if content is None else content
                write_handover(tmp_path / "runs", replace(promise, **changed), "model.skops", program, IRIS, CLASSES, logits)
            code = main(["export", "iris_tree", "--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "bundles"), *words])
            return code, *capsys.readouterr()

        return run

    def test_a_tree_is_released_and_comes_out_the_same_again(self, export, tmp_path):
        code, _, err = export()
        assert code == 0, err
        folder = tmp_path / "bundles" / "iris_tree" / "1.0.0"
        first = {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in UNLISTED and path.is_file()}
        assert {"model.onnx", "variants.json"} <= set(first)
        model = Model.open(folder, target="server")
        answer = model.predict({"features": IRIS[0]})
        assert (answer.label, answer.score) == ("class0", pytest.approx(1.0, abs=1e-5))
        assert not onnx.load(folder / "model.onnx").metadata_props
        assert export("--force")[0] == 0
        assert {name: (folder / name).read_bytes() for name in first} == first

    def test_a_tree_for_devices_fails_with_3(self, export):
        code, _, err = export(targets=("server", "device"), requires_runtimes=("onnxruntime",))
        assert code == 3
        assert "a scikit-learn estimator (model.skops) cannot become TFLite" in err
        assert "Traceback" not in err

    def test_a_hostile_tree_fails_with_3(self, export):
        code, _, err = export(content=renamed_type())
        assert code == 3
        assert "subprocess.Popen, which is not trusted" in err
        assert "Traceback" not in err
