"""ROUGE against cases computed by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.rouge import bootstrap, common, rouge_l, rouge_n

TEXT = "The cat sat on the mat."


@pytest.mark.parametrize(
    ("found", "precision", "recall"),
    [
        pytest.param(rouge_n("The cat was on a mat", TEXT, 1), 4 / 6, 4 / 6, id="the, cat, on, mat; the second 'the' is missing"),
        pytest.param(rouge_n("the the the", TEXT, 1), 2 / 3, 2 / 6, id="each counts as often as both have it"),
        pytest.param(rouge_n("The cat was on the mat", TEXT, 2), 3 / 5, 3 / 5, id="the cat, on the, the mat"),
        pytest.param(rouge_n("cat", TEXT, 2), 0, 0, id="one word has no pair"),
        pytest.param(rouge_l("on the mat the cat sat", TEXT), 3 / 6, 3 / 6, id="the order counts"),
        pytest.param(rouge_l("the big cat slept on a mat", TEXT), 4 / 7, 4 / 6, id="others may lie between"),
        pytest.param(rouge_n("", TEXT, 1), 0, 0, id="an empty summary"),
        pytest.param(rouge_n("今天下雨", "今天下雪。", 1), 3 / 4, 3 / 4, id="Chinese by signs"),
    ],
)
def test_shares_are_those_counted_by_hand(found, precision, recall):
    assert found[:2] == pytest.approx((precision, recall))
    assert found.f1 == pytest.approx(2 * precision * recall / (precision + recall) if precision else 0)


@given(st.lists(st.sampled_from("abc"), max_size=7), st.lists(st.sampled_from("abc"), max_size=7))
def test_the_longest_common_row_is_the_longest(one, other):
    def within(row, text):
        left = iter(text)
        return all(word in left for word in row)

    best = max(len(row) for size in range(len(one) + 1) for row in itertools.combinations(one, size) if within(row, other))
    assert common(one, other) == best


def test_the_interval_holds_the_mean_and_narrows():
    values = np.random.default_rng(1).normal(0.3, 0.1, 400)
    low, high = bootstrap(values)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * 0.1 / 20, rel=0.15)
    assert bootstrap(values) == (low, high), "the same draws each time"
