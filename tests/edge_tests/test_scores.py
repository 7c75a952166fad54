"""From scores to an answer: probabilities that never overflow, and a ranking that is the same everywhere."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge.errors import ContractError
from edge.steps.context import Context
from edge.steps.scores import Ranked, check_top_k, softmax, top_k

LOGITS = hnp.arrays(np.float32, st.integers(1, 30), elements=st.floats(-1000, 1000, width=32))
TEMPERATURES = st.floats(0.05, 20)


@given(LOGITS, TEMPERATURES)
def test_probabilities_sum_to_one(logits: np.ndarray, temperature: float) -> None:
    probabilities = softmax(logits, Context(temperature=temperature))
    assert probabilities.dtype == np.float32
    assert probabilities.shape == logits.shape
    assert probabilities.min() >= 0
    assert probabilities.sum(dtype=np.float64) == pytest.approx(1, abs=1e-5)


@given(hnp.arrays(np.float64, st.integers(1, 30), elements=st.floats(-100, 100)), TEMPERATURES, st.floats(-1000, 1000))
def test_shift_changes_nothing(logits: np.ndarray, temperature: float, shift: float) -> None:
    context = Context(temperature=temperature)
    np.testing.assert_allclose(softmax(logits + shift, context), softmax(logits, context), atol=1e-6)


@given(LOGITS, TEMPERATURES)
def test_temperature_keeps_the_best(logits: np.ndarray, temperature: float) -> None:
    probabilities = softmax(logits, Context(temperature=temperature))
    assert probabilities[int(logits.argmax())] == probabilities.max()


def test_softmax_against_its_definition() -> None:
    logits = np.array([1.0, 2.0, 4.0], np.float32)
    powers = np.exp(logits.astype(np.float64) / 2)
    np.testing.assert_allclose(softmax(logits, Context(temperature=2.0)), powers / powers.sum(), rtol=1e-6)


@pytest.mark.parametrize(
    ("logits", "expected"),
    [
        pytest.param([3.4e38, 0.0, -3.4e38], [1.0, 0.0, 0.0], id="largest float32"),
        pytest.param([-3.4e38, -3.4e38], [0.5, 0.5], id="all as low as can be"),
        pytest.param([7.0], [1.0], id="one class"),
    ],
)
def test_huge_values_neither_overflow_nor_give_nan(logits: list[float], expected: list[float]) -> None:
    np.testing.assert_allclose(softmax(np.array(logits, np.float32), Context()), expected)


@pytest.mark.parametrize(
    ("scores", "k", "expected"),
    [
        pytest.param([0.1, 0.7, 0.2], 2, [1, 2], id="best first"),
        pytest.param([0.5, 0.5, 0.5], 3, [0, 1, 2], id="among equals the lower index first"),
        pytest.param([0.0, 1.0, 0.0, 1.0], 4, [1, 3, 0, 2], id="ties in two groups"),
        pytest.param([0.0, 1.0] * 50, 100, [*range(1, 100, 2), *range(0, 100, 2)], id="many ties"),
        pytest.param([0.3, 0.6], 9, [1, 0], id="more asked than there are"),
        pytest.param([-5, -1, 0], 1, [2], id="integers, negative"),
    ],
)
def test_ranking_order(scores: list[float], k: int, expected: list[int]) -> None:
    ranking = top_k(np.array(scores), Context(), k=k)
    assert [ranked.index for ranked in ranking] == expected
    assert [ranked.score for ranked in ranking] == [scores[index] for index in expected]


def test_ranking_names_labels_or_else_indices() -> None:
    scores = np.array([0.25, 0.75], np.float32)
    assert top_k(scores, Context(labels=("cat", "dog"))) == (Ranked("dog", 1, 0.75), Ranked("cat", 0, 0.25))
    assert top_k(scores, Context(), k=1) == (Ranked("1", 1, 0.75),)


@given(hnp.arrays(np.float32, st.integers(1, 30), elements=st.floats(-10, 10, width=32)), st.integers(1, 40))
def test_ranking_is_sorted_and_complete(scores: np.ndarray, k: int) -> None:
    ranking = top_k(scores, Context(), k=k)
    assert len(ranking) == min(k, len(scores))
    assert [r.score for r in ranking] == sorted(scores.tolist(), reverse=True)[:k]
    assert len({r.index for r in ranking}) == len(ranking)


@pytest.mark.parametrize("labels", [("a", "b"), ("a", "b", "c", "d")], ids=["too few labels", "too many labels"])
def test_label_count_must_fit(labels: tuple[str, ...]) -> None:
    with pytest.raises(ContractError, match=f"gives 3 scores, but the contract has {len(labels)} labels"):
        top_k(np.zeros(3), Context(labels=labels))


@pytest.mark.parametrize("k", [0, -1, 2.0, True, "3", None])
def test_top_k_wants_a_whole_number(k: object) -> None:
    assert check_top_k(k) == f"has k={k!r}, expected a whole number of at least 1"
    assert check_top_k(1) == check_top_k() == ""
