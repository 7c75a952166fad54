"""PyTorch program to ONNX: one self-contained file, tensors named as in the contract, the batch axis called `batch`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge import contract
from edge.errors import ConversionError
from export.onnx_file import finish
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
    import torch

    promise = contract.load(Path(contract_file))
    graph = promise.main
    exported = torch.onnx.export(
        open_pt2(program),
        args=(),
        dynamo=True,
        external_data=False,
        input_names=[t.name for t in graph.inputs],
        output_names=[t.name for t in graph.outputs],
        verbose=False,
    )
    if exported is None:
        raise ConversionError(f"{promise.name}: the ONNX exporter gave nothing")
    return finish(exported.model_proto, promise, output)
