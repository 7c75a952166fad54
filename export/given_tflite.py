"""TFLite files from elsewhere: read without trust, held against the contract, answered by the file's own operators.

Everything here runs in a child. Such a file is released as it is, so what it can prove is that every runtime answers alike:
its own answers come from ai-edge-litert with plain operators, without the delegate that runtimes otherwise use.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge import contract
from edge.contract import Contract, Tensor
from edge.errors import ConversionError
from edge.runtimes.tflite import TfliteRuntime
from export import operators
from export.candidate import Plan, physical, provisional
from export.given_order import Own, match
from export.reference import Array, answer_all
from export.to_tflite import physical as described
from export.to_tflite import plain_interpreter

MAX_BYTES = 1 << 30
STATE = ("VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE")


@dataclass(frozen=True)
class Opened:
    """A file that an interpreter has loaded; details are the interpreter's, in the file's order."""

    interpreter: Any
    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]
    names: dict[str, str]


def take(source: str, output: str) -> dict[str, Any]:
    """Check a file and copy it.

    Returns:
        `notes`, empty, and `quantized`: whether its numbers are rounded to integers or half precision somewhere.

    Raises:
        ConversionError: The file is damaged, too large, keeps a state or has several functions.
        GateError: It needs operators that no plain runtime has.
    """
    opened = open_file(source)
    shutil.copyfile(source, output)
    with _reading(Path(source).name):
        dtypes = {np.dtype(detail["dtype"]).name for detail in opened.interpreter.get_tensor_details() if detail["quantization"][0]}
    return {"notes": [], "quantized": bool(dtypes) or any(n.operator == "DEQUANTIZE" for n in operators.read(source).nodes)}


def tflite(program: str, contract_file: str, samples: str, output: str) -> dict[str, Any]:
    """Hold the file against the contract and copy it; see `export.to_tflite.run`. No samples are needed.

    Raises:
        ConversionError: The file is damaged, or its tensors are not those of the contract.
        GateError: It needs operators that no plain runtime has.
    """
    del samples
    shutil.copyfile(program, output)
    return inspect(output, contract.load(Path(contract_file)))


def inspect(path: str, promise: Contract) -> dict[str, Any]:
    """Describe a file in the order of the contract, as `export.to_tflite.inspect` does one of ours; tensors go by name if they can.

    Raises:
        ConversionError: The file is damaged, or its tensors are not those of the contract.
        GateError: It needs operators that no plain runtime has.
    """
    opened = open_file(path)
    names = [operation["op_name"] for operation in opened.interpreter._get_ops_details()]
    return {**_io(opened, promise, Path(path).name), "operators": names, **operators.describe(path)}


def reference(program: str, contract_file: str, inputs: str, outputs: str) -> dict[str, Any]:
    """Run the file with plain operators; see `export.reference.run`.

    Raises:
        ConversionError: It answers otherwise than the contract says, or another answer comes when it is asked again.
    """
    import importlib.metadata

    path, promise = Path(program), contract.load(Path(contract_file))
    opened = open_file(program)
    io = physical(_io(opened, promise, path.name))
    version = importlib.metadata.version("ai-edge-litert")
    variant = provisional(Plan("tflite", "as_given", ()), io, path)
    runtime = TfliteRuntime("ai-edge-litert", version, opened.interpreter, path.name, promise.main, variant)

    def answer(feeds: Sequence[Array]) -> list[Array]:
        """Answer (N, …) arrays in the order of the contract's inputs."""
        rows = {tensor.name: feed for tensor, feed in zip(promise.main.inputs, feeds, strict=True)}
        with _reading(path.name):
            found = runtime.run(rows)
            again = runtime.run({name: array[:1] for name, array in rows.items()})
        if any(not np.array_equal(again[name], array[:1], equal_nan=True) for name, array in found.items()):
            raise ConversionError(
                f"{path.name}: the same question gets another answer after others were asked: the file keeps a state, which no "
                "contract describes; export the model with its state as inputs and outputs"
            )
        return [found[tensor.name] for tensor in promise.main.outputs]

    return answer_all(promise, answer, inputs, outputs, f"ai-edge-litert {version}, plain operators")


