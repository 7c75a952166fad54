"""Ratings as a data set, how rankings are measured, and what the network of the recommender promises."""

import numpy as np
import pytest
import torch

from edge.errors import InputError
from edge.measures import measure
from training.data import movielens
from training.frameworks import pytorch_objective
from training.models.recommender import Recommender, loss
from training.ranking import popularity, ranked

RANDOM = np.random.default_rng(5)
STARS = (RANDOM.integers(1, 6, (30, 60)) * (RANDOM.random((30, 60)) < 0.5)).astype(np.uint8)


def test_ratings_are_parted_without_overlap_or_loss():
    train, validation, test = movielens.parted(STARS)
    np.testing.assert_array_equal(train.astype(int) + validation + test, STARS)
    for part in (validation, test):
        assert ((part > 0).sum(axis=1) == np.maximum(1, (STARS > 0).sum(axis=1) // 10)).all()


def test_what_is_asked_for_while_learning_is_hidden():
    split = movielens.hidden(STARS)
    inputs, targets = split.inputs["ratings"], split.targets[..., 0]
    assert not split.targets[..., 1].any()
    assert not ((inputs > 0) & (targets > 0)).any()
    np.testing.assert_array_equal((inputs + targets).reshape(10, *STARS.shape), np.broadcast_to(STARS, (10, *STARS.shape)))
    np.testing.assert_array_equal(targets.reshape(10, *STARS.shape).sum(axis=0), 2.0 * STARS)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param("1\t2\tgood\t0", "line 2: '1.t2.tgood.t0', expected the numbers", id="a word for stars"),
        pytest.param("944\t1\t5\t0", "user 944, film 1, 5 stars, expected", id="an unknown user"),
        pytest.param("1\t1\t6\t0", "6 stars, expected", id="six stars"),
        pytest.param("1", "expected the numbers of a user", id="a short line"),
    ],
)
def test_other_ratings_are_refused(line, message):
    with pytest.raises(InputError, match=message):
        movielens.parse_ratings(f"head\n{line}\n".encode(), "the package")


def test_titles_are_told_apart():
    lines = ["head", *(f"{number}\tHeat\t1995\tx" for number in range(1, movielens.FILMS + 1))]
    names = movielens.parse_titles("\n".join(lines).encode(), "the package")
    assert names[:2] == ["Heat (1995)", "Heat (1995) #2"]
    with pytest.raises(InputError, match="3 titles, expected 1682"):
        movielens.parse_titles("\n".join(lines[:4]).encode(), "the package")


def test_rankings_are_measured_by_what_was_liked():
    scores = np.array([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0], [3.0, 2.0, 1.0]], np.float32)
    stars = np.array([[5, 0, 0], [0, 0, 4], [3, 0, 0]])
    assert ranked(scores, stars, 3) == pytest.approx({"hit_rate": 1.0, "ndcg": (1.0 + 0.5) / 2})
    assert ranked(scores, stars, 2) == pytest.approx({"hit_rate": 0.5, "ndcg": 0.5})
    np.testing.assert_array_equal(popularity(np.array([[5, 0, 1], [2, 0, 0]])), [[0, 0, 0], [0, 0, 1]])


def test_only_ratings_count_in_loss_and_metric():
    outputs, targets = np.array([[1.0, 9.0], [3.0, 4.0]], np.float32), np.array([[2.0, 0.0], [5.0, 4.0]], np.float32)
    assert measure("rated_rmse").of(outputs, targets) == pytest.approx(np.sqrt(5 / 3))
    both = [torch.stack([torch.tensor(values), torch.zeros(2, 2)], dim=2) for values in (outputs, targets)]
    chances = 2 * np.log(2) / 2  # of two films that are liked, each one of two that are as likely
    assert float(loss(*both)) == pytest.approx(5 / 3 + chances)
    assert float(loss(both[0], torch.zeros(2, 2, 2))) == 0.0


@pytest.mark.parametrize("name", ["rated_rmse", "mape"])
def test_pytorch_adds_up_the_same_contributions(name):
    outputs, targets = RANDOM.normal(3, 1, (8, 5)).astype(np.float32), RANDOM.integers(1, 6, (8, 5)).astype(np.float32)
    expected = measure(name).contributions(outputs, targets).sum(axis=0)
    found = pytorch_objective.contributions(name, torch.tensor(outputs), torch.tensor(targets))
    np.testing.assert_allclose(np.atleast_1d(found.numpy()), expected, rtol=1e-5)


def test_nothing_that_is_rated_is_recommended_and_everybody_gets_something():
    model = Recommender(60).eval()
    with torch.no_grad():
        found = model(torch.tensor(np.concatenate([STARS, np.zeros((1, 60), np.uint8)]))).numpy()[..., 0]
    assert (found[:30][STARS > 0] == 0).all()
    assert (found[:30][STARS == 0] >= 1).all()
    assert np.isfinite(found).all()
