"""The contract's metric, and the confusion matrix, against hand-computed figures."""

import numpy as np
import pytest

from edge.contract import Metric
from edge.errors import GateError
from export.metric import confusion, decisive

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
