"""Task metrics: their values by hand, their intervals, and comparisons on the same samples."""

import numpy as np
import pytest

from edge import measures
from edge.errors import ContractError
from edge.measures import MEASURES, measure

LOGITS = np.array([[2, 1, 0], [0, 3, 1], [1, 0, 4], [5, 0, 0]], np.float32)
CLASSES = np.array([0, 1, 1, 0])
ALARMS = np.array([[0, 1], [0, 1], [1, 0], [1, 0], [0, 2]], np.float32)  # says 1, 1, 0, 0, 1
POINTERS = np.float32([[9, 0], [1, 0.2], [0, 5], [0.1, 1]])  # the first two, and the last two, point the same way
GROUPED = "precision_at_1"  # its targets are groups, (N, 1)
VALUES, RIGHT = np.array([[1.0], [2.0], [4.0]], np.float32), np.array([[1.0], [0.0], [1.0]], np.float32)


@pytest.mark.parametrize(
    ("name", "outputs", "targets", "expected"),
    [
        pytest.param("accuracy", LOGITS, CLASSES, 0.75, id="three of four"),
        pytest.param("accuracy", LOGITS[None], CLASSES[None], 0.75, id="positions of a sequence"),
        pytest.param("f1", ALARMS, np.array([1, 0, 1, 0, 1]), 2 * 2 / (2 * 2 + 1 + 1), id="two hits, an alarm, a miss"),
        pytest.param("f1", ALARMS[2:4], np.array([0, 0]), 0.0, id="nothing to find and nothing said"),
        pytest.param("perplexity", np.zeros((4, 3), np.float32), CLASSES, 3.0, id="no idea among three"),
        pytest.param("rmse", VALUES, RIGHT, np.sqrt(13 / 3), id="root of the mean square"),
        pytest.param("mae", VALUES, RIGHT, 5 / 3, id="mean distance"),
        pytest.param("regret", np.float32([[0, 1], [5, 0]]), np.float32([[3, 1], [2, 2]]), 1.0, id="two lost by one choice of two"),
        pytest.param("mape", np.float32([[9.0], [22.0]]), np.float32([[10.0], [20.0]]), 0.1, id="a tenth of the right value"),
        pytest.param("rated_rmse", np.float32([[1, 9], [3, 4]]), np.float32([[2, 0], [5, 4]]), np.sqrt(5 / 3), id="only what was rated"),
        pytest.param("psnr", np.full((2, 4), 0.1, np.float32), np.zeros((2, 4), np.float32), 20.0, id="a tenth of the peak"),
        pytest.param("precision_at_1", POINTERS, np.array([[7], [7], [7], [8]]), 0.5, id="by direction, not by length or place"),
    ],
)
def test_values_by_hand(name: str, outputs: np.ndarray, targets: np.ndarray, expected: float) -> None:
    assert measure(name).of(outputs, targets) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", MEASURES)
def test_every_interval_holds_its_value_and_narrows_with_samples(name: str) -> None:
    random = np.random.default_rng(1)

    def width(count: int) -> float:
        outputs = random.normal(size=(count, 2)).astype(np.float32)
        targets = random.integers(0, 2, count) if measure(name).classes else random.normal(4, 1, (count, 2)).astype(np.float32)
        targets = random.integers(0, 2, (count, 1)) if name == GROUPED else targets
        low, high = measure(name).interval(outputs, targets)
        assert low <= measure(name).of(outputs, targets) <= high
        return high - low

    assert width(4000) < 0.5 * width(200)


@pytest.mark.parametrize("name", MEASURES)
def test_an_equal_model_loses_nothing_and_a_worse_one_loses(name: str) -> None:
    random = np.random.default_rng(2)
    one = measure(name)
    if one.classes or name == GROUPED:
        targets = random.integers(0, 2, 500)
        good = np.eye(2, dtype=np.float32)[targets] * 3 + random.normal(size=(500, 2)).astype(np.float32)
    else:
        targets = random.random((500, 3)).astype(np.float32)
        good = targets + random.normal(0, 0.02, (500, 3)).astype(np.float32)
    targets = targets[:, None] if name == GROUPED else targets
    worse = good + random.normal(0, 1.5, good.shape).astype(np.float32)
    assert one.loss(good, good, targets) == (0.0, 0.0, 0.0)
    loss, low, high = one.loss(worse, good, targets)
    assert 0 < low < loss < high
    back, _, highest = one.loss(good, worse, targets)
    assert back == pytest.approx(-loss)
    assert highest < 0


def test_agreement_is_the_same_class_or_nearly_the_same_value() -> None:
    other = LOGITS.copy()
    other[1] = [9, 0, 0]
    assert measure("accuracy").agree(other, LOGITS).tolist() == [True, False, True, True]
    reference = np.array([[0.0], [10.0], [20.0]])  # deviates by 8.2
    assert measure("rmse").agree(reference + np.array([[0.5], [-0.8], [2.0]]), reference).tolist() == [True, True, False]


def test_wilson_matches_a_published_value() -> None:
    assert measures.wilson(0.9, 100) == pytest.approx((0.8256, 0.9448), abs=1e-4)


def test_an_unknown_metric_is_told() -> None:
    with pytest.raises(ContractError, match="no metric is called 'beauty'; there are accuracy"):
        measure("beauty")


def test_neighbours_are_found_among_more_than_are_compared_at_once() -> None:
    random = np.random.default_rng(3)
    groups = random.integers(0, 40, 1200)
    vectors = random.normal(size=(40, 24))[groups] + random.normal(0, 0.1, (1200, 24))
    assert measure(GROUPED).of(vectors, groups[:, None]) == 1.0
    assert measure(GROUPED).of(vectors, np.arange(1200)[:, None]) == 0.0  # nobody is a neighbour of its own


def test_vectors_agree_where_they_point_nearly_the_same_way() -> None:
    turned = np.float32([[9, 2], [1, 0.6], [0, 1]])  # cosines .976 (of any length), .941 and 1
    assert measure(GROUPED).agree(turned, np.float32([[1, 0], [1, 0.2], [0, 4]])).tolist() == [True, False, True]


def test_choices_agree_where_either_is_as_good() -> None:
    reference = np.array([[5.0, 4.99], [5.0, 0.0], [0.0, 5.0]])  # deviates by 2.4
    other = reference[:, ::-1]
    assert measure("regret").agree(other, reference).tolist() == [True, False, False]
    assert measure("regret").agree(reference, reference).all()
