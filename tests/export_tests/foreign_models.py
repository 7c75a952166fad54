"""Models as others might bring them, small and made by hand; each function writes one file and says what it answers."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WEIGHT = np.random.default_rng(5).normal(size=(6, 3)).astype(np.float32)

FACTS = {"schema": 1, "version": "1.0.0", "task": "classification", "licence": "MIT", "source": "by hand", "requires_runtimes": []}


def stated(name, inputs, outputs, **changed):
    """A contract's content: tensors as (name, dtype, row)."""

    def tensors(side):
        return [{"name": n, "dtype": d, "shape": ["batch", *row], "layout": "any"} for n, d, row in side]

    graph = {"name": "main", "inputs": tensors(inputs), "outputs": tensors(outputs)}
    metric = {"name": "accuracy", "direction": "higher", "floor": 0.9}
    return {**FACTS, "name": name, "graphs": [graph], "metric": metric, "targets": ["server"], **changed}


LINEAR = stated("linear", [("x", "float32", [6])], [("y", "float32", [3])])


def rows(count=40):
    """Inputs (count, 6)."""
    return np.random.default_rng(6).normal(size=(count, 6)).astype(np.float32)


def linear(path, batch="n", opset=18, dtype=TensorProto.FLOAT, domain="", external="", name="x"):
    """One matrix product, (batch, 6) to (batch, 3), with the freedoms that tests take."""
    weight = numpy_helper.from_array(WEIGHT, "w")
    if external:
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL
        weight.external_data.add(key="location", value=external)
    graph = helper.make_graph(
        [helper.make_node("MatMul", [name, "w"], ["y"], domain=domain)],
        "g",
        [helper.make_tensor_value_info(name, dtype, [batch, 6])],
        [helper.make_tensor_value_info("y", dtype, [batch, 3])],
        [weight],
    )
    imports = [helper.make_opsetid("", opset), *([helper.make_opsetid(domain, 1)] if domain else [])]
    onnx.save_model(helper.make_model(graph, opset_imports=imports, ir_version=8), path)
    return path


def picture(path):
    """Mean of each channel of a picture, channels first."""
    graph = helper.make_graph(
        [helper.make_node("ReduceMean", ["image", "axes"], ["mean"], keepdims=0)],
        "g",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 8, 4])],
        [helper.make_tensor_value_info("mean", TensorProto.FLOAT, ["n", 3])],
        [numpy_helper.from_array(np.array([2, 3], np.int64), "axes")],
    )
    onnx.save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)
    return path


def two_by_two(path):
    """Two inputs, ids and a row of open length, and two outputs."""
    nodes = [
        helper.make_node("Cast", ["ids"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["real", "scale"], ["scaled"]),
        helper.make_node("ReduceSum", ["scaled", "one"], ["total"], keepdims=1),
    ]
    inputs = [("ids", TensorProto.INT64, ["n", "length"]), ("scale", TensorProto.FLOAT, ["n", 1])]
    outputs = [("scaled", TensorProto.FLOAT, ["n", "length"]), ("total", TensorProto.FLOAT, ["n", 1])]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(*each) for each in inputs],
        [helper.make_tensor_value_info(*each) for each in outputs],
        [numpy_helper.from_array(np.array([1], np.int64), "one")],
    )
    onnx.save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)
    return path


def tflite(path, integers=False, operator="FULLY_CONNECTED", custom=""):
    """A linear layer in TFLite, float32 or int8 throughout, written by its schema."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    weight, dtype = WEIGHT.T, schema.TensorType.FLOAT32
    scales = (0.05, float(np.abs(WEIGHT).max()) / 127, 0.1) if integers else (None, None, None)
    if integers:
        weight, dtype = np.rint(weight / scales[1]).astype(np.int8), schema.TensorType.INT8
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.description = 3, "by hand"
    model.buffers = [schema.BufferT() for _ in range(4)]
    model.buffers[2].data = np.frombuffer(np.ascontiguousarray(weight).tobytes(), np.uint8)
    code = schema.OperatorCodeT()
    code.builtinCode = schema.BuiltinOperator.CUSTOM if custom else getattr(schema.BuiltinOperator, operator)
    code.deprecatedBuiltinCode, code.version, code.customCode = min(code.builtinCode, 127), 4 if integers else 1, custom or None
    model.operatorCodes = [code]
    graph.tensors = [
        _tensor(schema, *t) for t in zip(("x", "w", "y"), ([1, 6], [3, 6], [1, 3]), (1, 2, 3), scales, (dtype,) * 3, strict=True)
    ]
    work = schema.OperatorT()
    work.opcodeIndex, work.inputs, work.outputs = 0, [0, 1, -1], [2]
    if not custom:
        work.builtinOptionsType, work.builtinOptions = schema.BuiltinOptions.FullyConnectedOptions, schema.FullyConnectedOptionsT()
    graph.operators, graph.inputs, graph.outputs = [work], [0], [2]
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def _tensor(schema, name, shape, buffer, scale, dtype):
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name, shape, dtype, buffer
    if scale is not None:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [0]
    return tensor
