"""Make a smaller ONNX file from the float one: float16 for GPUs, or int8 with ranges measured on samples.

Both keep the contract's tensors as they are: pixels stay uint8, ids int32, and answers float32. The cast of the input
is computed as in the float file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge import contract
from edge.contract import Contract
from edge.errors import ConversionError
from edge.storage import load_npz
from export import recipes
from export.onnx_file import finish
from export.recipes import ANY, Override

Array = np.ndarray[Any, Any]


def run(
    model: str, contract_file: str, recipe: str, samples: str, output: str, overrides: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Convert one float file by one recipe.

    Args:
        model: The float `.onnx` file.
        contract_file: The contract of the model.
        recipe: `fp16` or `int8`.
        samples: `.npz` with `input/<tensor>` (M, …) for calibration.
        output: The `.onnx` file to write.
        overrides: What to do otherwise than the recipe, as `Override.to_json` gives it; `float` and `per_tensor` only.

    Returns:
        `inputs` and `outputs` (name, dtype, layout), `operators`, `opset`.

    Raises:
        ConversionError: No such recipe, or an override that ONNX cannot have.
    """
    import onnx

    chosen = recipes.get("onnx", recipe)
    if chosen.exact:
        raise ConversionError(f"{recipe} is made by the {chosen.tool}; quantization takes another recipe")
    promise = contract.load(Path(contract_file))
    extra = (*chosen.overrides, *(Override.from_json(item) for item in overrides))
    if chosen.weights == "float16":
        made = _float16(onnx.load(model), extra)
    else:
        made = _int8(model, promise, load_npz(Path(samples)), Path(output), extra)
    return finish(made, promise, output)


def _float16(model: Any, overrides: Sequence[Override]) -> Any:
    """Hold weights and activations in float16; what the contract names as float32 stays so, with a cast at the border."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    nodes = [name for override in overrides for name in _nodes(model, override, ("float",))]
    return convert_float_to_float16(model, keep_io_types=True, node_block_list=nodes)


def _int8(model: str, promise: Contract, arrays: Mapping[str, Array], output: Path, overrides: Sequence[Override]) -> Any:
    """Put a pair of QuantizeLinear and DequantizeLinear around what is computed in int8, weights with a scale per channel."""
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared, quantized = output.with_suffix(".prepared.onnx"), output.with_suffix(".quantized.onnx")
    quant_pre_process(model, str(prepared), skip_symbolic_shape=True)
    graph = onnx.load(prepared)
    treated = {name: o.treatment for o in overrides for name in _nodes(graph, o, ("float", "per_tensor"))}
    floats = [name for name, treatment in treated.items() if treatment == "float"]
    wide = _weights(graph, [name for name, treatment in treated.items() if treatment == "per_tensor"])

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # the library has no types
        """Give the samples one by one; the library keeps the least and the greatest value of every tensor."""

        def __init__(self) -> None:
            self._rows = _rows(promise, arrays)

        def get_next(self) -> dict[str, Array] | None:
            """Give the next sample, None after the last."""
            return next(self._rows, None)

    quantize_static(
        str(prepared),
        str(quantized),
        Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=floats,
        extra_options={"TensorQuantOverrides": {name: [{"quant_type": QuantType.QInt8, "symmetric": True}] for name in wide}},
    )
    made = onnx.load(quantized)
    for leftover in (prepared, quantized):
        leftover.unlink()
    return made


def _rows(promise: Contract, arrays: Mapping[str, Array]) -> Iterator[dict[str, Array]]:
    names = [tensor.name for tensor in promise.main.inputs]
    for i in range(len(arrays[f"input/{names[0]}"])):
        yield {name: arrays[f"input/{name}"][i : i + 1] for name in names}


def _nodes(model: Any, override: Override, possible: tuple[str, ...]) -> list[str]:
    """Give the names of the nodes that an override means."""
    if override.treatment not in possible:
        raise ConversionError(f"override: {override.treatment} is not possible here in ONNX, expected {' or '.join(possible)}")
    fitting = [node.name for node in model.graph.node if override.operator in (ANY, node.op_type)]
    return [name for name in fitting if re.search(override.scope, name) is not None]


def _weights(model: Any, nodes: Sequence[str]) -> list[str]:
    """Give the names of the matrices and kernels that some nodes hold."""
    matrices = {tensor.name for tensor in model.graph.initializer if len(tensor.dims) > 1}
    return [name for node in model.graph.node if node.name in set(nodes) for name in node.input if name in matrices]
