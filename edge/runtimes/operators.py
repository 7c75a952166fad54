"""Which operators take the time, where the runtime tells: onnxruntime does, the Python packages of TFLite do not.

Source: onnxruntime's documentation, "Profiling tools".
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import SetupError
from edge.variants import RUNTIMES_OF, Variant

Array = np.ndarray[Any, Any]
SILENT = "{runtime}'s Python package tells no times of operators"
_TIMED = "_kernel_time"


@dataclass(frozen=True)
class OperatorTime:
    """One kind of operator: how often it runs for one answer, how long all of them take, and their share of all operators' time."""

    operator: str
    count: float
    ms: float
    share: float


def tells(runtime: str) -> bool:
    """Tell whether a runtime says how long its operators take."""
    return runtime in RUNTIMES_OF["onnx"]


def operator_times(path: Path, variant: Variant, rows: Sequence[Mapping[str, Array]], threads: int, runs: int) -> list[OperatorTime]:
    """Run an `.onnx` file on the CPU with onnxruntime's profiler on, in a session of its own.

    Args:
        path: The file.
        variant: What `variants.json` says of it.
        rows: Inputs by the contract's order of tensors, one sample each, taken in turns.
        threads: Processor threads.
        runs: How many answers are profiled.

    Returns:
        The operators, the longest first. Optimised graphs have other operators than the file: fused ones.

    Raises:
        SetupError: The profile cannot be written or read.
    """
    import onnxruntime

    try:
        with tempfile.TemporaryDirectory(prefix="tandem-profile-") as folder:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
            options.log_severity_level = 4
            options.enable_profiling = True
            options.profile_file_prefix = str(Path(folder) / "profile")
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            names = [physical.name for physical in variant.io.inputs]
            for i in range(runs):
                session.run(None, dict(zip(names, rows[i % len(rows)].values())))
            events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SetupError(f"operators cannot be timed: the profile of {path.name} cannot be written or read ({error})") from None
    return summed(events, runs)


def summed(events: Sequence[Mapping[str, Any]], runs: int) -> list[OperatorTime]:
    """Sum up the events of a profile of several runs by operator; the first run, in which buffers are made, counts like any other."""
    took: dict[str, list[float]] = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and str(event.get("name", "")).endswith(_TIMED):
            took[str(event["args"]["op_name"])].append(float(event["dur"]) / 1000)
    whole = sum(sum(times) for times in took.values()) or 1.0
    found = [OperatorTime(name, len(times) / runs, sum(times) / runs, sum(times) / whole) for name, times in took.items()]
    return sorted(found, key=lambda one: one.ms, reverse=True)
