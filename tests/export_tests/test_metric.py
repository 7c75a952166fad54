"""The contract's metric, and the confusion matrix, against hand-computed figures."""

import numpy as np
import pytest

from edge.contract import Metric
from edge.errors import GateError
from export.metric import agreement, confusion, decisive

SCORES = np.array([[0.9, 0.1, 0.0], [0.1, 0.2, 0.7], [0.3, 0.4, 0.3], [0.6, 0.3, 0.1]])
TARGET = np.array([0, 2, 0, 0])


def test_the_measure_is_the_contracts():
    assert decisive(Metric("accuracy", "higher", None)).of(SCORES, TARGET) == 0.75


def test_an_unknown_metric_is_named():
    with pytest.raises(GateError, match="'bleu'; there are accuracy"):
        decisive(Metric("bleu", "higher", None))


def test_a_direction_that_is_not_the_metrics_is_told():
    with pytest.raises(GateError, match="of rmse lower is better, the contract says higher"):
        decisive(Metric("rmse", "higher", None))


def test_confusion_has_true_classes_as_rows():
    assert confusion(SCORES, TARGET, 3).tolist() == [[2, 1, 0], [0, 0, 0], [0, 0, 1]]


def test_without_a_metric_answers_are_alike_by_what_they_are(toy_contract):
    from dataclasses import replace

    from edge.contract import PARITY_ONLY, Tensor

    promise = replace(toy_contract("toy", Tensor("x", "float32", ("batch", 4), "NC"), 3), metric=Metric(PARITY_ONLY, "higher", None))
    other = SCORES + np.array([[0, 0, 0], [0, 0, 0], [0.2, 0, 0], [0, 0, 0]])
    assert agreement(promise, other, SCORES) == 0.75, "one best class is another"
    values = replace(promise, labels=())
    assert agreement(values, other, SCORES) == 0.75, "one row moved by more than a tenth of the spread"
    assert agreement(values, np.full((4, 3), 1.00001), np.ones((4, 3))) == 1.0, "a constant answer has no spread"
    with pytest.raises(GateError, match="parity_only measures nothing"):
        decisive(promise.metric)
