"""Quantize a float TFLite file with ai-edge-quantizer, calibrated on samples of their own.

Two traps are stepped around. The library's calibration keeps a moving average of the ranges, so rare large values are
cut off: here each sample is calibrated alone and the ranges are merged by minimum and maximum. Input and output are
left out of quantization, so that the file takes raw pixels and gives float32 on every runtime.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edge import contract
from edge.errors import ConversionError
from edge.storage import load_npz
from export.to_tflite import inspect

RECIPES = ("static_wi8_ai8", "static_wi8_ai16", "dynamic_wi8_afp32", "weight_only_wi8_afp32")
SIGNATURE = "serving_default"


def run(model: str, contract_file: str, recipe: str, samples: str, output: str) -> dict[str, Any]:
    """Quantize one file by one recipe.

    Args:
        model: The float `.tflite` file.
        contract_file: The contract of the model.
        recipe: A name in `RECIPES`.
        samples: `.npz` with `input/<tensor>` (M, …) for calibration.
        output: The `.tflite` file to write.

    Returns:
        `inputs` and `outputs` (name, dtype, layout), `operators`.

    Raises:
        ConversionError: No such recipe.
    """
    from ai_edge_quantizer import qtyping, quantizer, recipe_manager
    from ai_edge_quantizer import recipe as recipes

    if recipe not in RECIPES:
        raise ConversionError(f"no quantization recipe is called {recipe!r}; there are {', '.join(RECIPES)}")
    promise = contract.load(Path(contract_file))
    manager = recipe_manager.RecipeManager()
    manager.load_quantization_recipe(getattr(recipes, recipe)())
    for side in (qtyping.TFLOperationName.INPUT, qtyping.TFLOperationName.OUTPUT):
        manager.add_quantization_config(regex=".*", operation_name=side, algorithm_key="no_quantize")
    work = quantizer.Quantizer(model, manager.get_quantization_recipe())
    ranges: dict[str, Any] | None = None
    if work.need_calibration:
        arrays = load_npz(Path(samples))
        ranges = calibrate(work, {f"args_{i}": arrays[f"input/{t.name}"] for i, t in enumerate(promise.main.inputs)})
    result = work.quantize(ranges, enable_progress_report=False)
    Path(output).write_bytes(bytes(result.quantized_model))
    return inspect(output, promise.main)


def calibrate(work: Any, inputs: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, Any]:
    """Run samples one by one and merge the ranges of every tensor.

    Args:
        work: The quantizer.
        inputs: (M, …) arrays by the signature's input names.

    Returns:
        For each tensor `min`, `max` over all samples, and what else the library keeps of it.
    """
    merged: dict[str, Any] = {}
    for i in range(len(next(iter(inputs.values())))):
        sample = {name: array[i : i + 1] for name, array in inputs.items()}
        for tensor, found in work.calibrate({SIGNATURE: [sample]}, num_threads=1).items():
            known = merged.setdefault(tensor, dict(found))
            for key, best in (("min", np.minimum), ("max", np.maximum)):
                if key in found:
                    known[key] = best(known[key], found[key])
    return merged
