"""What training hands over: a directory with a program, a contract and samples. Nothing of training's code is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge import contract, golden
from edge.bundle import versions
from edge.contract import Contract, Tensor
from edge.errors import BundleError, InputError
from edge.golden import Golden
from edge.storage import load_npz, verify
from export import programs
from export.metric import misfit

Array = np.ndarray[Any, Any]
UNLISTED = frozenset({"training.json", "curves.png", "confusion.png", "reliability.png", "values.png", "run.html", "given.json"})


@dataclass(frozen=True)
class Handover:
    """A verified hand-over.

    `calibration` holds (M, …) inputs that no figure is measured on; `evaluation` the whole (N, …) test split and
    `target` its (N,) int64 classes, or None where the contract is for parity only; arrays go by tensor name.
    """

    folder: Path
    contract: Contract
    program: Path
    calibration: Mapping[str, Array]
    evaluation: Mapping[str, Array]
    target: Array | None
    golden: Golden


def open_handover(folder: Path) -> Handover:
    """Verify and read a hand-over.

    Args:
        folder: `runs/<name>/<version>`, or the folder above it (then the newest version is taken).

    Raises:
        BundleError: It is incomplete or altered, or its samples do not fit its contract; the message names the file.
    """
    if not (folder / "contract.json").exists():
        below = versions(folder)
        if not below:
            raise BundleError(f"{folder}: no trained model here (no contract.json); train it first: tandem train {folder.name}")
        folder = below[-1]
    sums = verify(folder, UNLISTED)
    promise = contract.load(folder / "contract.json")
    program = programs.find(sums, str(folder))
    _check_assets(promise, sums, folder)
    calibration, evaluation = _samples(folder / "calibration.npz"), _samples(folder / "eval.npz")
    samples = golden.load(folder / "golden.npz", promise)
    golden.replay_steps(samples, promise, folder / "assets")
    inputs = _inputs(evaluation, promise, folder / "eval.npz")
    return Handover(
        folder=folder,
        contract=promise,
        program=folder / program,
        calibration=_inputs(calibration, promise, folder / "calibration.npz"),
        evaluation=inputs,
        target=_target(evaluation, promise, folder / "eval.npz"),
        golden=samples,
    )


def _check_assets(promise: Contract, listed: Mapping[str, str], folder: Path) -> None:
    """Refuse a hand-over without a file that its contract names, whether or not a step reads it."""
    missing = next((path for path in promise.assets.values() if f"assets/{path}" not in listed), None)
    if missing is not None:
        raise BundleError(f"{folder / 'assets' / missing}: missing, but the contract names it as an asset; train again")


def _target(arrays: Mapping[str, Array], promise: Contract, path: Path) -> Array | None:
    """Give what is right, or None where the contract is for parity only."""
    target, count = arrays.get("target"), len(arrays[f"input/{promise.main.inputs[0].name}"])
    if promise.parity_only:
        if target is not None or promise.metric.floor is not None:
            raise BundleError(f"{path}: the metric is parity_only, expected neither a floor nor 'target'; name one that can be measured")
        return None
    if target is None or target.ndim == 0 or len(target) != count:
        raise BundleError(f"{path}: no 'target' with one class or value per sample; the gate measures the metric on it")
    problem = misfit(promise, target)
    if problem:
        raise BundleError(f"{path}: {problem}")
    _check_classes(target, promise, path)
    return target


def _check_classes(target: Array, promise: Contract, path: Path) -> None:
    """Refuse classes that the contract has no label for."""
    count = len(promise.labels)
    if count and target.dtype.kind in "iu" and target.ndim == 1 and (target.min() < 0 or target.max() >= count):
        raise BundleError(f"{path}: 'target' has classes {target.min()} to {target.max()}, the contract has labels for 0 to {count - 1}")


def _samples(path: Path) -> dict[str, Array]:
    if not path.exists():
        held = "the test split, which the gate measures" if path.name == "eval.npz" else "the samples that quantization is calibrated on"
        raise BundleError(f"{path}: missing; it holds {held}: train again, or write it and sign the hand-over anew")
    try:
        return load_npz(path)
    except InputError as error:
        raise BundleError(str(error)) from None


def _inputs(arrays: Mapping[str, Array], promise: Contract, path: Path) -> dict[str, Array]:
    """Hold a set of samples against the contract's inputs, which hold equally many."""
    found = {tensor.name: _input(arrays, tensor, path) for tensor in promise.main.inputs}
    counts = {name: len(array) for name, array in found.items()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{count} of {name!r}" for name, count in counts.items())
        raise BundleError(f"{path}: {told}, expected as many samples of each input")
    return found


def _input(arrays: Mapping[str, Array], tensor: Tensor, path: Path) -> Array:
    """Hold a set of samples against the contract's tensor."""
    array = arrays.get(f"input/{tensor.name}")
    if array is None or array.ndim == 0 or len(array) == 0:
        raise BundleError(f"{path}: no samples for input {tensor.name!r}; expected 'input/{tensor.name}' {tensor.dtype} {tensor.shape}")
    if array.dtype != tensor.dtype or not tensor.takes_batch(array.shape):
        raise BundleError(f"{path}: input {tensor.name!r} is {array.dtype} {array.shape}, expected {tensor.dtype} {tensor.shape}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise BundleError(f"{path}: input {tensor.name!r} has values that are not finite (NaN or infinity); mend the samples")
    return array
