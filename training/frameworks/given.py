"""Files that others trained, TFLite or ONNX: nothing is learned; they are run as they are, judged, and handed over unchanged.

A recipe of this framework builds a `Given`. Its answers, the golden ones too, come from the file's own operators, without the
delegate that a runtime would otherwise use. Its tensors are the contract's by name where the names agree, else by their order.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from edge.contract import Contract
from edge.runtimes import published
from edge.steps.judged import judged
from training.course import Epoch
from training.evaluate import predict
from training.frameworks.plain_state import decode as decode
from training.frameworks.plain_state import encode as encode
from training.objective import CLASSES, Objective
from training.progress import Bar
from training.recipe import Array, FitSettings, Split, Splits

PACKAGES = ("ai-edge-litert", "onnxruntime-gpu", "numpy")
SUFFIX = "npz"  # of what is never written
RESUMES = False
PARALLEL = False
_FEW = 256  # training samples that are measured, so that a large set costs no more than a small one


@dataclass(frozen=True)
class Given:
    """A published file.

    Attributes:
        content: Its bytes.
        kind: What it is.
        contract: What it takes and gives.
    """

    content: bytes = field(repr=False)
    kind: Literal["tflite", "onnx"]
    contract: Contract = field(repr=False)


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Seed Python and numpy, which a recipe's own figures may draw from; a file has nothing that is random."""
    random.seed(seed)
    np.random.seed(seed)
    yield


class Loop:
    """A file while nothing is learned: one epoch, in which it is measured."""

    device = "CPU"

    def __init__(self, model: Given, splits: Splits, settings: FitSettings, objective: Objective) -> None:
        """Take a file."""
        self.settings = replace(settings, epochs=1, patience=None)
        self.samples = len(splits.validation)
        self._run, self._splits, self._objective = runner(model), splits, objective

    def run_epoch(self, number: int, shown: Bar) -> Epoch:
        """Measure on the validation split, and on some training samples."""
        started = time.perf_counter()
        shown.begin("as it was published")
        some = self._splits.train.take(np.arange(min(_FEW, len(self._splits.train))))
        figures = [self._objective.judge(predict(self._run, split), split.targets) for split in (some, self._splits.validation)]
        shown.advance(self.samples)
        (train_loss, train_metric), (loss, metric) = figures
        return Epoch(number, train_loss, train_metric, loss, metric, time.perf_counter() - started)

    def weights(self) -> dict[str, Any]:
        """Return nothing: there is only one state."""
        return {}

    def set_weights(self, weights: Mapping[str, Any]) -> None:
        """Keep the only state that there is."""

    def state(self) -> dict[str, Any]:
        """Return nothing: there is nothing to take up again."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Do nothing: there is nothing to take up again."""

    def finish(self) -> None:
        """Leave the file as it is."""


def loop(model: Given, splits: Splits, settings: FitSettings, objective: Objective = CLASSES) -> Loop:
    """Prepare a file to be measured."""
    return Loop(model, splits, settings, objective)


class Runner:
    """Answers with a file, one sample after another."""

    def __init__(self, model: Given) -> None:
        """Load the file.

        Raises:
            RuntimeMissingError: Its runtime is not installed.
            InputError: The runtime does not take it.
            ContractError: It has another number of inputs or outputs than the contract.
        """
        self._contract = model.contract
        self._answer = published.load(model.content, model.kind, model.contract.main, model.contract.name)

    def __call__(self, inputs: Mapping[str, Array]) -> Array:
        """Answer (B, …) arrays by input name with what is judged, (B, …): the first output, or all side by side for one step."""
        names = [tensor.name for tensor in self._contract.main.outputs]
        return judged(self._contract, dict(zip(names, self.every(inputs), strict=True)))

    def every(self, inputs: Mapping[str, Array]) -> tuple[Array, ...]:
        """Answer (B, …) arrays by input name with all outputs, (B, …) each, in the contract's order."""
        arrays = [inputs[tensor.name] for tensor in self._contract.main.inputs]
        rows = [self._answer([array[i : i + 1] for array in arrays]) for i in range(len(arrays[0]))]
        return tuple(np.concatenate(parts) for parts in zip(*rows, strict=True))


def runner(model: Given) -> Runner:
    """Return a function from arrays (B, …) by input name to what is judged, (B, …)."""
    return Runner(model)


def mean_loss(loss: Callable[[Any, Any], Any], outputs: Array, targets: Array) -> float:
    """Return the mean of a recipe's own loss, which takes arrays here, over outputs (N, …) and targets (N, …)."""
    return float(loss(outputs, targets))


def program(model: Given) -> str:
    """Return the name of the file that is handed to export."""
    return f"given.{model.kind}"


def save(path: Path, model: Given, _example: Split) -> None:
    """Write the file as it was published."""
    path.write_bytes(model.content)


def parameters(model: Given) -> int:
    """Count the numbers that the file holds as constants of real or quantized numbers."""
    return published.constants(model.content) if model.kind == "tflite" else _onnx_constants(model.content)


def _onnx_constants(content: bytes) -> int:
    import onnx

    kinds = {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.INT8, onnx.TensorProto.UINT8}
    graph = onnx.load_from_string(content).graph
    return sum(int(np.prod(tensor.dims)) for tensor in graph.initializer if tensor.data_type in kinds)
