"""Biases of transposed convolutions: one axis, whatever the converter wrote."""

import numpy as np
import pytest
from ai_edge_litert.tools import flatbuffer_utils as flat

from export.to_tflite import straighten

schema = flat.schema_fb


def written(path, bias_shape, inputs=(0, 1, 2, 3), operator=schema.BuiltinOperator.TRANSPOSE_CONV):
    """Write a file of one operator with these input tensors, of which the last is the bias."""
    model, graph, code, made = schema.ModelT(), schema.SubGraphT(), schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = code.deprecatedBuiltinCode = operator
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [schema.BufferT(), schema.BufferT()]
    model.buffers[1].data = np.arange(6, dtype=np.float32).view(np.uint8)
    graph.tensors = []
    for shape in ([4], [6, 4, 4, 8], [1, 4, 4, 8], bias_shape, [1, 8, 8, 6]):
        tensor = schema.TensorT()
        tensor.shape, tensor.name, tensor.type, tensor.buffer = list(shape), b"t", schema.TensorType.FLOAT32, 0
        graph.tensors.append(tensor)
    graph.tensors[3].buffer = 1
    made.inputs, made.outputs = list(inputs), [4]
    graph.operators, graph.inputs, graph.outputs = [made], [2], [4]
    flat.write_model(model, str(path))
    return path.read_bytes()


def test_a_bias_of_four_axes_becomes_one_of_one(tmp_path):
    path = tmp_path / "model.tflite"
    written(path, [1, 1, 1, 6])
    straighten(str(path))
    model = flat.read_model(str(path))
    assert [list(tensor.shape) for tensor in model.subgraphs[0].tensors] == [[4], [6, 4, 4, 8], [1, 4, 4, 8], [6], [1, 8, 8, 6]]
    assert np.asarray(model.buffers[1].data, np.uint8).view(np.float32).tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "how",
    [
        pytest.param({"bias_shape": [6]}, id="one axis already"),
        pytest.param({"bias_shape": [1, 1, 1, 6], "inputs": (0, 1, 2)}, id="no bias"),
        pytest.param({"bias_shape": [1, 1, 1, 6], "inputs": (0, 1, 2, -1)}, id="a bias that is left out"),
        pytest.param({"bias_shape": [1, 1, 1, 6], "operator": schema.BuiltinOperator.ADD_N}, id="another operator"),
    ],
)
def test_every_other_file_stays_as_it_is(tmp_path, how):
    path = tmp_path / "model.tflite"
    before = written(path, **how)
    straighten(str(path))
    assert path.read_bytes() == before
