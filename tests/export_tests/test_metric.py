"""Metrics and their intervals against hand-computed figures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contract import Metric
from edge.errors import GateError
from export.metric import accuracy, confusion, measure, paired_drop, wilson

SCORES = np.array([[0.9, 0.1, 0.0], [0.1, 0.2, 0.7], [0.3, 0.4, 0.3], [0.6, 0.3, 0.1]])
TARGET = np.array([0, 2, 0, 0])


def test_accuracy_counts_the_highest_score():
    assert accuracy(SCORES, TARGET) == 0.75
    assert measure(Metric("accuracy", "higher", None), SCORES, TARGET) == 0.75


def test_an_unknown_metric_is_named():
    with pytest.raises(GateError, match="'bleu'; there are accuracy"):
        measure(Metric("bleu", "higher", None), SCORES, TARGET)


def test_wilson_matches_a_published_value():
    low, high = wilson(0.9, 100)  # statsmodels: proportion_confint(90, 100, method="wilson")
    assert (round(low, 4), round(high, 4)) == (0.8256, 0.9448)


@given(st.integers(1, 10_000), st.data())
def test_wilson_holds_the_share_and_stays_a_share(count, data):
    share = data.draw(st.integers(0, count)) / count
    low, high = wilson(share, count)
    assert 0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1


def test_paired_drop_counts_only_samples_that_changed():
    worse = SCORES.copy()
    worse[3] = [0.1, 0.8, 0.1]
    drop, low, high = paired_drop(worse, SCORES, TARGET)
    assert drop == 0.25
    assert low < drop < high
    assert paired_drop(SCORES, SCORES, TARGET) == (0.0, 0.0, 0.0)


def test_confusion_has_true_classes_as_rows():
    assert confusion(SCORES, TARGET, 3).tolist() == [[2, 1, 0], [0, 0, 0], [0, 0, 1]]
