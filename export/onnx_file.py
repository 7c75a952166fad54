"""What every ONNX file of ours has in common, whichever program it was made from.

One self-contained file, tensors named as in the contract, the batch axis called `batch`, nothing in it of the machine
that made it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge.contract import Contract
from edge.errors import ConversionError
from export.onnx_data import graphs


def finish(model: Any, promise: Contract, output: str) -> dict[str, Any]:
    """Strip, check and write a converted model.

    Args:
        model: The `ModelProto`; it is changed.
        promise: Its contract.
        output: The `.onnx` file to write.

    Returns:
        `inputs` and `outputs` (name, dtype, layout), `operators`, `opset`.

    Raises:
        ConversionError: The tensors are not those of the contract.
    """
    import onnx

    graph = promise.main
    _name_batch(model)
    _strip(model)
    for side, tensors, values in (("input", graph.inputs, model.graph.input), ("output", graph.outputs, model.graph.output)):
        if [v.name for v in values] != [t.name for t in tensors]:
            raise ConversionError(f"{promise.name}: ONNX {side}s are {[v.name for v in values]}, expected {[t.name for t in tensors]}")
    onnx.checker.check_model(model, full_check=True)
    Path(output).write_bytes(model.SerializeToString(deterministic=True))
    return {
        "inputs": [{"name": t.name, "dtype": t.dtype, "layout": t.layout} for t in graph.inputs],
        "outputs": [{"name": t.name, "dtype": t.dtype, "layout": t.layout} for t in graph.outputs],
        "operators": [node.op_type for node in model.graph.node],
        "opset": next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")),
    }


def rename(model: Any, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Give a model's inputs and outputs other names; inner tensors of these names make way.

    Args:
        model: The `ModelProto`; it is changed.
        inputs: The new names, in the order of the model's inputs.
        outputs: Likewise.
    """
    own = [value.name for value in (*model.graph.input, *model.graph.output)]
    names = {**{name: f"inner.{name}" for name in (*inputs, *outputs)}, **dict(zip(own, (*inputs, *outputs), strict=True))}
    for graph in graphs(model):
        for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
            value.name = names.get(value.name, value.name)
        for node in graph.node:
            for side in (node.input, node.output):
                side[:] = [names.get(name, name) for name in side]


def _name_batch(model: Any) -> None:
    """Call the first axis of the inputs `batch` wherever its generated name (`s77`) stands."""
    generated = {value.type.tensor_type.shape.dim[0].dim_param for value in model.graph.input} - {""}
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        for axis in value.type.tensor_type.shape.dim:
            if axis.dim_param in generated:
                axis.dim_param = "batch"


def _strip(model: Any) -> None:
    """Remove what the exporter notes of its machine (stack traces with paths), so that equal input gives equal bytes."""
    model.doc_string = model.graph.doc_string = ""
    del model.metadata_props[:], model.graph.metadata_props[:]
    for item in (*model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info, *model.graph.initializer):
        item.doc_string = ""
        if hasattr(item, "metadata_props"):
            del item.metadata_props[:]
