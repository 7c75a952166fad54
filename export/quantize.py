"""Quantize a float TFLite file with ai-edge-quantizer, calibrated on samples of their own.

Two traps are stepped around. The library's calibration keeps a moving average of the ranges, so rare large values are
cut off: here each sample is calibrated alone and the ranges are merged by minimum and maximum. Input and output are
left out of quantization, so that the file takes raw pixels and gives float32 on every runtime.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge import contract
from edge.errors import ConversionError
from edge.storage import load_npz
from export import recipes
from export.recipes import ANY, Override, Recipe
from export.to_tflite import inspect

SIGNATURE = "serving_default"
LIBRARY_NAMES = {"TRANSPOSE_CONV": "CONV_2D_TRANSPOSE"}


def run(
    model: str, contract_file: str, recipe: str, samples: str, output: str, overrides: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Quantize one file by one recipe.

    Args:
        model: The float `.tflite` file.
        contract_file: The contract of the model.
        recipe: The name of a TFLite recipe that ai-edge-quantizer makes.
        samples: `.npz` with `input/<tensor>` (M, …) for calibration.
        output: The `.tflite` file to write.
        overrides: What to do otherwise than the recipe, as `Override.to_json` gives it; the last that fits an operator wins.

    Returns:
        `inputs` and `outputs` (name, dtype, layout), `operators`, and what else `inspect` finds.

    Raises:
        ConversionError: No such recipe, an override that cannot be, or nothing left to quantize.
    """
    from ai_edge_quantizer import quantizer

    chosen = recipes.get("tflite", recipe)
    if chosen.tool != "ai-edge-quantizer":
        raise ConversionError(f"{recipe} is made by the {chosen.tool}; quantization takes another recipe")
    extra = tuple(Override.from_json(item) for item in overrides)
    promise = contract.load(Path(contract_file))
    work = quantizer.Quantizer(model, manager(chosen, extra).get_quantization_recipe())
    ranges: dict[str, Any] | None = None
    if work.need_calibration:
        arrays = load_npz(Path(samples))
        ranges = calibrate(work, {f"args_{i}": arrays[f"input/{t.name}"] for i, t in enumerate(promise.main.inputs)})
        if not ranges:
            raise ConversionError(f"{recipe}: no operator of the model is left to be quantized; the float file is what remains")
    result = work.quantize(ranges, enable_progress_report=False)
    Path(output).write_bytes(bytes(result.quantized_model))
    return inspect(output, promise.main)


def manager(recipe: Recipe, overrides: Sequence[Override] = ()) -> Any:
    """Translate a recipe into the library's own, its overrides first and further ones after them.

    Returns:
        A `RecipeManager`. Input and output come last, so that nothing quantizes them.

    Raises:
        ConversionError: An override names an operator that TFLite does not have, or would give a wrong file.
    """
    from ai_edge_quantizer import algorithm_manager, qtyping, recipe_manager
    from ai_edge_quantizer import recipe as library

    made = recipe_manager.RecipeManager()
    if recipe.weights == "float16":
        made.add_weight_only_config(
            ".*", qtyping.TFLOperationName.ALL_SUPPORTED, num_bits=16, algorithm_key=algorithm_manager.AlgorithmName.FLOAT_CASTING
        )
    else:
        made.load_quantization_recipe(getattr(library, recipe.base or recipe.name)())
    for i, override in enumerate((*recipe.overrides, *overrides)):
        _override(made, recipe, override, f"(?:{override.scope})(?#{i})")
    for side in (qtyping.TFLOperationName.INPUT, qtyping.TFLOperationName.OUTPUT):
        made.add_quantization_config(regex="(?:.*)", operation_name=side, algorithm_key="no_quantize")
    return made


def _override(made: Any, recipe: Recipe, override: Override, scope: str) -> None:
    """Add one override; `scope` differs from every other, since the library merges equal ones and forgets their order."""
    from ai_edge_quantizer import qtyping

    name = LIBRARY_NAMES.get(override.operator, override.operator)
    if name not in {item.value for item in qtyping.TFLOperationName}:
        if override.treatment == "float":
            return  # the library never quantizes what it does not know
        raise ConversionError(f"{override.operator} cannot be quantized; leave it in float32")
    operator = qtyping.TFLOperationName(name)
    bits = {"int8": 8, "int16": 16}.get(recipe.activations.split(",")[0], 0)
    if override.treatment == "float":
        made.add_quantization_config(regex=scope, operation_name=operator, algorithm_key="no_quantize")
    elif override.treatment == "int16":
        made.add_static_config(scope, operator, activation_num_bits=16, weight_num_bits=8)
    elif recipe.calibrated:
        made.add_static_config(scope, operator, bits, 8, qtyping.QuantGranularity.TENSORWISE)
    elif bits and override.operator in (ANY, "DEPTHWISE_CONV_2D"):
        raise ConversionError(
            f"{recipe.name}: per-tensor weights of DEPTHWISE_CONV_2D give wrong answers with dynamic ranges; leave it in float32"
        )
    elif bits:
        made.add_dynamic_config(scope, operator, 8, qtyping.QuantGranularity.TENSORWISE)
    else:
        made.add_weight_only_config(scope, operator, 8, qtyping.QuantGranularity.TENSORWISE)


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
