"""Files that have no bundle yet, run with plain operators: what they answer themselves, before anything of Tandem's is built on them.

Their tensors are the contract's by name where the names agree, else by their order.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Callable

import numpy as np

from edge.contract import Graph, Tensor
from edge.errors import ContractError, InputError, RuntimeMissingError

Array = np.ndarray[Any, Any]
Answer = Callable[[Sequence[Array]], "list[Array]"]  # (1, …) arrays in the order of the graph's inputs to those of its outputs
_DAMAGED = (ValueError, RuntimeError)  # what the runtimes raise on a file that they do not take
_NUMBERS = ("float32", "float16", "int8", "uint8")


def load(content: bytes, kind: str, graph: Graph, title: str) -> Answer:
    """Load a file.

    Args:
        content: Its bytes.
        kind: `tflite` or `onnx`.
        graph: What it takes and gives.
        title: What messages call it.

    Returns:
        What answers one sample.

    Raises:
        RuntimeMissingError: Its runtime is not installed.
        InputError: The runtime does not take it.
        ContractError: It has another number of inputs or outputs.
    """
    with _loading(title, kind):
        return _tflite(content, graph, title) if kind == "tflite" else _onnx(content, graph, title)


def constants(content: bytes) -> int:
    """Count the real or quantized numbers that a TFLite file holds as constants: what no operator gives and nobody puts in."""
    interpreter = _interpreter(content)
    steps = interpreter._get_ops_details()
    made = {int(i) for step in steps for i in step["outputs"]} | {int(detail["index"]) for detail in interpreter.get_input_details()}
    used = {int(i) for step in steps for i in step["inputs"] if i >= 0} - made
    held = [detail for detail in interpreter.get_tensor_details() if int(detail["index"]) in used]
    return sum(int(np.prod(detail["shape"])) for detail in held if np.dtype(detail["dtype"]).name in _NUMBERS)


def session(content: bytes, title: str) -> Any:
    """Load an ONNX file that no contract describes, on one thread of the CPU.

    Raises:
        RuntimeMissingError: onnxruntime is not installed.
        InputError: It does not take the file.
    """
    with _loading(title, "onnx"):
        return _session(content)


def _session(content: bytes) -> Any:
    runtime = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


@contextmanager
def _loading(title: str, kind: str) -> Iterator[None]:
    """Give what goes wrong while a file is loaded in words."""
    try:
        yield
    except ImportError as error:
        raise RuntimeMissingError(
            f"{title}: its {kind} file needs {error.name}, which is not installed; install Tandem's extra export"
        ) from None
    except _DAMAGED as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise InputError(f"{title}: its {kind} file cannot be loaded ({reason}); check what the source pins") from None


def _interpreter(content: bytes) -> Any:
    module = importlib.import_module("ai_edge_litert.interpreter")
    plain = module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = module.Interpreter(model_content=content, experimental_op_resolver_type=plain)
    interpreter.allocate_tensors()
    return interpreter


def _tflite(content: bytes, graph: Graph, title: str) -> Answer:
    interpreter = _interpreter(content)
    given = _ordered({d["name"]: d for d in interpreter.get_input_details()}, graph.inputs, f"{title}: input")
    taken = _ordered({d["name"]: d for d in interpreter.get_output_details()}, graph.outputs, f"{title}: output")

    def answer(rows: Sequence[Array]) -> list[Array]:
        for detail, row in zip(given, rows):
            interpreter.set_tensor(detail["index"], np.ascontiguousarray(row))
        interpreter.invoke()
        return [interpreter.get_tensor(detail["index"]) for detail in taken]

    return answer


def _onnx(content: bytes, graph: Graph, title: str) -> Answer:
    loaded = _session(content)
    given = [value.name for value in _ordered({v.name: v for v in loaded.get_inputs()}, graph.inputs, f"{title}: input")]
    taken = [value.name for value in _ordered({v.name: v for v in loaded.get_outputs()}, graph.outputs, f"{title}: output")]

    def answer(rows: Sequence[Array]) -> list[Array]:
        return list(loaded.run(taken, dict(zip(given, rows))))

    return answer


def _ordered(own: Mapping[str, Any], tensors: Sequence[Tensor], where: str) -> list[Any]:
    """Return a file's tensors in the order of the contract's: by name where the names agree, else as they stand."""
    if len(own) != len(tensors):
        raise ContractError(
            f"{where}: the file has {', '.join(own)}, the contract {', '.join(t.name for t in tensors)}; they must be as many"
        )
    names = [tensor.name for tensor in tensors]
    return [own[name] for name in names] if set(names) == set(own) else list(own.values())
