"""TFLite files made by hand: one graph of float32 from a list of operators, without any converter."""

from dataclasses import dataclass, field

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

FLOAT16, INT8 = schema.TensorType.FLOAT16, schema.TensorType.INT8
_TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "float16": FLOAT16,
    "int32": schema.TensorType.INT32,
    "int8": INT8,
    "bool": schema.TensorType.BOOL,
}


@dataclass
class Made:
    """A graph that grows: tensors and operators by the order in which they are added."""

    tensors: list = field(default_factory=list)
    buffers: list = field(default_factory=lambda: [schema.BufferT()])
    operators: list = field(default_factory=list)
    codes: list = field(default_factory=list)

    def tensor(self, shape, dtype="float32", value=None, scale=None):
        """Add a tensor, constant where it has a value; return its number."""
        made = schema.TensorT()
        made.shape, made.type, made.name, made.buffer = list(shape), _TYPES[dtype], f"t{len(self.tensors)}", 0
        if value is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(value, dtype).tobytes(), np.uint8)
            self.buffers.append(buffer)
            made.buffer = len(self.buffers) - 1
        if scale is not None:
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale, made.quantization.zeroPoint = [scale], [0]
        self.tensors.append(made)
        return len(self.tensors) - 1

    def constant(self, value, dtype=None):
        """Add a constant; return its number."""
        array = np.asarray(value)
        kind = dtype or ("int32" if array.dtype.kind == "i" else "float32")
        return self.tensor(array.shape, kind, array)

    def add(self, name, inputs, shape, kind=None, dtype="float32", scale=None, version=1, **options):
        """Add an operator with options of a kind, such as `Conv2DOptions`; return the number of its output."""
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), version
        self.codes.append(code)
        operator = schema.OperatorT()
        output = self.tensor(shape, dtype, scale=scale)
        operator.opcodeIndex, operator.inputs, operator.outputs = len(self.codes) - 1, list(inputs), [output]
        if kind is not None:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            operator.builtinOptions = getattr(schema, f"{kind}T")()
            for option, value in options.items():
                setattr(operator.builtinOptions, option, value)
        self.operators.append(operator)
        return output

    def write(self, path, inputs, outputs):
        """Write the file; inputs and outputs are numbers of tensors."""
        model, graph = schema.ModelT(), schema.SubGraphT()
        model.version, model.buffers, model.operatorCodes, model.subgraphs = 3, self.buffers, self.codes, [graph]
        graph.tensors, graph.operators, graph.inputs, graph.outputs = self.tensors, self.operators, list(inputs), list(outputs)
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        path.write_bytes(bytes(builder.Output()))
        return str(path)
