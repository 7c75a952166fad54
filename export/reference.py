"""The trainer's own answers on the whole test split: what every released file is held against."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from edge import contract
from edge.contract import Contract
from edge.errors import ConversionError
from edge.storage import load_npz, save_npz
from export.pt2_call import caller
from export.pt2_program import open_pt2

BATCH = 256
Array: TypeAlias = np.ndarray[Any, Any]
# Takes (B, …) arrays in the order of the contract's inputs, gives (B, …) arrays in the order of its outputs.
Call: TypeAlias = Callable[[Sequence[Array]], Sequence[Array]]


def run(program: str, contract_file: str, inputs: str, outputs: str) -> dict[str, Any]:
    """Run `program.pt2` with torch on the CPU.

    Args:
        program: The exported program.
        contract_file: Its contract.
        inputs: `.npz` with `input/<tensor>` (N, …).
        outputs: `.npz` to write, with `output/<tensor>` (N, …) float32.

    Raises:
        ConversionError: The program gives other outputs than the contract says.
    """
    import torch

    promise = contract.load(Path(contract_file))
    answered = caller(open_pt2(program))

    def call(feeds: Sequence[Array]) -> list[Array]:
        return [tensor.numpy() for tensor in answered(*(torch.from_numpy(feed) for feed in feeds))]

    with torch.no_grad():
        return answer_all(promise, call, inputs, outputs, torch.__version__)


def answer_all(promise: Contract, call: Call, inputs: str, outputs: str, version: str) -> dict[str, Any]:
    """Let a program answer every sample in batches, and hold its answers against the contract.

    Args:
        promise: The contract.
        call: The program.
        inputs: `.npz` with `input/<tensor>` (N, …).
        outputs: `.npz` to write, with `output/<tensor>` (N, …).
        version: That of the library which runs the program.

    Returns:
        `seconds_per_sample` and `version`.

    Raises:
        ConversionError: The program gives other outputs than the contract says.
    """
    arrays = load_npz(Path(inputs))
    feeds = [arrays[f"input/{tensor.name}"] for tensor in promise.main.inputs]
    begun = time.perf_counter()
    parts = [call([feed[start : start + BATCH] for feed in feeds]) for start in range(0, len(feeds[0]), BATCH)]
    seconds = (time.perf_counter() - begun) / len(feeds[0])
    if len(parts[0]) != len(promise.main.outputs):
        raise ConversionError(f"{promise.name}: the program gives {len(parts[0])} outputs, the contract names {len(promise.main.outputs)}")
    joined = {t.name: np.concatenate([part[i] for part in parts]) for i, t in enumerate(promise.main.outputs)}
    for tensor in promise.main.outputs:
        array = joined[tensor.name]
        if array.dtype != tensor.dtype or not tensor.takes_batch(array.shape):
            raise ConversionError(
                f"{promise.name}: output {tensor.name!r} is {array.dtype} {array.shape[1:]}, expected {tensor.dtype} {tensor.row_shape}"
            )
    save_npz(Path(outputs), {f"output/{name}": array for name, array in joined.items()})
    return {"seconds_per_sample": seconds, "version": version}
