"""TFLite files on ai-edge-litert, or on its predecessor tflite-runtime where no newer wheel exists."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edge.contract import Graph, Tensor
from edge.errors import GateError, ProviderError, RuntimeMissingError
from edge.runtimes import KNOWN, Options, Runtime
from edge.runtimes.delegation import Delegation, delegation
from edge.variants import Physical, Variant

Array = np.ndarray[Any, Any]


def load(runtime: str, version: str, path: Path, graph: Graph, variant: Variant, options: Options) -> Runtime:
    """Load a `.tflite` file; see `edge.runtimes.load`."""
    if options.device == "cuda":
        raise ProviderError(
            f"{path.name}: DEVICE=cuda was asked for, but {runtime} runs on the processor alone; "
            "take an .onnx file, such as with --target server, or set DEVICE=cpu"
        )
    interpreter_class = _interpreter_class(runtime, version)
    try:
        interpreter = interpreter_class(model_path=str(path), num_threads=options.threads)
        interpreter.allocate_tensors()
        loaded = TfliteRuntime(runtime, version, interpreter, path.name, graph, variant)  # reads names, which may be no text
    except (ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise GateError(f"{path.name}: {runtime} {version} cannot load it ({reason}); use another variant or a newer runtime") from None
    loaded.note = f"{runtime} runs on the processor alone" if options.device == "auto" else ""
    return loaded


class TfliteRuntime:
    """A loaded `.tflite` file of batch 1; larger batches run one sample after the other."""

    provider = "CPU"

    def __init__(self, name: str, version: str, interpreter: Any, file: str, graph: Graph, variant: Variant) -> None:
        """Find the contract's tensors in the file by their physical names and check their dtypes and shapes."""
        self.name, self.version, self.note = name, version, ""
        self._interpreter, self._lock, self._file = interpreter, threading.Lock(), file
        self._inputs = _bind(interpreter.get_input_details(), graph.inputs, variant.io.inputs, file)
        self._outputs = _bind(interpreter.get_output_details(), graph.outputs, variant.io.outputs, file)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run (N, …) arrays; see `edge.runtimes.Runtime`."""
        count = len(next(iter(inputs.values())))
        rows: dict[str, list[Array]] = {name: [] for name in self._outputs}
        with self._lock:  # an interpreter holds its tensors: one caller at a time
            for i in range(count):
                sample = {name: array[i : i + 1] for name, array in inputs.items()}
                for name, row in self._one(sample).items():
                    rows[name].append(row)
        return {name: np.concatenate(parts) for name, parts in rows.items()}

    def delegation(self) -> Delegation:
        """Count the operators that XNNPACK has taken; see `edge.runtimes.delegation`."""
        return delegation(self._interpreter._get_ops_details())

    def _one(self, sample: Mapping[str, Array]) -> dict[str, Array]:
        """Run one sample, (1, …) arrays; some operators find out only now that they cannot."""
        try:
            for name, (index, physical, _) in self._inputs.items():
                self._interpreter.set_tensor(index, _stored(sample[name], physical))
            self._interpreter.invoke()
            tensors = {name: (self._interpreter.get_tensor(bound[0]), *bound[1:]) for name, bound in self._outputs.items()}
        except (ValueError, RuntimeError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise GateError(
                f"{self._file}: {self.name} {self.version} cannot run it ({reason}); use another variant or a newer runtime"
            ) from None
        return {name: _real(*tensor) for name, tensor in tensors.items()}


Bound = dict[str, "tuple[int, Physical, str]"]


def _interpreter_class(runtime: str, version: str) -> Any:
    known = KNOWN[runtime]
    if runtime == "tflite-runtime" and int(np.__version__.split(".")[0]) >= 2:
        raise RuntimeMissingError(f"tflite-runtime {version} crashes with numpy {np.__version__}; install 'numpy<2', or use ai-edge-litert")
    try:
        return importlib.import_module(f"{known.module}.interpreter").Interpreter
    except (ImportError, OSError) as error:  # OSError: its library cannot be mapped, as where memory is short
        raise RuntimeMissingError(f"{runtime} {version} is installed but cannot be imported ({error}); {known.remedy}") from None


def _bind(details: list[dict[str, Any]], tensors: tuple[Tensor, ...], physicals: tuple[Physical, ...], file: str) -> Bound:
    """Map each logical tensor to its index in the file."""
    by_name = {detail["name"]: detail for detail in details}
    bound: Bound = {}
    for tensor, physical in zip(tensors, physicals):
        detail = by_name.get(physical.name)
        if detail is None:
            raise GateError(f"{file}: no tensor {physical.name!r} for {tensor.name!r}; it has {', '.join(by_name)}")
        shape = tuple(int(n) for n in detail["shape"])
        if np.dtype(detail["dtype"]) != physical.dtype or not tensor.takes_batch(shape) or shape[0] != 1:
            raise GateError(
                f"{file}: tensor {tensor.name!r} is {np.dtype(detail['dtype'])} {shape}, expected {physical.dtype} {(1, *tensor.row_shape)}"
            )
        bound[tensor.name] = (int(detail["index"]), physical, tensor.dtype)
    return bound


def _stored(value: Array, physical: Physical) -> Array:
    """Turn real numbers into what the file stores."""
    if physical.scale is None or physical.zero_point is None:
        return np.ascontiguousarray(value.astype(physical.dtype, copy=False))
    limits = np.iinfo(physical.dtype)
    steps = np.rint(value.astype(np.float32) / np.float32(physical.scale)) + physical.zero_point
    stored: Array = np.clip(steps, limits.min, limits.max).astype(physical.dtype)
    return stored


def _real(value: Array, physical: Physical, dtype: str) -> Array:
    """Turn what the file stores into real numbers."""
    if physical.scale is None or physical.zero_point is None:
        return value.astype(dtype, copy=False)
    return ((value.astype(np.float32) - physical.zero_point) * np.float32(physical.scale)).astype(dtype)
