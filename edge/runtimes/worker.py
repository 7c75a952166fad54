"""Run arrays through a file in a process of its own: `python -m edge.runtimes.worker REQUEST.json`.

The export stage uses it to try a file on a runtime that lives in another environment, and to survive a runtime that
crashes. The request is a file, `{"file", "runtime", "contract", "variant", "inputs", "outputs", "threads"}`; answers
are written as `.npz`; the last line on standard output is JSON with what one sample costs in time and memory.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from edge import contract, memory, runtimes
from edge.errors import EXIT_USAGE, TandemError
from edge.runtimes import Options, Runtime
from edge.schema import decode
from edge.storage import load_npz, save_npz
from edge.variants import Variant

Array = np.ndarray[Any, Any]
PIECE = 64
WARM_UP, TIMED, TIMED_S = 5, 200, 2.0


def main(argv: list[str]) -> int:
    """Serve one request; print one line of JSON and give the exit code of what went wrong, or 0."""
    if len(argv) != 1:
        print(json.dumps({"error": "usage: python -m edge.runtimes.worker REQUEST.json"}))
        return EXIT_USAGE
    try:
        report = answer(json.loads(Path(argv[0]).read_text(encoding="utf-8")))
    except TandemError as error:
        print(json.dumps({"error": str(error)}))
        return error.exit_code
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(json.dumps({"error": f"{argv[0]} is no request of this worker ({type(error).__name__}: {error})"}))
        return EXIT_USAGE
    print(json.dumps(report))
    return 0


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Load the file, run all samples, write the outputs.

    Raises:
        TandemError: The runtime is missing or refuses the file.
    """
    promise = contract.load(Path(request["contract"]))
    variant = decode(Variant, request["variant"])
    runtime = runtimes.load(request["runtime"], Path(request["file"]), promise.main, variant, Options(request.get("threads", 1)))
    arrays = load_npz(Path(request["inputs"]))
    inputs = {tensor.name: arrays[f"input/{tensor.name}"] for tensor in promise.main.inputs}
    seconds = _alone(runtime, inputs)
    peak = memory.peak()  # before all samples are answered, so that their answers do not count
    parts = [runtime.run(piece) for piece in _pieces(inputs)]
    save_npz(Path(request["outputs"]), {f"output/{name}": np.concatenate([part[name] for part in parts]) for name in parts[0]})
    return {
        "runtime": runtime.name,
        "version": runtime.version,
        "provider": runtime.provider,
        "seconds_per_sample": float(np.median(seconds)),
        "seconds_p95": float(np.percentile(seconds, 95)),
        "peak_rss_bytes": peak,
    }


def _pieces(inputs: dict[str, Array]) -> list[dict[str, Array]]:
    """Cut (N, …) arrays into pieces of at most `PIECE` samples."""
    count = len(next(iter(inputs.values())))
    return [{name: array[start : start + PIECE] for name, array in inputs.items()} for start in range(0, count, PIECE)]


def _alone(runtime: Runtime, inputs: dict[str, Array]) -> list[float]:
    """Time samples one by one, after some that warm up, for at most about `TIMED_S` seconds; give the seconds of each."""
    count = len(next(iter(inputs.values())))
    seconds: list[float] = []
    begun = time.perf_counter()
    for number in range(WARM_UP + TIMED):
        sample = {name: array[number % count : number % count + 1] for name, array in inputs.items()}
        start = time.perf_counter()
        runtime.run(sample)
        seconds.append(time.perf_counter() - start)
        if time.perf_counter() - begun > TIMED_S:
            break
    return seconds[WARM_UP:] or seconds


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
