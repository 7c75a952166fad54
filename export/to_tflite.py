"""PyTorch program to TFLite in float32, batch 1, tensors as the contract's logical ones (uint8 pixels stay uint8)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from edge import contract
from edge.contract import Graph
from edge.errors import ConversionError
from edge.storage import load_npz
from export import operators
from export.pt2_call import flat
from export.pt2_program import open_pt2

_BIAS = 3  # the place of the bias among the inputs of a transposed convolution


def run(program: str, contract_file: str, samples: str, output: str) -> dict[str, Any]:
    """Convert with litert-torch.

    Args:
        program: `program.pt2`.
        contract_file: Its contract.
        samples: `.npz` with `input/<tensor>` (N, …); one row traces the program.
        output: The `.tflite` file to write.

    Returns:
        `inputs` and `outputs` (name, dtype, layout), `operators`.
    """
    import litert_torch
    import torch

    promise = contract.load(Path(contract_file))
    arrays = load_npz(Path(samples))
    example = tuple(torch.from_numpy(arrays[f"input/{t.name}"][:1]) for t in promise.main.inputs)
    litert_torch.convert(flat(open_pt2(program)), example).export(output)
    straighten(output)
    return inspect(output, promise.main)


def straighten(path: str) -> None:
    """Give the biases of transposed convolutions one axis, (C,), where the converter wrote (1, 1, 1, C): the quantizer refuses those.

    They come of a normalisation that the converter has folded into the convolution before it. The numbers stay as they are.
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model(path)
    crooked = [
        graph.tensors[operator.inputs[_BIAS]]
        for graph in model.subgraphs
        for operator in graph.operators
        if model.operatorCodes[operator.opcodeIndex].builtinCode == schema.BuiltinOperator.TRANSPOSE_CONV
        and len(operator.inputs) > _BIAS
        and operator.inputs[_BIAS] >= 0
        and len(graph.tensors[operator.inputs[_BIAS]].shape) > 1
    ]
    for tensor in crooked:
        tensor.shape = [int(np.prod(tensor.shape))]
    if crooked:
        flatbuffer_utils.write_model(model, path)


def inspect(path: str, graph: Graph) -> dict[str, Any]:
    """Read a file's physical tensors, in the order of the contract, and its operators.

    Returns:
        `inputs` and `outputs` (name, dtype, layout), `operators`, and `versions` and `notes` (see `operators.describe`).

    Raises:
        ConversionError: The file is damaged, or has another number of inputs or outputs than the contract.
        GateError: It needs operators that no plain runtime has.
    """
    described = operators.describe(path)
    interpreter = plain_interpreter(path)
    runner = interpreter.get_signature_runner("serving_default")
    report: dict[str, Any] = {}
    for side, details, tensors in (
        ("inputs", runner.get_input_details(), graph.inputs),
        ("outputs", runner.get_output_details(), graph.outputs),
    ):
        if len(details) != len(tensors):
            raise ConversionError(f"{path}: {len(details)} {side}, expected {len(tensors)}")
        ordered = [details[name] for name in sorted(details, key=_number)]
        report[side] = [physical(detail, tensor.layout) for detail, tensor in zip(ordered, tensors, strict=True)]
    report["operators"] = [op["op_name"] for op in interpreter._get_ops_details()]
    return {**report, **described}


def plain_interpreter(path: str, keep: bool = False) -> Any:
    """Load a file without the delegate that otherwise takes its operators: it shows and runs the file's own.

    With `keep`, every tensor can be looked at after a run, and not the outputs alone.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_path=path, experimental_op_resolver_type=plain, experimental_preserve_all_tensors=keep)
    interpreter.allocate_tensors()
    return interpreter


def _number(name: str) -> tuple[int, str]:
    """Order `args_2` before `args_10`."""
    digits = re.findall(r"\d+", name)
    return (int(digits[-1]) if digits else 0, name)


def physical(detail: dict[str, Any], layout: str) -> dict[str, Any]:
    """Describe a tensor of a file, as an interpreter gives it: name, dtype, layout, and what its integers stand for."""
    scale, zero_point = detail["quantization"]
    dtype = np.dtype(detail["dtype"]).name
    quantized = dtype != "float32" and scale != 0
    return {
        "name": detail["name"],
        "dtype": dtype,
        "layout": layout,
        "scale": float(scale) if quantized else None,
        "zero_point": int(zero_point) if quantized else None,
    }
