"""A TFLite file that computes with real numbers, as ONNX: the same graph, operator by operator.

Pictures stay channels-last (NHWC) at the border. Inside they are turned to channels-first where an operator of ONNX wants it,
and stay so until one needs them back. The batch axis, 1 in the file, becomes open. What has no counterpart here is refused by name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edge import contract
from edge.errors import ConversionError
from export import given_tflite, tflite_layers, tflite_values
from export.onnx_file import finish
from export.tflite_graph import REMEDY, Net, read
from export.tflite_writer import Writer

OPSET, IR = 18, 9
EMITTERS = {**tflite_layers.EMITTERS, **tflite_values.EMITTERS}


def run(program: str, contract_file: str, output: str) -> dict[str, Any]:
    """Convert and check; see `export.to_onnx.run`.

    Args:
        program: `given.tflite`.
        contract_file: Its contract.
        output: The `.onnx` file to write.

    Raises:
        ConversionError: The file is damaged, its tensors are not the contract's, or it holds what is not converted.
        GateError: It needs operators that no plain runtime has.
    """
    promise = contract.load(Path(contract_file))
    told = given_tflite.inspect(program, promise)
    net = read(program)
    places = {net.names[i]: i for i in (*net.inputs, *net.outputs)}
    inputs = {places[tensor["name"]]: t.name for tensor, t in zip(told["inputs"], promise.main.inputs, strict=True)}
    outputs = {places[tensor["name"]]: t.name for tensor, t in zip(told["outputs"], promise.main.outputs, strict=True)}
    return finish(convert(net, inputs, outputs, {t.name: t.dtype for t in (*promise.main.inputs, *promise.main.outputs)}), promise, output)


def convert(net: Net, inputs: dict[int, str], outputs: dict[int, str], dtypes: dict[str, str]) -> Any:
    """Write the ONNX model.

    Args:
        net: The file's graph.
        inputs: The names of its inputs by number, in the order in which they are to stand.
        outputs: Likewise.
        dtypes: By these names.

    Returns:
        The `ModelProto`.

    Raises:
        ConversionError: An operator is not converted, or mixes samples; the message names it.
    """
    import onnx
    from onnx import helper

    unknown = sorted({operator.name for operator in net.operators} - set(EMITTERS))
    if unknown:
        raise ConversionError(f"{net.title}: {', '.join(unknown)} cannot be converted to ONNX here; {REMEDY}")
    writer = Writer(net, inputs)
    for operator in net.operators:
        EMITTERS[operator.name](writer, operator)
    for number, name in outputs.items():
        writer.add("Identity", [writer.plain(number)], name)

    def value(name: str, number: int) -> Any:
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtypes[name]))
        return helper.make_tensor_value_info(name, kind, ["batch", *net.shapes[number][1:]])

    graph = helper.make_graph(
        writer.nodes,
        "main",
        [value(name, number) for number, name in inputs.items()],
        [value(name, number) for number, name in outputs.items()],
        [onnx.numpy_helper.from_array(array, name) for name, array in writer.stored.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
