"""A process that answers many times: how its memory grows, and which threads are left when the model is closed. Prints JSON.

`python growth_child.py BUNDLE RUNTIME TARGET PREDICTIONS`
"""

import gc
import json
import sys
from pathlib import Path

import numpy as np

WINDOWS, WARM_UP = 20, 2000


def status(name: str) -> int:
    """Read a number of /proc/self/status."""
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise LookupError(name)


def main(bundle: str, runtime: str, target: str, predictions: int) -> None:
    """Measure, and print what was found; memory in kB."""
    from edge import Model

    Model.open(bundle, runtime=runtime, target=target).close()  # what a runtime starts once and keeps is there from now on
    threads = [status("Threads")]
    with Model.open(bundle, runtime=runtime, target=target, threads=4) as several:
        digits = several.bundle.golden.inputs["image"]
        several.predict_many(list(digits))
        threads.append(status("Threads"))
    del several
    gc.collect()
    threads.append(status("Threads"))
    model = Model.open(bundle, runtime=runtime, target=target)
    for number in range(WARM_UP):
        model.predict(digits[number % len(digits)])
    gc.collect()
    held, size = [status("VmRSS")], predictions // WINDOWS
    for _ in range(WINDOWS):
        for number in range(size):
            model.predict(digits[number % len(digits)])
        held.append(status("VmRSS"))
    slope = float(np.polyfit(size * np.arange(WINDOWS + 1), held, 1)[0]) * 1024
    sys.stdout.write(json.dumps({"held_kb": held, "bytes_per_prediction": slope, "threads": threads}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
