"""What is read from a TFLite file without running it: strange operators, versions, float islands, and damage."""

import json
import subprocess
import sys

import flatbuffers
import pytest
from ai_edge_litert import schema_py_generated as schema

from edge.errors import ConversionError, GateError
from export.operators import OLDEST, Flow, Node, describe, islands, newer, notes, read
from export.parity import LEGACY, interpreters

TRY = """
import json, sys
from tflite_runtime.interpreter import Interpreter
def loads(path):
    try:
        Interpreter(model_path=path)
    except (ValueError, RuntimeError):
        return False
    return True
print(json.dumps([loads(path) for path in json.load(open(sys.argv[1]))]))
"""


def model(*codes, used=True):
    """Give a file of one tensor and one operator for each (number, version, custom name)."""
    made = schema.ModelT()
    made.version, made.buffers, made.operatorCodes = 3, [schema.BufferT()], []
    graph = schema.SubGraphT()
    tensor = schema.TensorT()
    tensor.shape, tensor.type, tensor.buffer, tensor.name = [1], 0, 0, "x"
    graph.tensors, graph.inputs, graph.outputs, graph.operators = [tensor], [0], [0], []
    for i, (number, version, custom) in enumerate(codes):
        code = schema.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode, code.version, code.customCode = number, min(number, 127), version, custom
        made.operatorCodes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = i, [0], [0]
        graph.operators += [operator] if used else []
    made.subgraphs = [graph]
    builder = flatbuffers.Builder(256)
    builder.Finish(made.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.fixture
def file(tmp_path):
    def write(content):
        path = tmp_path / "model.tflite"
        path.write_bytes(content)
        return str(path)

    return write


def test_operators_and_versions_are_read_from_a_file(file):
    found = describe(file(model((0, 2, None), (9, 12, None))))
    assert found == {"versions": [("ADD", 2), ("FULLY_CONNECTED", 12)], "notes": []}


@pytest.mark.parametrize(
    ("code", "fragment"),
    [
        ((32, 1, "FlexErf"), "it needs the custom operator FlexErf, which no device runtime has by itself"),
        ((32, 1, "TFLite_Detection_PostProcess"), "it needs the custom operator TFLite_Detection_PostProcess"),
        ((32, 1, None), "it needs the custom operator without a name"),
        ((9999, 1, None), "it needs the unknown operator 9999"),
    ],
    ids=["Flex", "custom", "custom without a name", "newer than the schema"],
)
def test_operators_that_no_plain_runtime_has_are_refused_by_name(file, code, fragment):
    with pytest.raises(GateError, match=fragment):
        describe(file(model((0, 1, None), code)))


@pytest.mark.parametrize(
    "content",
    [b"", b"not a model", model((0, 1, None))[:60], model((0, 1, None))[:8] + b"\xff" * 200],
    ids=["empty", "text", "cut off", "overwritten"],
)
def test_a_damaged_file_is_called_so(file, content):
    with pytest.raises(ConversionError, match=r"model.tflite: (no TFLite file|the TFLite file is damaged)"):
        read(file(content))


def test_operators_newer_than_the_old_runtime_are_named_with_what_it_knows():
    versions = [("ADD", 5), ("FULLY_CONNECTED", 12), ("DILATE", 1)]
    assert newer(versions, "tflite-runtime") == [
        "FULLY_CONNECTED version 12 (tflite-runtime 2.14 knows it up to version 10)",
        "DILATE version 1 (tflite-runtime 2.14 does not know it)",
    ]
    assert newer(versions, "ai-edge-litert") == []


def test_the_table_of_the_old_runtime_is_what_it_loads(tmp_path):
    numbers = {name: code for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int) and code != 32}
    table = OLDEST[LEGACY]["operators"]
    assert set(table) <= set(numbers)
    assert len(table) > 100
    paths, expected = [], []
    for name, number in numbers.items():
        for version in (max(1, table.get(name, 0)), table.get(name, 0) + 1):
            path = tmp_path / f"{name}.{version}.tflite"
            path.write_bytes(model((number, version, None), used=False))
            paths.append(str(path))
            expected.append(version <= table.get(name, 0))
    (tmp_path / "paths.json").write_text(json.dumps(paths))
    command = [interpreters()[LEGACY], "-c", TRY, str(tmp_path / "paths.json")]
    loaded = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert [path for path, found, wanted in zip(paths, loaded, expected, strict=True) if found != wanted] == []


INT8, FLOAT = 9, 0


def chain(*steps):
    """Put operators in a row; each step is (operator, type of its output)."""
    nodes = [Node(name, 1, (i,), (i + 1,), f"t{i + 1}") for i, (name, _) in enumerate(steps)]
    return Flow(tuple(nodes), (INT8, *(type_ for _, type_ in steps)), tuple(10 for _ in range(len(steps) + 1)))


@pytest.mark.parametrize(
    ("flow", "found"),
    [
        (chain(("DEQUANTIZE", FLOAT), ("MEAN", FLOAT), ("RSQRT", FLOAT), ("QUANTIZE", INT8)), [["MEAN", "RSQRT"]]),
        (chain(("CAST", FLOAT), ("QUANTIZE", INT8), ("CONV_2D", INT8), ("DEQUANTIZE", FLOAT), ("SOFTMAX", FLOAT)), []),
        (
            chain(
                ("DEQUANTIZE", FLOAT), ("TANH", FLOAT), ("QUANTIZE", INT8),
                ("CONV_2D", INT8), ("DEQUANTIZE", FLOAT), ("EXP", FLOAT), ("QUANTIZE", INT8),
            ),
            [["TANH"], ["EXP"]],
        ),
        (chain(("DEQUANTIZE", FLOAT), ("QUANTIZE", INT8)), []),
    ],
    ids=["an island", "float at the ends only", "two islands", "a change of scale"],
)  # fmt: skip
def test_float_between_integers_is_an_island_and_float_at_the_ends_is_not(flow, found):
    assert [[node.operator for node in island] for island in islands(flow)] == found


def test_islands_and_transposes_of_an_integer_file_are_told_and_nothing_of_a_float_file():
    flow = chain(("TRANSPOSE", INT8), ("DEQUANTIZE", FLOAT), ("MEAN", FLOAT), ("QUANTIZE", INT8), ("TRANSPOSE", INT8))
    assert notes(flow) == [
        "float island: 1 MEAN between DEQUANTIZE and QUANTIZE, ends at t3",
        "2 TRANSPOSE inside the integer file move 20 bytes for every answer",
    ]
    assert notes(chain(("TRANSPOSE", FLOAT), ("MEAN", FLOAT))) == []


def test_reading_a_file_needs_no_framework():
    code = "import export.operators, sys; print([m for m in ('torch', 'tensorflow', 'ai_edge_litert') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
