"""ONNX files on onnxruntime, on the CPU or on CUDA; never on another provider than the one asked for."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

import numpy as np

from edge.contract import Graph
from edge.errors import GateError, InputError, ProviderError, RuntimeMissingError
from edge.runtimes import Options, Runtime
from edge.runtimes.binding import Binding
from edge.variants import Physical, Variant

Array = np.ndarray[Any, Any]
CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
_GPU_NODES = ("/dev/nvidiactl", "/dev/dxg", "/dev/nvhost-gpu")


def load(runtime: str, version: str, path: Path, graph: Graph, variant: Variant, options: Options) -> Runtime:
    """Load an `.onnx` file; see `edge.runtimes.load`."""
    try:
        import onnxruntime
    except ImportError as error:
        raise RuntimeMissingError(f"onnxruntime {version} is installed but cannot be imported ({error}); install it again") from None
    if hasattr(onnxruntime, "disable_telemetry_events"):
        onnxruntime.disable_telemetry_events()
    session, note = _choose(onnxruntime, path, options)
    loaded = OnnxRuntime(runtime, version, session, session.get_providers()[0], path.name, graph, variant)
    loaded.note = note
    if loaded.provider == CUDA:
        loaded.bind(onnxruntime)
    return loaded


class OnnxRuntime:
    """A loaded `.onnx` file; callers may run it from several threads."""

    def __init__(self, name: str, version: str, session: Any, provider: str, file: str, graph: Graph, variant: Variant) -> None:
        """Check that the file has the tensors that `variants.json` names, with their dtypes."""
        self.name, self.version, self.provider, self.note = name, version, provider, ""
        self._bound: Optional[Binding] = None
        self._session, self._file = session, file
        self._inputs = {t.name: p.name for t, p in zip(graph.inputs, variant.io.inputs)}
        self._outputs = {t.name: p.name for t, p in zip(graph.outputs, variant.io.outputs)}
        self._failures = _failures()
        self._single = any(tensor.shape and tensor.shape[0] == 1 for tensor in session.get_inputs())  # takes one sample at a time
        _check("input", variant.io.inputs, session.get_inputs(), file)
        _check("output", variant.io.outputs, session.get_outputs(), file)

    def bind(self, onnxruntime: Any) -> None:
        """Run by I/O binding from now on, as a GPU wants it; on the CPU it gives the same answers, and gains nothing."""
        self._bound = Binding(onnxruntime, self._session, self.provider, padded=not self._single)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run (N, …) arrays; see `edge.runtimes.Runtime`.

        Raises:
            InputError: The runtime refuses the arrays.
        """
        feeds = {physical: inputs[name] for name, physical in self._inputs.items()}
        count = len(next(iter(feeds.values())))
        if not self._single or count == 1:
            return dict(zip(self._outputs, self._answer(feeds)))
        rows = [self._answer({name: array[i : i + 1] for name, array in feeds.items()}) for i in range(count)]
        return {name: np.concatenate(parts) for name, parts in zip(self._outputs, zip(*rows))}

    def _answer(self, feeds: dict[str, Array]) -> list[Array]:
        names = list(self._outputs.values())
        try:
            values: list[Array] = self._session.run(names, feeds) if self._bound is None else self._bound.run(names, feeds)
        except self._failures as error:
            raise InputError(f"{self._file}: onnxruntime refuses the input ({str(error).splitlines()[0]})") from None
        return values


def _check(side: str, expected: tuple[Physical, ...], found: Any, file: str) -> None:
    """Hold the file's tensors against what `variants.json` says of them."""
    types = {tensor.name: tensor.type for tensor in found}
    for physical in expected:
        if physical.name not in types:
            raise GateError(f"{file}: no {side} {physical.name!r}; it has {', '.join(types)}")
        wanted = f"tensor({'float' if physical.dtype == 'float32' else physical.dtype})"
        if types[physical.name] != wanted:
            raise GateError(f"{file}: {side} {physical.name!r} is {types[physical.name]}, expected {wanted}")


def _choose(onnxruntime: Any, path: Path, options: Options) -> tuple[Any, str]:
    """Open a session on the device asked for; `auto` takes CUDA where it truly works, and says in the log and here why not."""
    if options.device == "cuda" or (options.device == "auto" and any(Path(node).exists() for node in _GPU_NODES)):
        try:
            return _session(onnxruntime, path, CUDA, options.threads), ""
        except ProviderError as error:
            if options.device == "cuda":
                raise
            logging.getLogger(__name__).warning("device=auto takes the CPU: %s", error)
            return _session(onnxruntime, path, CPU, options.threads), str(error)
    note = "this machine has no NVIDIA device" if options.device == "auto" else ""
    return _session(onnxruntime, path, CPU, options.threads), note


def _session(onnxruntime: Any, path: Path, provider: str, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    if provider == CUDA:
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        if hasattr(onnxruntime, "preload_dlls"):
            with contextlib.redirect_stdout(sys.stderr):  # it prints what it does not find
                onnxruntime.preload_dlls()
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=[provider])
    except _failures() as error:
        if provider == CUDA:
            raise ProviderError(_why_not_cuda(onnxruntime, path, CPU)) from None
        reason = str(error).strip().splitlines()[0]
        raise GateError(f"{path.name}: onnxruntime {onnxruntime.__version__} cannot load it ({reason})") from None
    if session.get_providers()[0] != provider:
        raise ProviderError(_why_not_cuda(onnxruntime, path, session.get_providers()[0]))
    return session


def _why_not_cuda(onnxruntime: Any, path: Path, provider: str) -> str:
    """Say what stands between this machine and CUDA, by loading the provider's library as the system would."""
    library = Path(onnxruntime.__file__).parent / "capi" / "libonnxruntime_providers_cuda.so"
    reason = "this onnxruntime has no CUDA provider; install onnxruntime-gpu[cuda,cudnn]"
    if library.exists():
        reason = "no GPU that CUDA can use, or an operator of the model has no CUDA kernel"
        try:
            ctypes.CDLL(str(library))
        except OSError as error:
            reason = f"{error}; install onnxruntime-gpu[cuda,cudnn] and the NVIDIA driver"
    return f"{path.name}: DEVICE=cuda was asked for, but the model would run on {provider}: {reason}; or set DEVICE=cpu"


def _failures() -> tuple[type[BaseException], ...]:
    """List the exceptions that onnxruntime defines; they have no common base but `Exception`."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    classes = [getattr(state, name) for name in dir(state)]
    return (ValueError, RuntimeError, *(c for c in classes if isinstance(c, type) and issubclass(c, Exception)))
