"""What a TFLite file is made of, read from its flatbuffer without running it.

Files may come from elsewhere, so they are read in a child process only, where a damaged one can do no harm.
"""

from __future__ import annotations

import json
import math
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import ConversionError, GateError

IDENTIFIER = b"TFL3"
CUSTOM = 32
FLOAT32 = 0
BYTES = {0: 4, 1: 2, 2: 4, 3: 1, 4: 8, 6: 1, 7: 2, 9: 1, 16: 2}
# The newest version of each operator that an old runtime knows, measured: a file with that operator alone loads, and one
# with the next version does not. A test measures it again.
OLDEST: Mapping[str, Mapping[str, Any]] = json.loads((Path(__file__).parent / "runtime_operators.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Node:
    """One operator: its name and version, its tensors by number, constants left out of `inputs`, and its outputs' name."""

    operator: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    scope: str


@dataclass(frozen=True)
class Flow:
    """The operators of a file's main graph in the order in which they run, with its tensors' type codes and sizes in bytes."""

    nodes: tuple[Node, ...]
    types: tuple[int, ...]
    sizes: tuple[int, ...]


def describe(path: str) -> dict[str, Any]:
    """Read a file for the gate.

    Returns:
        `versions`: each operator with its version; `notes`: what slows an integer file down.

    Raises:
        ConversionError: It is no TFLite file, or a damaged one.
        GateError: It needs operators that no plain runtime has (Flex or custom ones); the message names them.
    """
    flow = read(path)
    strange = sorted({node.operator for node in flow.nodes if node.version == 0})
    if strange:
        raise GateError(
            f"{Path(path).name}: it needs {', '.join(strange)}, which no device runtime has by itself; "
            "write that part of the model with built-in operators"
        )
    return {"versions": sorted({(node.operator, node.version) for node in flow.nodes}), "notes": notes(flow)}


def read(path: str) -> Flow:
    """Read the operators of a file's main graph; one that is not built in has version 0.

    Raises:
        ConversionError: It is no TFLite file, or a damaged one.
    """
    try:
        return _flow(parse(path), words("BuiltinOperator"))
    except (struct.error, IndexError, ValueError, TypeError, AttributeError, OverflowError, MemoryError) as error:
        raise ConversionError(f"{Path(path).name}: the TFLite file is damaged ({type(error).__name__}: {error})") from None


def parse(path: str) -> Any:
    """Parse a file into the objects of its format's schema, which may hold anything: errors of the reader come as they are.

    Raises:
        ConversionError: It is no TFLite file.
    """
    from ai_edge_litert import schema_py_generated as schema

    content = Path(path).read_bytes()
    if content[4:8] != IDENTIFIER:
        raise ConversionError(f"{Path(path).name}: no TFLite file (it does not say {IDENTIFIER.decode()})")
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))


def words(kind: str) -> dict[int, str]:
    """Return the names of an enumeration of the format by their codes, such as those of `BuiltinOperator`."""
    from ai_edge_litert import schema_py_generated as schema

    return {code: name for name, code in vars(getattr(schema, kind)).items() if isinstance(code, int)}


def _flow(model: Any, names: Mapping[int, str]) -> Flow:
    graph = model.subgraphs[0]
    constant = {i for i, tensor in enumerate(graph.tensors) if model.buffers[tensor.buffer].data is not None}
    labels = [_name(tensor.name) for tensor in graph.tensors]
    nodes = []
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        number = max(code.builtinCode, code.deprecatedBuiltinCode)
        custom = number == CUSTOM
        inputs = tuple(int(i) for i in operator.inputs if i >= 0 and i not in constant)
        outputs = tuple(int(i) for i in operator.outputs)
        name = f"the custom operator {_name(code.customCode)}" if custom else names.get(number, f"the unknown operator {number}")
        nodes.append(
            Node(name, 0 if number not in names or custom else code.version, inputs, outputs, ";".join(labels[i] for i in outputs))
        )
    sizes = tuple(BYTES.get(t.type, 4) * math.prod(int(n) for n in t.shape) if t.shape is not None else 0 for t in graph.tensors)
    return Flow(tuple(nodes), tuple(t.type for t in graph.tensors), sizes)


def _name(text: bytes | str | None) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text or "without a name"


def newer(versions: Sequence[tuple[str, int]], runtime: str) -> list[str]:
    """Say which operators are newer than a runtime, as far as its limits are known."""
    known = OLDEST.get(runtime)
    if known is None:
        return []
    found = []
    for operator, version in versions:
        limit = known["operators"].get(operator, 0)
        if version > limit:
            most = f"knows it up to version {limit}" if limit else "does not know it"
            found.append(f"{operator} version {version} ({runtime} {known['version']} {most})")
    return found


def notes(flow: Flow) -> list[str]:
    """Say what an integer file spends on leaving integers and on turning tensors; nothing for a float file."""
    if not any(node.operator == "QUANTIZE" for node in flow.nodes):
        return []
    told = [
        f"float island: {', '.join(f'{n} {name}' for name, n in sorted(Counter(node.operator for node in island).items()))} "
        f"between DEQUANTIZE and QUANTIZE, ends at {island[-1].scope}"
        for island in islands(flow)
    ]
    turned = [node for node in flow.nodes if node.operator == "TRANSPOSE"]
    if turned:
        moved = sum(flow.sizes[i] for node in turned for i in node.outputs)
        told.append(f"{len(turned)} TRANSPOSE inside the integer file move {moved} bytes for every answer")
    return told


def islands(flow: Flow) -> list[list[Node]]:
    """Find the float parts that lie between integers: connected operators on float32, fed by a DEQUANTIZE, read by a QUANTIZE."""
    groups: dict[int, set[int]] = {}  # a tensor of float32 to the set of those that it is connected with
    inner = [node for node in flow.nodes if node.operator not in ("QUANTIZE", "DEQUANTIZE")]
    for node in inner:
        floats = [i for i in (*node.inputs, *node.outputs) if flow.types[i] == FLOAT32]
        joined = set(floats).union(*(groups.get(i, set()) for i in floats))
        for i in joined:
            groups[i] = joined
    fed = {i for node in flow.nodes if node.operator == "DEQUANTIZE" and node.inputs for i in node.outputs}
    read_by = {i for node in flow.nodes if node.operator == "QUANTIZE" for i in node.inputs}
    found = []
    for group in {id(group): group for group in groups.values()}.values():
        members = [node for node in inner if group & {*node.inputs, *node.outputs}]
        if members and group & fed and group & read_by:
            found.append(members)
    return found
