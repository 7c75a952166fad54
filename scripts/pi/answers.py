"""Answer samples with released files, wherever this program runs: `python answers.py REQUEST.json`.

It runs on the emulated Pi and on the machine that emulates, with the edge package, numpy and one runtime and nothing else.
The request is `{"jobs": [{"bundle", "file", "runtime", "samples", "outputs"}], "first": 0}`. Each job opens the bundle as an
application does, hashes and replay of the golden inputs included, and answers the golden inputs and then the samples.
Each writes its outputs as `.npz`, then one line of JSON.
"""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import TandemError
from edge.model import Model
from edge.storage import load_npz, save_npz


def main(argv: list[str]) -> int:
    """Do the jobs of a request, from the first that is wanted; what a job could not do is said in its line."""
    request = json.loads(Path(argv[0]).read_text(encoding="utf-8"))
    for number in range(request["first"], len(request["jobs"])):
        try:
            report = answer(request["jobs"][number])
        except TandemError as error:
            report = {"error": str(error)}
        print(json.dumps({"number": number, **report}), flush=True)
    return 0


def answer(job: dict[str, Any]) -> dict[str, Any]:
    """Answer one file's samples.

    Raises:
        TandemError: The bundle, the file or the runtime cannot be used, or golden inputs no longer give the stored answers.
    """
    model = Model.open(job["bundle"], variant=job["file"], runtime=job["runtime"])
    stored = model.bundle.golden.inputs
    samples = load_npz(Path(job["samples"])) if job["samples"] else {name: array[:0] for name, array in stored.items()}
    outputs = model.run({name: np.concatenate([array, samples[name]]) for name, array in stored.items()})
    save_npz(Path(job["outputs"]), outputs)
    return {
        "version": model.runtime.version,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "golden": model.bundle.golden.count,
        "drift": max(model.drift.values()),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
