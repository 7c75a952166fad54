"""The contract's metric, and the confusion matrix, against hand-computed figures."""

from dataclasses import replace

import numpy as np
import pytest

from edge.contract import PARITY_ONLY, Graph, Metric, Tensor
from edge.errors import GateError
from export.metric import agreement, confusion, decisive, misfit

SCORES = np.array([[0.9, 0.1, 0.0], [0.1, 0.2, 0.7], [0.3, 0.4, 0.3], [0.6, 0.3, 0.1]])
TARGET = np.array([0, 2, 0, 0])


def test_the_measure_is_the_contracts():
    assert decisive(Metric("accuracy", "higher", None)).of(SCORES, TARGET) == 0.75


@pytest.mark.parametrize(
    ("metric", "output", "target", "said"),
    [
        ("accuracy", (3,), np.zeros(4, np.uint8), ""),
        ("accuracy", (3,), np.zeros((4, 1), np.int64), "needs numbers ['batch']"),
        ("accuracy", (3,), np.array(["a"] * 4), "'target' is <U1 [4]"),
        ("accuracy", ("words", 3), np.zeros((4, 9), np.int64), ""),
        ("accuracy", (1,), np.zeros(4, np.int64), "takes the best of several scores, but the output is ['batch', 1]"),
        ("f1", (), np.zeros(4, np.int64), "takes the best of several scores"),
        ("rmse", (1,), np.zeros((4, 1), np.float32), ""),
        ("rmse", (1,), np.zeros(4, np.float32), "'target' is float32 [4], but rmse of outputs ['batch', 1] needs numbers ['batch', 1]"),
        ("mae", (), np.zeros((4, 1)), "needs numbers ['batch']"),
        ("map50", (5, 9), np.zeros((4, 2, 5)), ""),
        ("map50", (5, 9), np.zeros((4, 5)), "needs numbers ['batch', 'boxes', 5]"),
        ("precision_at_1", (8,), np.zeros((4, 1), np.int64), ""),
        ("bleu", (8,), np.zeros(4), ""),
    ],
)
def test_targets_that_numpy_would_stretch_are_told(toy_contract, metric, output, target, said):
    promise = toy_contract("toy", Tensor("x", "float32", ("batch", 4), "NC"), 3)
    graph = Graph("main", promise.main.inputs, (Tensor("y", "float32", ("batch", *output), "N"),))
    found = misfit(replace(promise, graphs=(graph,), metric=Metric(metric, "higher", None)), target)
    assert said in found
    assert bool(found) == bool(said)


def test_an_unknown_metric_is_named():
    with pytest.raises(GateError, match="'bleu'; there are accuracy"):
        decisive(Metric("bleu", "higher", None))


def test_a_direction_that_is_not_the_metrics_is_told():
    with pytest.raises(GateError, match="of rmse lower is better, the contract says higher"):
        decisive(Metric("rmse", "higher", None))


def test_confusion_has_true_classes_as_rows():
    assert confusion(SCORES, TARGET, 3).tolist() == [[2, 1, 0], [0, 0, 0], [0, 0, 1]]


def test_without_a_metric_answers_are_alike_by_what_they_are(toy_contract):
    promise = replace(toy_contract("toy", Tensor("x", "float32", ("batch", 4), "NC"), 3), metric=Metric(PARITY_ONLY, "higher", None))
    other = SCORES + np.array([[0, 0, 0], [0, 0, 0], [0.2, 0, 0], [0, 0, 0]])
    assert agreement(promise, other, SCORES) == 0.75, "one best class is another"
    values = replace(promise, labels=())
    assert agreement(values, other, SCORES) == 0.75, "one row moved by more than a tenth of the spread"
    assert agreement(values, np.full((4, 3), 1.00001), np.ones((4, 3))) == 1.0, "a constant answer has no spread"
    with pytest.raises(GateError, match="parity_only measures nothing"):
        decisive(promise.metric)
