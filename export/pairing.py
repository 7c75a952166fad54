"""From which confidence on a device's answer is believed, so that it and a server's larger model are right as often as the server alone.

Both models answer the same samples as they are released. One half of the samples, drawn by a fixed seed, chooses the threshold: the
least traffic at which the pair is right as often as the server's model. The other half, which had no part in the choice, says what
came of it. Neither model was trained on any of them.

Source: confidence by softmax with a temperature fitted on validation data (C. Guo et al., "On calibration of modern neural
networks", 2017); deferring what a model is unsure of (C. Chow, "On optimum recognition error and reject tradeoff", 1970).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge import measures
from edge.errors import GateError, InputError, UsageError
from edge.model import Model
from edge.pair import ALWAYS, SCHEMA, Figures, Pair, Point, confidence_of, half

Array = np.ndarray[Any, Any]
LEAST_SAMPLES = 50
POINTS, BINS, PIECE = 100, 15, 64


@dataclass(frozen=True)
class Answers:
    """What a model said to N samples: `classes` (N,) int64, and `confidence` (N,) float64, the score of each."""

    classes: Array
    confidence: Array

    def __getitem__(self, rows: Array) -> Answers:
        """Give the answers to some of the samples."""
        return Answers(self.classes[rows], self.confidence[rows])


@dataclass(frozen=True)
class Samples:
    """The same samples as each model takes them, (N, …) arrays by tensor name; their classes, (N,) int64; and where they are from."""

    device: Mapping[str, Array]
    server: Mapping[str, Array]
    target: Array
    origin: str


def measure(device: Model, server: Model, samples: Samples, allowed_loss: float = 0.0) -> Pair:
    """Choose the threshold of a pair and measure what comes of it.

    Args:
        device: The small model, opened as a device does.
        server: The large one, opened as a server does.
        samples: With their right classes.
        allowed_loss: How much less often than the server's model the pair may be right, for less traffic.

    Raises:
        UsageError: A model gives no confidence, they have other labels, or there are too few samples.
        GateError: On the half that had no part in the choice, the pair is less often right than it may be.
    """
    check(device, server)
    count = len(samples.target)
    if count < LEAST_SAMPLES:
        raise UsageError(f"{samples.origin}: {count} samples, expected {LEAST_SAMPLES} or more to choose a threshold and to check it")
    small, large = answer(device, samples.device), answer(server, samples.server)
    order = np.random.default_rng(0).permutation(count)
    chosen, checked = np.sort(order[: count // 2]), np.sort(order[count // 2 :])
    threshold = choose(small[chosen], large[chosen], samples.target[chosen], allowed_loss)
    pair = Pair(
        schema=SCHEMA,
        device=half(device.bundle, device.variant, device.runtime.name),
        server=half(server.bundle, server.variant, server.runtime.name),
        threshold=threshold,
        temperature=device.contract.confidence.temperature,
        calibration_error=calibration_error(small, samples.target),
        samples=samples.origin,
        chosen=figures(small[chosen], large[chosen], samples.target[chosen], threshold),
        checked=figures(small[checked], large[checked], samples.target[checked], threshold),
        curve=curve(small[checked], large[checked], samples.target[checked]),
    )
    _hold(pair, allowed_loss)
    return pair


def check(device: Model, server: Model) -> None:
    """Refuse two models that cannot be paired, whatever the samples.

    Raises:
        UsageError: A model gives no confidence, or they have other labels.
    """
    for model in (device, server):
        problem = confidence_of(model.contract)
        if problem is not None:
            raise UsageError(problem)
    if device.contract.labels != server.contract.labels:
        names = f"{device.contract.name} and {server.contract.name}"
        raise UsageError(f"{names} have other labels; only models of the same labels can be paired")


def answer(model: Model, inputs: Mapping[str, Array]) -> Answers:
    """Have (N, …) arrays answered as a caller would, by the released file and the contract's steps.

    Raises:
        InputError: A score is not finite.
    """
    count = len(next(iter(inputs.values())))
    found = []
    for start in range(0, count, PIECE):
        outputs = model.run({name: array[start : start + PIECE] for name, array in inputs.items()})
        found += [prediction.ranking[0] for prediction in model.interpret(outputs)]
    confidence = np.array([best.score for best in found])
    if not np.isfinite(confidence).all():
        raise InputError(f"{model.contract.name}: a score is not finite; mend the samples, or export the model again")
    return Answers(np.array([best.index for best in found]), confidence)


def choose(small: Answers, large: Answers, target: Array, allowed_loss: float = 0.0) -> float:
    """Give the lowest confidence to be believed: the least traffic at which the pair is right as often as the server's model.

    What may be lost counts as right.
    """
    order = np.argsort(small.confidence, kind="stable")
    sure = small.confidence[order]
    by_device, by_server = (small.classes == target)[order], (large.classes == target)[order]
    # When the k least sure are sent: their right answers are the server's, the others' the device's.
    right = np.concatenate([[0], by_server.cumsum()]) + np.concatenate([by_device[::-1].cumsum()[::-1], [0]])
    possible = np.concatenate([[True], sure[1:] > sure[:-1], [True]])  # equal confidences are sent together
    least = int(np.flatnonzero(possible & (right >= by_server.sum() - allowed_loss * len(order)))[0])
    if least == 0:
        return 0.0
    return ALWAYS if least == len(order) else float(sure[least])


def figures(small: Answers, large: Answers, target: Array, threshold: float) -> Figures:
    """Measure a pair at a threshold."""
    sent = small.confidence < threshold
    together = np.where(sent, large.classes, small.classes)
    labels = 1 + int(max(array.max() for array in (target, small.classes, large.classes)))
    scores = [np.eye(labels)[classes] for classes in (together, large.classes)]
    loss, low, high = measures.measure("accuracy").loss(scores[0], scores[1], target)
    device, server, both = (float(np.mean(classes == target)) for classes in (small.classes, large.classes, together))
    return Figures(len(target), device, server, both, float(sent.mean()), loss, (low, high))


def curve(small: Answers, large: Answers, target: Array) -> tuple[Point, ...]:
    """Give the pair's accuracy over its traffic, closer together where little is sent; from nothing to everything."""
    sure = np.sort(small.confidence)
    places = np.unique(np.rint(len(sure) * (np.arange(POINTS + 1) / POINTS) ** 2).astype(int))
    thresholds = np.unique([0.0, *sure[places[places < len(sure)]], ALWAYS])
    points = []
    for threshold in thresholds.tolist():
        sent = small.confidence < threshold
        right = np.where(sent, large.classes, small.classes) == target
        points.append(Point(threshold, float(sent.mean()), float(right.mean())))
    return tuple({point.traffic: point for point in points}.values())


def calibration_error(answers: Answers, target: Array) -> float:
    """Give the expected calibration error: how far confidence is from the share of right answers, over bins of equal width."""
    bins = np.minimum((answers.confidence * BINS).astype(int), BINS - 1)
    right = (answers.classes == target).astype(float)
    gaps = [abs((answers.confidence[bins == place] - right[bins == place]).sum()) for place in range(BINS)]
    return float(sum(gaps) / len(target))


def _hold(pair: Pair, allowed: float) -> None:
    """Refuse a pair that is certainly worse than it may be: its loss beyond what is allowed is more than chance explains."""
    low = pair.checked.loss_interval[0]
    if low > allowed:
        raise GateError(
            f"{pair.device.name} with {pair.server.name}: right on {pair.checked.pair:.4f} of {pair.checked.samples} samples that had no "
            f"part in the choice, the server alone on {pair.checked.server:.4f}; the loss is at least {low:.4f}, allowed is {allowed:g}; "
            "take more samples, or allow more with --allow-loss"
        )
