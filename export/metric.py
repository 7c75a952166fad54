"""The contract's metric of a file's answers, and how much of it is lost against the trainer's."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge import measures
from edge.contract import PARITY_ONLY, Contract, Metric
from edge.detection import LEVELS
from edge.errors import ContractError, GateError
from edge.measures import AnyMeasure

Array = np.ndarray[Any, Any]


def decisive(metric: Metric, contract: Contract | None = None) -> AnyMeasure:
    """Return the measure that the contract's metric names; metrics of boxes need the contract to decode them.

    Raises:
        GateError: No metric is called so, or the contract wants it the other way round.
    """
    if metric.name == PARITY_ONLY:
        raise GateError(f"metric: {PARITY_ONLY} measures nothing; name a metric and hand over an eval.npz with 'target'")
    try:
        found = measures.measure(metric.name, contract)
    except ContractError as error:
        raise GateError(str(error)) from None
    if found.direction != metric.direction:
        raise GateError(f"metric: of {metric.name} {found.direction} is better, the contract says {metric.direction}; correct the contract")
    return found


def misfit(contract: Contract, target: Array) -> str:
    """Say what is wrong with the targets of a metric, (N, …), of which numpy would measure something else without a word.

    It stretches (N,) over outputs (N, 1) to (N, N), and finds the best of a single score in every answer alike.

    Returns:
        What came and what is expected; empty where they fit, or where the metric is none (`decisive` says so).
    """
    metric, shape = contract.metric.name, contract.main.outputs[0].shape
    measure = measures.MEASURES.get(metric)
    if measure is not None and measure.classes and (len(shape) < 2 or shape[-1] == 1):
        return f"{metric} takes the best of several scores, but the output is {list(shape)}; give the model a score for each class"
    if metric in LEVELS:
        expected: tuple[int | str, ...] = ("batch", "boxes", 5)
    elif measure is None or measure.among:
        return ""
    else:
        expected = shape[:-1] if measure.classes else shape
    fits = len(target.shape) == len(expected) and all(a == b or isinstance(a, str) for a, b in zip(expected, target.shape, strict=True))
    if fits and target.dtype.kind in "biuf":
        return ""
    return f"'target' is {target.dtype} {list(target.shape)}, but {metric} of outputs {list(shape)} needs numbers {list(expected)}"


def agreement(contract: Contract, scores: Array, reference: Array) -> float:
    """Give the share of samples that are answered alike, of (N, …) answers.

    Without a metric it goes by what the first output is: scores of the labels are alike where the best one is the same, and
    everything else where the values are, within a tenth of their spread or within what a float file may differ by.

    Raises:
        GateError: The contract's metric is none.
    """
    if not contract.parity_only:
        return float(np.mean(decisive(contract.metric, contract).agree(scores, reference)))
    ranks = len(contract.labels) > 1 and contract.main.outputs[0].shape[-1] == len(contract.labels)
    alike = measures.measure("accuracy" if ranks else "rmse").agree(scores, reference)
    if not ranks:
        moved = np.abs(scores.astype(np.float64) - reference.astype(np.float64)).reshape(len(scores), -1).max(axis=1)
        alike = alike | (moved <= min(contract.tolerance.onnx, contract.tolerance.tflite))
    return float(np.mean(alike))


def agreement_name(contract: Contract) -> str:
    """Say what it is that agrees: the best class, boxes, or answers of any other kind."""
    if contract.metric.name in LEVELS:
        return "agreement of boxes"
    found = measures.MEASURES.get(contract.metric.name)
    return "top-1 agreement" if found and found.classes else "agreement"


def confusion(scores: Array, target: Array, classes: int) -> Array:
    """Count (true class, answered class) pairs: (classes, classes) int64."""
    counts = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(counts, (target, scores.argmax(axis=1)), 1)
    return counts
