"""PyTorch program to ONNX: one self-contained file, tensors named as in the contract, the batch axis called `batch`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge import contract
from edge.errors import ConversionError
from export.onnx_file import finish, rename
from export.pt2_program import open_pt2


def run(program: str, contract_file: str, output: str) -> dict[str, Any]:
    """Convert and check.

    Args:
        program: `program.pt2`.
        contract_file: Its contract.
        output: The `.onnx` file to write.

    Returns:
        `inputs` and `outputs` (name, dtype, layout), `operators`, `opset`.

    Raises:
        ConversionError: The result is not what the contract says.
    """
    promise = contract.load(Path(contract_file))
    opened, graph = open_pt2(program), promise.main
    inputs, outputs = [t.name for t in graph.inputs], [t.name for t in graph.outputs]
    model = _exported(opened, inputs, outputs)
    if model is not None and _ambiguous(model):
        model = _exported(opened, [f"input.{i}" for i in range(len(inputs))], [f"output.{i}" for i in range(len(outputs))])
        rename(model, inputs, outputs)
    if model is None:
        raise ConversionError(f"{promise.name}: the ONNX exporter gave nothing")
    return finish(model, promise, output)


def _exported(program: Any, inputs: Sequence[str], outputs: Sequence[str]) -> Any:
    import torch

    made = torch.onnx.export(program, args=(), dynamo=True, external_data=False, input_names=inputs, output_names=outputs, verbose=False)
    return None if made is None else made.model_proto


def _ambiguous(model: Any) -> bool:
    """Tell whether a name of the contract's is that of another tensor too; the exporter does not look."""
    names = [value.name for value in model.graph.input] + [name for node in model.graph.node for name in node.output if name]
    return len(set(names)) != len(names)
