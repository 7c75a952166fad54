"""Estimators of scikit-learn and XGBoost through the same stage: their figures, their files, what they refuse."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits
from xgboost import Booster, DMatrix, XGBClassifier

from edge.contract import loads
from edge.errors import ContractError, InputError, UsageError
from edge.storage import load_npz
from training.data import iris
from training.data.overlap import repeated, shared
from training.families import tabular_classifier
from training.finished import TrainOptions
from training.fit import Fitted, fit
from training.frameworks import estimators
from training.frameworks.estimator_loops import FitLoop, log_probabilities
from training.models import iris as recipes
from training.recipe import FitSettings, Recipe, Split, Splits
from training.train import train

RECIPES = [recipe for recipe in (recipes.RECIPE, *recipes.VARIANTS) if recipe.framework == "estimators"]
BOOSTERS = [
    pytest.param(lambda: XGBClassifier(subsample=0.8, n_jobs=1), id="XGBoost"),
    pytest.param(lambda: GradientBoostingClassifier(subsample=0.8), id="gradient boosting"),
    pytest.param(lambda: HistGradientBoostingClassifier(min_samples_leaf=5), id="histogram boosting"),
]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Tables this small are slower with threads, which wait for one another on a busy machine."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def flowers() -> Splits:
    return iris.load()


def fitted(model: Any, splits: Splits, settings: FitSettings | None = None) -> Fitted:
    with estimators.reproducible(0):
        return fit(estimators, model, splits, settings or FitSettings(epochs=1))


def test_the_table_is_pinned_and_shares_no_flower_between_splits(flowers: Splits) -> None:
    assert shared(flowers) == {("train", "validation"): 0, ("train", "test"): 0, ("validation", "test"): 0}
    assert [repeated(split) for split in flowers.parts().values()] == [0, 0, 0]
    assert [len(split) for split in flowers.parts().values()] == list(iris.SIZES)
    assert sum(iris.SIZES) == 149
    with pytest.raises(InputError, match="SHA-256 is .*install scikit-learn anew"):
        iris.parse(b"150,4,setosa\n")


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.contract.name)
def test_every_iris_recipe_learns_what_its_contract_promises(recipe: Recipe, flowers: Splits) -> None:
    assert loads(recipe.contract.dumps()) == recipe.contract
    recipe.check_data(flowers)
    model = recipe.build()
    fitted(model, flowers, recipe.fit)
    answers = estimators.runner(model)(flowers.test.inputs)
    assert (answers.shape, answers.dtype) == ((40, 3), np.float32)
    assert np.mean(answers.argmax(axis=1) == flowers.test.targets) >= recipe.contract.metric.floor
    assert np.exp(answers).sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert estimators.parameters(model) > 0


def test_the_family_says_what_the_numbers_are() -> None:
    contract = tabular_classifier("a_tree", ("no", "yes"), ("height", "width"), unit="cm", range=(0.0, 9.0))
    assert contract.main.inputs[0].meaning == "height, width, in cm"
    assert (contract.main.inputs[0].shape, contract.main.inputs[0].range) == (("batch", 2), (0.0, 9.0))
    assert (contract.targets, contract.recipes, contract.requires_runtimes) == (("server",), (), ("onnxruntime",))


def test_a_forest_is_one_epoch_of_one_fit(flowers: Splits) -> None:
    model = RandomForestClassifier(5)
    result = fitted(model, flowers)
    (epoch,) = result.history
    answers = estimators.runner(model)(flowers.validation.inputs)
    assert epoch.validation_metric == np.mean(answers.argmax(axis=1) == flowers.validation.targets)
    assert epoch.train_loss < epoch.validation_loss, "a forest knows its training samples"
    assert estimators.parameters(model) == sum(tree.tree_.node_count for tree in model.estimators_)


@pytest.mark.parametrize("build", BOOSTERS)
def test_a_booster_is_an_epoch_a_round_and_equals_one_fit(build: Callable[[], Any], flowers: Splits) -> None:
    model = build()
    result = fitted(model, flowers, FitSettings(epochs=12, seed=3))
    assert [epoch.number for epoch in result.history] == list(range(1, 13))
    assert result.history[-1].train_loss < result.history[0].train_loss / 2
    rounds = "max_iter" if isinstance(model, HistGradientBoostingClassifier) else "n_estimators"
    once = build().set_params(**{rounds: result.best_epoch, "random_state": 3}).fit(flowers.train.inputs["features"], flowers.train.targets)
    x = flowers.test.inputs["features"]
    np.testing.assert_allclose(model.predict_proba(x), once.predict_proba(x), atol=1e-7)
    assert model.get_params()[rounds] == result.best_epoch


@pytest.mark.parametrize("build", BOOSTERS)
def test_a_booster_stops_early_and_keeps_its_best_round(build: Callable[[], Any], flowers: Splits) -> None:
    model = build()
    result = fitted(model, flowers, FitSettings(epochs=200, patience=3))
    assert result.stopped_early
    assert len(result.history) == result.best_epoch + 3
    answers = estimators.runner(model)(flowers.validation.inputs)
    assert np.mean(answers.argmax(axis=1) == flowers.validation.targets) == result.history[result.best_epoch - 1].validation_metric


def two(splits: Splits) -> Splits:
    def first(split: Split) -> Split:
        return split.take(np.flatnonzero(split.targets < 2))

    return replace(splits, classes=splits.classes[:2], **{part: first(split) for part, split in splits.parts().items()})


@pytest.mark.parametrize("build", [*BOOSTERS, pytest.param(LogisticRegression, id="logistic regression")])
def test_two_classes_are_two_columns(build: Callable[[], Any], flowers: Splits) -> None:
    model, splits = build(), two(flowers)
    fitted(model, splits, FitSettings(epochs=8))
    answers = estimators.runner(model)(splits.test.inputs)
    assert answers.shape == (len(splits.test), 2)
    assert np.mean(answers.argmax(axis=1) == splits.test.targets) > 0.95


@pytest.mark.parametrize("missing", [0, 2])
@pytest.mark.parametrize("build", [*BOOSTERS, pytest.param(lambda: DecisionTreeClassifier(max_depth=2), id="tree")])
def test_a_class_that_was_not_there_to_learn_from_keeps_its_column(build: Callable[[], Any], missing: int, flowers: Splits) -> None:
    splits = replace(flowers, train=flowers.train.take(np.flatnonzero(flowers.train.targets != missing)))
    model = build()
    fitted(model, splits, FitSettings(epochs=4))
    answers = estimators.runner(model)(splits.test.inputs)
    assert answers.shape == (40, 3)
    assert set(answers.argmax(axis=1)) == {0, 1, 2} - {missing}


def test_columns_are_the_classes_and_nothing_is_less_than_the_least() -> None:
    logits = log_probabilities(np.array([[0.25, 0.75], [0.0, 1.0]]), np.array([2, 0]), 3)
    least = np.log(1e-7)
    np.testing.assert_allclose(logits, [[np.log(0.75), least, np.log(0.25)], [0, least, least]], rtol=1e-6)
    assert logits.dtype == np.float32


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.contract.name)
def test_the_saved_program_is_the_same_file_each_time_and_answers_alike(recipe: Recipe, flowers: Splits, tmp_path: Path) -> None:
    files = [tmp_path / "one", tmp_path / "other"]
    kept = []
    for path in files:
        model = recipe.build()
        fitted(model, flowers, recipe.fit)
        estimators.save(path, model, flowers.test)
        kept.append(model)  # so that the second model's objects lie elsewhere in memory
    assert files[0].read_bytes() == files[1].read_bytes()
    x = flowers.test.inputs["features"]
    if estimators.program(model) == "xgboost.json":
        booster = Booster(model_file=None)
        booster.load_model(files[0].rename(tmp_path / "xgboost.json"))
        probabilities = booster.predict(DMatrix(x))
    else:
        found = skops.io.get_untrusted_types(file=files[0])
        assert all(name.startswith("sklearn.") for name in found)
        probabilities = skops.io.load(files[0], trusted=found).predict_proba(x)
    np.testing.assert_array_equal(log_probabilities(probabilities, np.arange(3), 3), estimators.runner(model)(flowers.test.inputs))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        pytest.param(LinearSVC, "expected a classifier with predict_proba", id="no probabilities"),
        pytest.param(lambda: 3, "build gives a int", id="no estimator"),
    ],
)
def test_what_is_no_classifier_is_refused(build: Callable[[], Any], message: str, flowers: Splits) -> None:
    with pytest.raises(ContractError, match=message):
        estimators.loop(build(), flowers, FitSettings())


def test_pictures_are_refused_in_words(digits: Splits) -> None:
    with pytest.raises(ContractError, match=r"the inputs are image uint8 \(28, 28, 1\), expected one table, float32 \(N, F\)"):
        estimators.loop(RandomForestClassifier(), digits, FitSettings())


def test_code_of_its_own_is_not_handed_over(flowers: Splits, tmp_path: Path) -> None:
    model = make_pipeline(FunctionTransformer(own), RandomForestClassifier(2))
    fitted(model, flowers)
    with pytest.raises(ContractError, match=r"holds .*own, which cannot be loaded without this code"):
        estimators.save(tmp_path / "model.skops", model, flowers.test)


def own(x: np.ndarray) -> np.ndarray:
    return x


@pytest.mark.parametrize(
    ("build", "message"),
    [
        pytest.param(
            lambda: RandomForestClassifier(max_depth=-1), "RandomForestClassifier refuses to learn .*max_depth", id="scikit-learn"
        ),
        pytest.param(lambda: XGBClassifier(max_depth=-1), "XGBClassifier refuses to learn .*max_depth", id="XGBoost"),
    ],
)
def test_parameters_that_cannot_be_used_are_told_in_one_line(build: Callable[[], Any], message: str, flowers: Splits) -> None:
    with pytest.raises(InputError, match=message) as caught:
        fitted(build(), flowers)
    assert "\n" not in str(caught.value)


def test_what_an_estimator_does_not_use_is_said(flowers: Splits, capsys: pytest.CaptureFixture[str]) -> None:
    loop = estimators.loop(RandomForestClassifier(2), flowers, FitSettings(epochs=7, learning_rate=0.1, patience=2, seed=5))
    said = capsys.readouterr().err
    assert "epochs, learning_rate, patience: not used by a RandomForestClassifier" in said
    assert loop.settings.epochs == 1
    estimators.loop(XGBClassifier(), flowers, FitSettings(epochs=7, patience=2))
    assert "not used" not in capsys.readouterr().err


def test_the_seed_reaches_every_part() -> None:
    model = make_pipeline(StandardScaler(), RandomForestClassifier(2, random_state=9))
    estimators.loop(model, iris.load(), FitSettings(epochs=1, seed=5))
    assert model.get_params()["randomforestclassifier__random_state"] == 5


def test_what_a_library_warns_of_is_said_in_one_line(flowers: Splits, capsys: pytest.CaptureFixture[str]) -> None:
    fitted(LogisticRegression(max_iter=1), flowers)
    assert "LogisticRegression: lbfgs failed to converge" in capsys.readouterr().err


def test_the_stage_hands_an_estimator_over_as_any_other(tmp_path: Path) -> None:
    options = TrainOptions(out=tmp_path, epochs=5)
    outcome = train("iris_xgboost", options)
    assert [epoch["number"] for epoch in outcome.record["history"]] == [1, 2, 3, 4, 5]
    assert outcome.record["framework"] == "estimators"
    assert json.loads((outcome.folder / "xgboost.json").read_text())["learner"]
    golden = load_npz(outcome.folder / "golden.npz")
    assert golden["input/features"].dtype == golden["output/logits"].dtype == np.float32
    assert (outcome.folder / "run.html").is_file()
    assert train("iris_xgboost", options).skipped
    assert not (tmp_path / "iris_xgboost" / ".checkpoints").exists()


def test_an_interrupted_fit_begins_again_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(self: FitLoop, number: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(FitLoop, "learn", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train("iris", TrainOptions(out=tmp_path))
    assert "interrupted; nothing is kept of it, so the same command starts from nothing" in capsys.readouterr().err


def test_there_is_no_checkpoint_to_begin_with(tmp_path: Path) -> None:
    start = tmp_path / "epoch-00001.npz"
    start.write_bytes(b"")
    with pytest.raises(UsageError, match="iris learns in one go and has no checkpoints; leave it out"):
        train("iris", TrainOptions(out=tmp_path, start=start))
