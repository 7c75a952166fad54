"""The temperature: recovered where it is known, harmless where it is not, and measured honestly."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import contract
from edge.steps.context import Context
from edge.steps.scores import softmax
from training.calibration import BINS, COLDEST, HOTTEST, calibrate, fit_temperature, probabilities, reliability
from training.evaluate import cross_entropy
from training.finished import Outcome
from training.recipe import Split, Splits


@st.composite
def problems(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Logits (N, C) float32 of any size and scale, and any classes."""
    count, classes = draw(st.integers(1, 60)), draw(st.integers(2, 6))
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    scale = 10.0 ** draw(st.floats(-3, 3))
    return (scale * random.normal(size=(count, classes))).astype(np.float32), random.integers(0, classes, count)


def nature(temperature: float, count: int = 20_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose classes are drawn with the probabilities of softmax(logits / temperature)."""
    random = np.random.default_rng(seed)
    logits = (temperature * random.normal(scale=2.0, size=(count, 5))).astype(np.float32)
    shares = probabilities(logits, temperature)
    return logits, (shares.cumsum(axis=1) < random.random((count, 1))).sum(axis=1).clip(0, 4)


@given(st.floats(math.log(0.1), math.log(10)), st.integers(0, 1000))
def test_a_known_temperature_is_recovered(power: float, seed: int) -> None:
    true = math.exp(power)
    assert fit_temperature(*nature(true, seed=seed)) == pytest.approx(true, rel=0.06)


@given(problems())
def test_the_loss_on_the_fitted_samples_never_grows(problem: tuple[np.ndarray, np.ndarray]) -> None:
    logits, targets = problem
    fitted = fit_temperature(logits, targets)
    assert COLDEST <= fitted <= HOTTEST
    assert cross_entropy(logits.astype(np.float64) / fitted, targets) <= cross_entropy(logits, targets)


@given(problems())
def test_no_other_temperature_is_better(problem: tuple[np.ndarray, np.ndarray]) -> None:
    logits, targets = problem

    def loss(temperature: float) -> float:
        return cross_entropy(logits.astype(np.float64) / temperature, targets)

    best = loss(fit_temperature(logits, targets))
    assert all(best <= loss(other) + 1e-6 * (1 + abs(best)) for other in np.geomspace(COLDEST, HOTTEST, 40))


@given(problems(), st.floats(COLDEST, HOTTEST))
def test_no_answer_changes(problem: tuple[np.ndarray, np.ndarray], temperature: float) -> None:
    logits = problem[0].astype(np.float64)
    assert np.array_equal((logits / temperature).argmax(axis=1), logits.argmax(axis=1))


@pytest.mark.parametrize(
    ("right", "expected"),
    [
        pytest.param(True, COLDEST, id="all right: as sure as allowed"),
        pytest.param(False, HOTTEST, id="all wrong: as unsure as allowed"),
    ],
)
@pytest.mark.parametrize("count", [1, 50])
def test_where_no_temperature_is_best_the_bound_is_taken(right: bool, expected: float, count: int) -> None:
    targets = np.arange(count) % 3
    logits = np.eye(3, dtype=np.float32)[targets if right else (targets + 1) % 3]
    assert fit_temperature(logits, targets) == expected


@pytest.mark.parametrize(
    "logits",
    [
        pytest.param(np.zeros((6, 3), np.float32), id="knows nothing"),
        pytest.param(1e6 * np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2]], id="right beyond doubt"),
    ],
)
def test_where_nothing_can_be_gained_it_stays_one(logits: np.ndarray) -> None:
    assert fit_temperature(logits, np.array([0, 1, 2, 0, 1, 2])) == 1.0


def test_the_same_logits_give_the_same_temperature_of_four_digits() -> None:
    problem = nature(2.3)
    fitted = fit_temperature(*problem)
    assert fitted == fit_temperature(*problem) == round(fitted, 4)


def test_the_probabilities_are_those_of_the_contract_s_softmax() -> None:
    logits, _ = nature(1.5, count=20)
    expected = np.stack([softmax(row, Context(temperature=1.5)) for row in logits])
    assert np.abs(probabilities(logits, 1.5) - expected).max() < 1e-7


def sure_by(*confidences: float) -> np.ndarray:
    """Two-class logits whose first class has these probabilities."""
    return np.log([[share, 1 - share] for share in confidences]).astype(np.float32)


def test_the_calibration_error_is_that_worked_out_by_hand() -> None:
    measured = reliability(sure_by(0.99, 0.99, 0.99, 0.99, 0.7, 0.7), np.array([0, 0, 0, 1, 0, 1]))
    assert (measured.counts[BINS - 1], measured.counts[10], measured.counts.sum()) == (4, 2, 6)
    assert (measured.accuracy[BINS - 1], measured.accuracy[10]) == (0.75, 0.5)
    assert measured.error == pytest.approx((4 * 0.24 + 2 * 0.2) / 6, abs=1e-6)


@pytest.mark.parametrize(
    ("logits", "place"),
    [
        pytest.param([0.0] * 5, 2, id="0.2, the border of the third and the fourth"),
        pytest.param([0.0] * 2, 7, id="0.5, the middle"),
        pytest.param([1e9, 0.0], BINS - 1, id="certain"),
    ],
)
def test_a_bin_s_upper_border_belongs_to_it(logits: list[float], place: int) -> None:
    assert reliability(np.array([logits], np.float32), np.array([0])).counts.argmax() == place


def test_over_confident_answers_are_mended_on_samples_that_were_not_fitted() -> None:
    logits, targets = nature(4.0)
    halves = (slice(0, 10_000), slice(10_000, None))
    parts = [Split({"x": logits[half]}, targets[half]) for half in halves]
    splits = Splits("drawn", "", "", tuple("abcde"), parts[0], parts[0], parts[1])
    found = calibrate({"validation": logits[halves[0]], "test": logits[halves[1]]}, splits)
    assert found.before["test"].error > 0.1
    assert found.after["test"].error < 0.02
    assert found.after["test"].loss < found.before["test"].loss


def test_a_training_hands_over_its_temperature(trained: Outcome) -> None:
    kept = json.loads((trained.folder / "training.json").read_text())["calibration"]
    assert contract.load(trained.folder / "contract.json").confidence.temperature == kept["temperature"]
    assert kept["validation"]["loss_after"] <= kept["validation"]["loss_before"]
    assert kept["test"]["loss_before"] == pytest.approx(trained.record["loss"]["test"])
    assert (kept["bins"], kept["fitted_on"]) == (15, "validation")
    assert all(0 <= kept[part][name] <= 1 for part in ("validation", "test") for name in ("ece_before", "ece_after"))
