"""Golden inputs: stored questions and the trainer's answers, replayed wherever a model is loaded.

Three things are replayed, since each goes wrong by itself: raw pictures through preprocessing (a changed resize
filter), inputs through the file on this machine's runtime (an exchanged file, an old runtime), and the trainer's
outputs through postprocessing (permuted labels). Answers come from the training framework, never from the code
under test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np

from edge.contract import Contract, Tensor
from edge.errors import BundleError, ContractError, InputError, ParityError
from edge.steps import postprocessing, preprocessing
from edge.steps.judged import judged
from edge.storage import load_npz

Array = np.ndarray[Any, Any]
Run = Callable[[Mapping[str, Array]], Mapping[str, Array]]
MAX_SAMPLES = 1024


@dataclass(frozen=True)
class Golden:
    """Stored questions and answers.

    `raw[i]` becomes row i of the inputs by preprocessing; `inputs` and `outputs` hold (N, …) arrays by tensor name;
    `labels[i]` is the class that the trainer's answer i stands for.
    """

    raw: tuple[Array, ...]
    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]
    labels: tuple[str, ...]

    @property
    def count(self) -> int:
        """Number of stored samples."""
        return len(next(iter(self.inputs.values())))

    def only(self, sample: int) -> Golden:
        """Give one stored question with its answer."""
        one = slice(sample, sample + 1)
        return Golden(
            (), {name: a[one] for name, a in self.inputs.items()}, {name: a[one] for name, a in self.outputs.items()}, self.labels[one]
        )


def load(path: Path, contract: Contract) -> Golden:
    """Read `golden.npz` and hold it against the contract.

    Raises:
        BundleError: The file is damaged, or a tensor is missing or of another dtype or shape; the message names it.
    """
    try:
        arrays = load_npz(path)
    except InputError as error:
        raise BundleError(str(error)) from None
    graph = contract.main
    labels = arrays.get("label", np.array([], dtype=str))
    if labels.ndim != 1:
        raise BundleError(f"{path}: 'label' has shape {labels.shape}, expected one label for each sample")
    golden = Golden(
        raw=tuple(arrays[name] for name in sorted(arrays) if name.startswith("raw/")),
        inputs={t.name: _tensor(arrays, f"input/{t.name}", t, path) for t in graph.inputs},
        outputs={t.name: _tensor(arrays, f"output/{t.name}", t, path) for t in graph.outputs},
        labels=tuple(str(label) for label in labels),
    )
    counts = {len(array) for array in (*golden.inputs.values(), *golden.outputs.values())}
    if len(counts) != 1 or not 1 <= golden.count <= MAX_SAMPLES:
        raise BundleError(f"{path}: tensors hold {sorted(counts)} samples, expected one equal number from 1 to {MAX_SAMPLES}")
    if len(golden.raw) > golden.count or len(golden.labels) not in (0, golden.count):
        raise BundleError(f"{path}: {len(golden.raw)} raw samples and {len(golden.labels)} labels for {golden.count} inputs")
    return golden


def replay_steps(golden: Golden, contract: Contract, assets: Optional[Path] = None) -> None:
    """Replay preprocessing and postprocessing; no model is needed.

    Raises:
        ParityError: A prepared input differs from the stored one, or an answer has another label.
        ContractError: The steps do not end with an array.
    """
    prepare, interpret = preprocessing(contract, assets), postprocessing(contract, assets)
    name, stored = next(iter(golden.inputs.items()))
    for i, raw in enumerate(golden.raw):
        row = prepare(raw)
        if not isinstance(row, np.ndarray):
            raise ContractError(
                f"{contract.name}: the preprocess steps end with {type(row).__name__}, expected an array for input {name!r}"
            )
        if row.shape != stored[i].shape or row.dtype != stored.dtype or not np.array_equal(row, stored[i]):
            raise ParityError(
                f"{contract.name} {contract.version}: preprocessing gives another input {name!r} than in training for raw sample {i} "
                f"({_difference(row, stored[i])}); the contract's preprocess steps or their code changed, release the model again"
            )
    scores = judged(contract, golden.outputs)
    if not golden.labels:
        interpret(scores[0])  # answers without names, such as boxes: that the steps take the model's output can still be held
    for i, label in enumerate(golden.labels):
        result = interpret(scores[i])
        answer = result[0].label if isinstance(result, tuple) and result else label
        if answer != label:
            raise ParityError(
                f"{contract.name} {contract.version}: postprocessing calls golden sample {i} {answer!r}, the trainer called it {label!r}; "
                "the labels or the postprocess steps changed, release the model again"
            )


def replay_model(golden: Golden, run: Run, tolerance: float, where: str) -> dict[str, float]:
    """Replay the stored inputs through a loaded file.

    Args:
        golden: The stored samples.
        run: Takes and gives (N, …) arrays by tensor name.
        tolerance: Largest absolute difference that is accepted.
        where: Model, version, file and runtime, for the message.

    Returns:
        The largest absolute difference of each output.

    Raises:
        ParityError: An output differs by more, or is not finite; the message names tensor, difference and tolerance.
    """
    return replay_each(golden, run, tolerance, where)[0]


def replay_each(golden: Golden, run: Run, tolerance: float, where: str) -> tuple[dict[str, float], int]:
    """Do as `replay_model`, and tell the sample that differed most, too."""
    outputs = run(golden.inputs)
    drift: dict[str, float] = {}
    moved = 0
    for name, expected in golden.outputs.items():
        if name not in outputs:
            raise ParityError(f"{where}: no output {name!r}; it gives {', '.join(outputs) or 'nothing'}")
        got = outputs[name]
        if got.shape != expected.shape:
            raise ParityError(f"{where}: output {name!r} has shape {got.shape}, expected {expected.shape}")
        difference = np.abs(got.astype(np.float64) - expected.astype(np.float64)).reshape(len(expected), -1).max(axis=1)
        worst = int(np.argmax(np.where(np.isnan(difference), np.inf, difference)))
        moved = worst if float(difference[worst]) >= max(drift.values(), default=0.0) else moved
        drift[name] = float(difference[worst])
        if not drift[name] <= tolerance:
            raise ParityError(
                f"{where}: output {name!r} differs from the trainer's answer by {drift[name]:.4g} (golden sample {worst}), "
                f"tolerance {tolerance:.4g}; this file answers wrongly on this runtime, do not serve it"
            )
    return drift, moved


def _tensor(arrays: Mapping[str, Array], key: str, tensor: Tensor, path: Path) -> Array:
    if key not in arrays:
        raise BundleError(f"{path}: no array {key!r}; the contract names this tensor")
    array = arrays[key]
    if array.dtype != tensor.dtype or not tensor.takes_batch(array.shape):
        raise BundleError(f"{path}: {key!r} is {array.dtype} {array.shape}, expected {tensor.dtype} {tensor.shape}")
    return array


def _difference(row: Array, stored: Array) -> str:
    if row.shape != stored.shape or row.dtype != stored.dtype:
        return f"{row.dtype} {row.shape} instead of {stored.dtype} {stored.shape}"
    return f"{int(np.sum(row != stored))} of {row.size} values differ, by up to {np.abs(row.astype(float) - stored.astype(float)).max():g}"
