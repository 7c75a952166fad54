"""What a loaded model costs on this machine: time, memory, operators; and which of two models is faster, and by how much."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Optional

import numpy as np

from edge import memory
from edge.cpu import text
from edge.errors import SetupError
from edge.model import Model
from edge.runtimes import operators
from edge.runtimes.operators import OperatorTime
from edge.runtimes.tflite import TfliteRuntime
from edge.timing import Latency, Ratio, single_rows, time_in_turns, time_runs

PROFILED = 100  # answers; the first ones, in which buffers are made, then weigh little


def measure(model: Model, runs: int, warmup: int) -> dict[str, Any]:
    """Time single inferences on the stored golden inputs, one after the other, and read the memory afterwards.

    Returns:
        Times in milliseconds and memory in bytes; None is what the system does not tell.
    """
    rows = single_rows(model.bundle.golden.inputs)
    first = time_runs(model.run, rows, 1)
    answered = seconds_since_start()
    latency = Latency.of(time_runs(model.run, rows, runs, warmup))
    return {
        "runs": runs,
        "warmup": warmup,
        "first_inference_ms": float(first[0]) * 1000,
        "start_to_answer_ms": None if answered is None else answered * 1000,
        **latency.figures(),
        "rss_bytes": memory.resident(),
        "rss_peak_bytes": memory.peak(),
    }


def compare(first: Model, second: Model, rounds: int, runs: int, warmup: int) -> dict[str, Any]:
    """Time two models in turns.

    Args:
        first: The one that is asked about.
        second: The one that it is held against.
        rounds: How often each has its turn.
        runs: Inferences in one turn.
        warmup: Inferences of each before the first round.

    Returns:
        The latency of both over all rounds, and how long the second takes in terms of the first.
    """
    sides = tuple((model.run, single_rows(model.bundle.golden.inputs)) for model in (first, second))
    ours, theirs = time_in_turns((sides[0], sides[1]), rounds, runs, warmup)
    ratio = Ratio.of(np.median(theirs, axis=1), np.median(ours, axis=1))
    return {"latency": [Latency.of(side.ravel()).figures() for side in (ours, theirs)], "ratio": asdict(ratio), "runs": rounds * runs}


def operator_times(model: Model, threads: int) -> tuple[list[OperatorTime], str]:
    """Tell which operators take the time; where the runtime does not, or cannot here, the list is empty and the words say why."""
    name = model.runtime.name
    if not operators.tells(name):
        return [], operators.SILENT.format(runtime=name)
    if model.runtime.provider != "CPUExecutionProvider":
        return [], f"operators are timed on the CPU only, and the model runs on {model.runtime.provider}"
    rows = single_rows(model.bundle.golden.inputs)
    ordered = [{tensor.name: row[tensor.name] for tensor in model.contract.main.inputs} for row in rows]
    try:
        return operators.operator_times(model.bundle.file(model.variant), model.variant, ordered, threads, PROFILED), ""
    except SetupError as error:
        return [], str(error)


def xnnpack_words(model: Model) -> str:
    """Say how much of a TFLite file runs in the delegate that its runtime brings, XNNPACK; empty for other runtimes."""
    return model.runtime.delegation().sentence() if isinstance(model.runtime, TfliteRuntime) else ""


def seconds_since_start(root: Path = Path("/")) -> Optional[float]:
    """Give the seconds since this process was started, to a hundredth; None where the system does not tell. Source: proc(5)."""
    fields = text(root / "proc/self/stat").rpartition(")")[2].split()
    if len(fields) < 20 or not hasattr(time, "CLOCK_BOOTTIME"):
        return None
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
