"""Options beside a picture: names and numbers become rows of inputs, and whatever cannot be chosen is refused in words."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge import rows
from edge.contract import Contract, Graph, Metric, Step, Tensor
from edge.errors import BundleError, ContractError, InputError, UnsupportedMediaError
from edge.steps import options_of, preprocessing
from edge.steps.options import Chosen
from edge.storage import save_npz

PICTURE = np.full((4, 8, 3), 200, np.uint8)
CHOOSE = Step("choose", input="style", names=["ink", "chalk", "sand"], default="chalk")
SLIDE = Step("slide", input="strength", low=0.0, high=1.0, default=0.75)


def promise(*steps: Step, numbers: int = 3) -> Contract:
    beside = (Tensor("style", "float32", ("batch", numbers), "NC"), Tensor("strength", "float32", ("batch", 1), "NC", (0.0, 1.0)))
    pixels, light = Tensor("image", "uint8", ("batch", 8, 8, 3), "NHWC"), Tensor("light", "float32", ("batch", 8, 8, 3), "NHWC")
    return Contract(
        schema=1,
        name="drawing",
        version="1.0.0",
        task="image-to-image",
        graphs=(Graph("main", (pixels, *beside), (light,)),),
        metric=Metric("rmse", "lower", None),
        preprocess=(Step("decode_image", channels=3), Step("resize", height=8, width=8, fit="contain"), *(steps or (CHOOSE, SLIDE))),
        postprocess=(Step("picture", margins="cut"),),
    )


def prepared(contract: Contract, value: object, assets: Path | None = None) -> rows.Row:
    return rows.prepare(contract, preprocessing(contract, assets), value)


def test_without_a_choice_the_defaults_hold():
    row = prepared(promise(), PICTURE)
    assert row["style"].tolist() == [0, 1, 0]
    assert row["strength"].tolist() == [0.75]
    assert row["image"].shape == (8, 8, 3)


@pytest.mark.parametrize("strength", [0.25, "0.25", np.float32(0.25), " 0.25 "], ids=["number", "text", "numpy", "spaces"])
def test_what_is_chosen_becomes_rows(strength):
    row = prepared(promise(), Chosen(PICTURE, {"style": "sand", "strength": strength}))
    assert row["style"].tolist() == [0, 0, 1]
    assert row["strength"].tolist() == [0.25]


@pytest.mark.parametrize("numbers", [[0.5, 0.5, 0], np.array([0.5, 0.5, 0])], ids=["list", "array"])
def test_own_numbers_stand_for_a_name(numbers):
    assert prepared(promise(), Chosen(PICTURE, {"style": numbers}))["style"].tolist() == [0.5, 0.5, 0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"style": "oil"}, "style is 'oil', expected one of ink, chalk, sand"),
        ({"style": "chalks"}, "expected a name such as 'chalk'"),
        ({"style": 2}, "style is 2, expected one of ink"),
        ({"style": [1, 0]}, r"style has the shape \(2,\), expected a name or 3 finite numbers"),
        ({"style": [1, 0, float("nan")]}, "finite numbers"),
        ({"style": [1, "much", 0]}, "expected a name or 3 numbers"),
        ({"strength": 1.01}, "strength is 1.01, expected a number from 0 to 1"),
        ({"strength": -1}, "strength is -1, expected"),
        ({"strength": "much"}, "strength is 'much', expected a number from 0 to 1"),
        ({"strength": ""}, "strength is ''"),
        ({"strength": True}, "strength is True"),
        ({"strength": float("nan")}, "strength is nan"),
        ({"strength": "1" * 5000}, "expected a number from 0 to 1"),
        ({"strength": [1]}, "expected a number"),
        ({"colour": 1}, "there is no option 'colour', expected style or strength"),
    ],
    ids=lambda value: None if isinstance(value, str) else "-".join(value),
)
def test_what_cannot_be_chosen_is_refused(options, words):
    with pytest.raises(InputError, match=words) as refused:
        prepared(promise(), Chosen(PICTURE, options))
    assert len(str(refused.value)) < 300


def test_a_model_without_options_says_so():
    contract = promise()
    plain = replace(contract, graphs=(Graph("main", contract.main.inputs[:1], contract.main.outputs),), preprocess=contract.preprocess[:2])
    assert options_of(plain) == ()
    with pytest.raises(InputError, match="this model has none"):
        prepared(plain, Chosen(PICTURE, {"style": "ink"}))


def test_options_beside_rows_are_refused():
    given = {"image": np.zeros((8, 8, 3), np.uint8), "style": np.ones(3, np.float32), "strength": np.ones(1, np.float32)}
    assert prepared(promise(), given)["style"].tolist() == [1, 1, 1]
    with pytest.raises(InputError, match="options beside rows"):
        prepared(promise(), Chosen(given, {"style": "ink"}))


def test_a_picture_that_is_none_is_refused_whatever_is_chosen():
    with pytest.raises(UnsupportedMediaError, match="not a picture"):
        prepared(promise(), Chosen(b"no picture", {"style": "ink"}))


def test_names_stand_for_the_rows_of_an_asset(tmp_path):
    table = np.arange(6, dtype=np.float32).reshape(3, 2)
    save_npz(tmp_path / "styles.npz", {"vectors": table})
    contract = promise(Step("choose", **{**CHOOSE.parameters, "vectors": "styles.npz"}), SLIDE, numbers=2)
    assert prepared(contract, Chosen(PICTURE, {"style": "sand"}), tmp_path)["style"].tolist() == [4, 5]
    assert prepared(contract, Chosen(PICTURE, {"style": [7, 8]}), tmp_path)["style"].tolist() == [7, 8]
    save_npz(tmp_path / "styles.npz", {"vectors": table[:2]})
    with pytest.raises(BundleError, match="a row for each name"):
        prepared(contract, PICTURE, tmp_path)
    (tmp_path / "styles.npz").unlink()
    with pytest.raises(BundleError, match="copy it again"):
        prepared(contract, PICTURE, tmp_path)
    with pytest.raises(ContractError, match="no folder of assets"):
        prepared(contract, PICTURE)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ((Step("choose", input="style", names=[], default=""), SLIDE), "one name or more"),
        ((Step("choose", input="style", names=["a", "a"], default="a"), SLIDE), "differ"),
        ((Step("choose", input="style", names=["a", "b"], default="c"), SLIDE), "default='c'"),
        ((Step("choose", input="style", names=["a"], default="a", vectors="../a.npz"), SLIDE), "path of an asset"),
        ((Step("choose", input="", names=["a"], default="a"), SLIDE), "name of an input tensor"),
        ((CHOOSE, Step("slide", input="strength", low=1, high=0, default=1)), "two ends that differ"),
        ((CHOOSE, Step("slide", input="strength", low=0, high=1, default=2)), "between two ends"),
        ((CHOOSE, Step("slide", input="strength", low=0, high="much", default=0)), "expected a number"),
        ((CHOOSE,), "one for each input but the first: style, strength"),
        ((CHOOSE, CHOOSE, SLIDE), "options for style, style, strength"),
        ((CHOOSE, Step("slide", input="image", low=0, high=1, default=1)), "options for style, image"),
    ],
    ids=["no-names", "twice", "default", "path", "input", "ends", "beyond", "words", "missing", "double", "first"],
)
def test_wrong_steps_are_refused(steps, words):
    with pytest.raises(ContractError, match=words):
        preprocessing(promise(*steps))


def test_options_are_described_for_people():
    style, strength = options_of(promise())
    assert (style.name, style.names, style.default) == ("style", ("ink", "chalk", "sand"), "chalk")
    assert (strength.low, strength.high, strength.default, strength.names) == (0.0, 1.0, 0.75, ())


def test_filled_margins_are_cut_off_where_a_picture_lies_within_them():
    frame = prepared(promise(), PICTURE).frame
    drawn = np.arange(8 * 8 * 3).reshape(8, 8, 3)
    assert frame is not None
    assert np.array_equal(frame.cut(drawn), drawn[2:6])
