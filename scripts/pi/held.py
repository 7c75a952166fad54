"""What one model holds in memory: `python held.py BUNDLE FILE RUNTIME ANSWERS`, in a real guest.

It opens the bundle as an application does, answers the golden inputs over and over, and prints one line of JSON with the
most memory that the process held, its threads, and how much it grew over the second half of the answers.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from edge.model import Model


def main(argv: list[str]) -> int:
    """Measure and print."""
    bundle, file, runtime, answers = argv[0], argv[1], argv[2], int(argv[3])
    model = Model.open(bundle, variant=file, runtime=runtime)
    stored = model.bundle.golden.inputs
    rows = [{name: array[i : i + 1] for name, array in stored.items()} for i in range(model.bundle.golden.count)]
    middle = 0
    for number in range(answers):
        model.run(rows[number % len(rows)])
        if number == answers // 2:
            middle = _status()["VmRSS"]
    status = _status()
    print(
        json.dumps(
            {
                "version": model.runtime.version,
                "answers": answers,
                "rss_bytes": status["VmRSS"] * 1024,
                "rss_peak_bytes": status["VmHWM"] * 1024,
                "rss_growth_bytes": (status["VmRSS"] - middle) * 1024,
                "threads": status["Threads"],
            }
        )
    )
    return 0


def _status() -> dict[str, int]:
    """Return the whole numbers of `/proc/self/status`; memory is in kilobytes."""
    words = [line.split() for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()]
    return {line[0].rstrip(":"): int(line[1]) for line in words if len(line) > 1 and line[1].isdigit()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