def open_file(path: str) -> Opened:
    """Load a file that can be released.

    Raises:
        ConversionError: It is damaged, too large, keeps a state or has several functions.
        GateError: It needs operators that no plain runtime has; the message names them.
    """
    name, size = Path(path).name, Path(path).stat().st_size
    if size > MAX_BYTES:
        raise ConversionError(f"{name}: {size} bytes, expected at most {MAX_BYTES} on a device")
    told = operators.describe(path)
    stateful = sorted({operator for operator, _ in told["versions"]} & set(STATE))
    if stateful:
        raise ConversionError(
            f"{name}: it keeps a state from one question to the next ({', '.join(stateful)}), so that golden inputs could not be replayed; "
            "export the model with its state as inputs and outputs"
        )
    with _reading(name):
        interpreter = plain_interpreter(path)
        return Opened(interpreter, interpreter.get_input_details(), interpreter.get_output_details(), _names(interpreter, name))


@contextmanager
def _reading(title: str) -> Iterator[None]:
    """Give the interpreter's errors, and those of names that are no text, in words."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise ConversionError(f"{title}: ai-edge-litert cannot load or run it ({reason}); convert the model anew") from None


def signature(opened: Opened, title: str) -> tuple[list[Own], list[Own]]:
    """Give a file's inputs and outputs, with the dtypes that are stored.

    Raises:
        ConversionError: An axis other than the batch is open.
    """
    inputs, outputs = ([_own(detail, opened.names, title) for detail in side] for side in (opened.inputs, opened.outputs))
    return inputs, outputs


def _names(interpreter: Any, title: str) -> dict[str, str]:
    """Map the tensors' names to those of the signature, where there is one.

    Raises:
        ConversionError: There are several functions; only the first graph is run.
    """
    signatures = interpreter.get_signature_list() or {}
    if len(signatures) > 1:
        raise ConversionError(
            f"{title}: it has {len(signatures)} functions ({', '.join(sorted(signatures))}), expected one; export it alone"
        )
    if not signatures:
        return {}
    runner = interpreter.get_signature_runner(next(iter(signatures)))
    found = {**runner.get_input_details(), **runner.get_output_details()}
    return {detail["name"]: name for name, detail in found.items()}


def _own(detail: dict[str, Any], names: dict[str, str], title: str) -> Own:
    axes = [int(n) for n in detail["shape"]]
    declared = [int(n) for n in detail["shape_signature"]]
    name = names.get(detail["name"], detail["name"])
    if any(n < 0 for n in declared[1:]):
        raise ConversionError(f"{title}: {name!r} is {declared}: an axis beside the batch is open; convert the model with its size fixed")
    if axes and axes[0] != 1 and declared[0] >= 0:
        raise ConversionError(f"{title}: {name!r} takes {axes[0]} samples at once, expected 1; convert the model with batch 1")
    dtype = np.dtype(detail["dtype"]).name
    return Own(name, dtype, (None, *axes[1:]) if axes else ())


def _io(opened: Opened, promise: Contract, title: str) -> dict[str, Any]:
    """Describe the file's tensors in the order of the contract."""
    report: dict[str, Any] = {}
    graph = promise.main
    for side, details, tensors in (("input", opened.inputs, graph.inputs), ("output", opened.outputs, graph.outputs)):
        plain = [_own(detail, opened.names, title) for detail in details]
        logical = [_real(own, detail, plain, tensors) for own, detail in zip(plain, details, strict=True)]
        ordered = match(title, side, logical, tensors)
        report[f"{side}s"] = [_stored(details[logical.index(o)], t.layout, o.dtype) for o, t in zip(ordered, tensors, strict=True)]
    return report


def _real(own: Own, detail: dict[str, Any], plain: Sequence[Own], tensors: Sequence[Tensor]) -> Own:
    """Call a tensor of integers float32 where the contract takes them as the real numbers that they stand for."""
    named = {tensor.name: tensor for tensor in tensors}
    if set(named) != {each.name for each in plain}:
        named = {each.name: tensor for each, tensor in zip(plain, tensors, strict=False)}
    wanted = named.get(own.name)
    real = detail["quantization"][0] != 0 and wanted is not None and wanted.dtype == "float32"
    return replace(own, dtype="float32") if real else own


def _stored(detail: dict[str, Any], layout: str, dtype: str) -> dict[str, Any]:
    told = described(detail, layout)
    return told if dtype != told["dtype"] else {**told, "scale": None, "zero_point": None}
