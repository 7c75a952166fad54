"""The trainer's own answers on the whole test split: what every released file is held against."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from edge import contract
from edge.errors import ConversionError
from edge.storage import load_npz, save_npz

BATCH = 256


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
    module = torch.export.load(program).module()
    arrays = load_npz(Path(inputs))
    feeds = [torch.from_numpy(arrays[f"input/{tensor.name}"]) for tensor in promise.main.inputs]
    parts: list[list[Any]] = []
    begun = time.perf_counter()
    with torch.no_grad():
        for start in range(0, len(feeds[0]), BATCH):
            answer = module(*(feed[start : start + BATCH] for feed in feeds))
            parts.append([t.numpy() for t in (answer if isinstance(answer, (tuple, list)) else (answer,))])
    seconds = (time.perf_counter() - begun) / len(feeds[0])
    if len(parts[0]) != len(promise.main.outputs):
        raise ConversionError(f"{promise.name}: the program gives {len(parts[0])} outputs, the contract names {len(promise.main.outputs)}")
    joined = {t.name: np.concatenate([part[i] for part in parts]) for i, t in enumerate(promise.main.outputs)}
    for tensor in promise.main.outputs:
        array = joined[tensor.name]
        if array.dtype != tensor.dtype or tuple(array.shape[1:]) != tuple(n for n in tensor.row_shape if isinstance(n, int)):
            raise ConversionError(
                f"{promise.name}: output {tensor.name!r} is {array.dtype} {array.shape[1:]}, expected {tensor.dtype} {tensor.row_shape}"
            )
    save_npz(Path(outputs), {f"output/{name}": array for name, array in joined.items()})
    return {"seconds_per_sample": seconds, "version": torch.__version__}
