"""Questions to a recommender: known users, newcomers with ratings, and how many answers; anything else refused in words."""

import json

import numpy as np
import pytest

from edge.contract import Contract, Graph, Metric, Step, Tensor
from edge.errors import BundleError, InputError
from edge.steps import postprocessing, preprocessing
from edge.steps.ratings import Wanted
from edge.storage import save_npz

TITLES = ("Toy Story (1995)", "Heat (1995)", "Fargo (1996)")
GRAPH = Graph("main", (Tensor("ratings", "uint8", ("batch", 3), "NC"),), (Tensor("answers", "float32", ("batch", 3, 2), "NCL"),))
CONTRACT = Contract(
    1,
    "films",
    "1.0.0",
    "recommendation",
    (GRAPH,),
    Metric("rated_rmse", "lower", None),
    preprocess=(Step("read_json"), Step("rate")),
    postprocess=(Step("top_n"),),
    assets={"titles": "titles.txt", "users": "users.npz"},
)


@pytest.fixture
def assets(tmp_path):
    (tmp_path / "titles.txt").write_text("\n".join(TITLES) + "\n", encoding="utf-8")
    save_npz(tmp_path / "users.npz", {"users": np.array([7, 42]), "ratings": np.array([[5, 0, 0], [0, 3, 1]], np.uint8)})
    return tmp_path


@pytest.mark.parametrize(
    ("question", "stars", "most"),
    [
        pytest.param({"user": 42}, [0, 3, 1], 10, id="a known user"),
        pytest.param({"user": 7, "n": 2}, [5, 0, 0], 2, id="two answers"),
        pytest.param({"ratings": {"Heat (1995)": 4, "Fargo (1996)": 1}}, [0, 4, 1], 10, id="a newcomer"),
    ],
)
def test_questions_become_rows_of_stars(assets, question, stars, most):
    prepare = preprocessing(CONTRACT, assets)
    (assets / "question.json").write_text(json.dumps(question), encoding="utf-8")
    for form in (question, json.dumps(question), np.asarray(json.dumps(question)), assets / "question.json"):
        row, wanted = prepare.framed(form)
        assert row.dtype == np.uint8
        assert row.tolist() == stars
        assert wanted == Wanted(most)


@pytest.mark.parametrize(
    ("question", "message"),
    [
        pytest.param({"user": 8}, r"user 8 is not known, expected a number such as 7 or 42 \(2 are known\)", id="an unknown user"),
        pytest.param({"user": "42"}, "user '42' is not known", id="a user in quotation marks"),
        pytest.param({"user": True}, "user True is not known", id="a truth value"),
        pytest.param({"user": 42, "ratings": {}}, 'expected either "user" or "ratings"', id="both"),
        pytest.param({"n": 3}, 'expected either "user" or "ratings"', id="neither"),
        pytest.param({"user": 42, "age": 3}, r"the question has \['age', 'user'\]", id="an unknown word"),
        pytest.param({"user": 42, "n": 0}, "n is 0, expected a whole number from 1 to 100", id="no answer"),
        pytest.param({"user": 42, "n": 1e9}, "n is 1000000000.0, expected", id="too many answers"),
        pytest.param({"ratings": {"Toy Story": 5}}, r"no title is 'Toy Story'; did you mean 'Toy Story \(1995\)'", id="half a title"),
        pytest.param({"ratings": {"xyz": 5}}, "no title is 'xyz', expected one as it is listed", id="an unknown title"),
        pytest.param(
            {"ratings": {"Heat (1995)": 6}}, r"the rating of 'Heat \(1995\)' is 6, expected a whole number from 1 to 5", id="six stars"
        ),
        pytest.param({"ratings": {"Heat (1995)": 0}}, "is 0, expected a whole number", id="no star"),
        pytest.param({"ratings": {"Heat (1995)": 3.5}}, "is 3.5, expected a whole number", id="half a star"),
        pytest.param({"ratings": {"Heat (1995)": "5"}}, "is '5', expected a whole number", id="stars in quotation marks"),
        pytest.param({"ratings": {}}, "ratings is {}, expected an object of titles and stars", id="no rating"),
        pytest.param({"ratings": [5]}, r"ratings is \[5\], expected an object", id="a list"),
        pytest.param('{"ratings": {"Heat (1995)": NaN}}', "the JSON holds NaN", id="not a number"),
        pytest.param("[1]", r"the question is \[1\], expected an object", id="a list for a question"),
        pytest.param("user 42", "the question is not valid JSON", id="no JSON"),
    ],
)
def test_other_questions_are_refused_in_words(assets, question, message):
    with pytest.raises(InputError, match=message):
        preprocessing(CONTRACT, assets)(question)


def test_what_is_rated_already_is_not_recommended(assets):
    found = postprocessing(CONTRACT, assets)(np.array([[0.0, 9.0], [3.5, 2.0], [5.2, 1.0]], np.float32))
    assert [(item.label, item.index, item.score) for item in found] == [("Heat (1995)", 1, 3.5), ("Fargo (1996)", 2, 5.0)]
    assert Wanted(1).first(found) == found[:1]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("titles.txt", b"a\na\nb\n", "has a title twice", id="a title twice"),
        pytest.param("titles.txt", b"\xff\n", "not UTF-8 at byte 0", id="no text"),
        pytest.param("titles.txt", b"a\nb\n", "holds ratings of 3 things, there are 2 titles", id="too few titles"),
        pytest.param("users.npz", b"PK", "copy the bundle again", id="a broken archive"),
        pytest.param("users.npz", None, "cannot be read", id="a missing file"),
    ],
)
def test_damaged_assets_are_told(assets, name, content, message):
    if content is None:
        (assets / name).unlink()
    else:
        (assets / name).write_bytes(content)
    with pytest.raises(BundleError, match=message):
        preprocessing(CONTRACT, assets)({"user": 42})
