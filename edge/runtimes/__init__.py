"""The runtimes that can run a released file. Each is imported only when it is used."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Protocol

import numpy as np

from edge.contract import Graph
from edge.errors import InputError, ProviderError, RuntimeMissingError, UsageError
from edge.variants import Variant

Array = np.ndarray[Any, Any]


class Runtime(Protocol):
    """A file loaded on a runtime; `note` says why it is not on the device that was preferred, empty where it is."""

    name: str
    version: str
    provider: str
    note: str

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run logical (N, …) arrays by tensor name; give logical (N, …) arrays by tensor name."""


DEVICES = ("cpu", "cuda", "auto")
MOST_THREADS = 1024


@dataclass(frozen=True)
class Options:
    """How to run: processor threads, and `cpu`, `cuda` or `auto` where the runtime can choose."""

    threads: int = 1
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Refuse what no machine has.

        Raises:
            InputError: The number of threads makes no sense.
            ProviderError: There is no such device.
        """
        if type(self.threads) is not int or not 1 <= self.threads <= MOST_THREADS:
            raise InputError(f"threads is {self.threads!r}, expected 1 to {MOST_THREADS}")
        if self.device not in DEVICES:
            raise ProviderError(f"device is {self.device!r}, expected one of {', '.join(DEVICES)}")


@dataclass(frozen=True)
class Known:
    """A runtime that Tandem can use: its import name, its distributions, our adapter and how to install it."""

    module: str
    distributions: tuple[str, ...]
    adapter: str
    remedy: str


class Closed:
    """Stands in the place of a runtime that was let go, and says so."""

    name = version = provider = "closed"
    note = ""

    def __init__(self, model: str) -> None:
        """Remember whose runtime it was."""
        self._model = model

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Refuse to run.

        Raises:
            UsageError: Always.
        """
        del inputs
        raise UsageError(f"{self._model} is closed and its runtime is gone; open it again with Model.open")


KNOWN: Mapping[str, Known] = {
    "ai-edge-litert": Known("ai_edge_litert", ("ai-edge-litert",), "edge.runtimes.tflite", "install the extra tflite of tandem-edge"),
    "tflite-runtime": Known(
        "tflite_runtime", ("tflite-runtime",), "edge.runtimes.tflite", "install the extra tflite-legacy of tandem-edge (Python up to 3.11)"
    ),
    "onnxruntime": Known("onnxruntime", ("onnxruntime-gpu", "onnxruntime"), "edge.runtimes.onnx", "install the extra onnx of tandem-edge"),
}


def installed() -> dict[str, str]:
    """Give the version of each known runtime that is installed, in order of preference; nothing is imported."""
    found = {}
    for name, known in KNOWN.items():
        if importlib.util.find_spec(known.module) is not None:
            found[name] = _version(known)
    return found


def remedy(runtime: str) -> str:
    """Say how to get a runtime; where it has no wheel for this Python or processor, why not, and what to take in its place."""
    from edge.runtimes.wheels import obstacle  # only here: a machine that has its runtime needs no table

    return obstacle(runtime) or KNOWN[runtime].remedy


def load(runtime: str, path: Path, graph: Graph, variant: Variant, options: Options) -> Runtime:
    """Load a released file on a runtime.

    Raises:
        RuntimeMissingError: The runtime is not installed or cannot work as installed; the message says how to get it.
        ProviderError: CUDA was asked for and is not in use.
        GateError: The runtime refuses the file, or the file's tensors are not those of the contract.
    """
    known = KNOWN.get(runtime)
    if known is None:
        raise RuntimeMissingError(f"no runtime is called {runtime!r}; there are {', '.join(KNOWN)}")
    if importlib.util.find_spec(known.module) is None:
        raise RuntimeMissingError(f"{runtime} is not installed, but {path.name} is to run on it; {remedy(runtime)}")
    adapter = importlib.import_module(known.adapter)
    loaded: Runtime = adapter.load(runtime, _version(known), path, graph, variant, options)
    return loaded


def _version(known: Known) -> str:
    version: Optional[str] = None
    for distribution in known.distributions:
        try:
            version = importlib.metadata.version(distribution)
            break
        except importlib.metadata.PackageNotFoundError:
            continue
    return version or "unknown"
