"""Figures against tables worked out by hand."""

import numpy as np
import pytest

from training.evaluate import confusion_matrix, cross_entropy, evaluate, per_class, predict
from training.recipe import Split

# cat: 3 right of 4; dog: 1 right of 2, one called bird; bird: never right.
TARGETS = np.array([0, 0, 0, 0, 1, 1, 2], np.int64)
ANSWERS = np.array([0, 0, 0, 1, 1, 2, 0], np.int64)
MATRIX = np.array([[3, 1, 0], [0, 1, 1], [1, 0, 0]])
LABELS = ("cat", "dog", "bird")


def test_the_confusion_matrix_counts_truth_by_row_and_answer_by_column() -> None:
    assert np.array_equal(confusion_matrix(TARGETS, ANSWERS, 3), MATRIX)


@pytest.mark.parametrize(
    ("row", "label", "precision", "recall", "f1", "count"),
    [
        pytest.param(0, "cat", 3 / 4, 3 / 4, 3 / 4, 4, id="as many too many as too few"),
        pytest.param(1, "dog", 1 / 2, 1 / 2, 1 / 2, 2, id="half right"),
        pytest.param(2, "bird", 0.0, 0.0, 0.0, 1, id="never right"),
    ],
)
def test_each_class_has_its_own_figures(row: int, label: str, precision: float, recall: float, f1: float, count: int) -> None:
    figures = per_class(MATRIX, LABELS)[row]
    assert (figures.label, figures.count) == (label, count)
    assert (figures.precision, figures.recall, figures.f1) == pytest.approx((precision, recall, f1))


def test_precision_and_recall_are_not_exchanged() -> None:
    figures = per_class(np.array([[8, 2], [1, 4]]), ("a", "b"))
    assert figures[0].precision == pytest.approx(8 / 9)
    assert figures[0].recall == pytest.approx(8 / 10)
    assert figures[0].f1 == pytest.approx(16 / 19)


def test_a_class_without_samples_or_answers_is_zero_not_an_error() -> None:
    assert per_class(np.array([[2, 0], [0, 0]]), ("a", "b"))[1].f1 == 0.0


def test_evaluate_joins_them() -> None:
    logits = np.eye(3, dtype=np.float32)[ANSWERS]
    figures = evaluate(logits, TARGETS, LABELS)
    assert (figures.accuracy, figures.count) == (pytest.approx(4 / 7), 7)
    assert np.array_equal(figures.confusion, MATRIX)
    right, wrong = -np.log(np.e / (np.e + 2)), -np.log(1 / (np.e + 2))
    assert figures.loss == pytest.approx((4 * right + 3 * wrong) / 7)


def test_cross_entropy_bears_large_scores() -> None:
    assert cross_entropy(np.array([[1000.0, 0.0]], np.float32), np.array([1])) == pytest.approx(1000.0)


@pytest.mark.parametrize("batch", [1, 3, 7, 100])
def test_predictions_do_not_depend_on_the_batch(batch: int) -> None:
    split = Split({"x": np.arange(14, dtype=np.float32).reshape(7, 2)}, np.zeros(7, np.int64))
    sizes = []

    def run(inputs: dict[str, np.ndarray]) -> np.ndarray:
        sizes.append(len(inputs["x"]))
        return inputs["x"] * 2

    assert np.array_equal(predict(run, split, batch), split.inputs["x"] * 2)
    assert max(sizes) <= batch
    assert sum(sizes) == 7
