"""Measure what proof costs when a model is opened on this machine, and print it as a table.

`python scripts/device_open.py bundles/mnist_cnn bundles/char_lstm` opens each model several times: proved anew in a child process
(`replay=True`), by the kept verdict, with everything replayed in this process (TANDEM_VERDICTS=off); medians in milliseconds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from edge import Model, runtimes
from edge.errors import TandemError

TIMES = 5


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="+", type=Path)
    parser.add_argument("--times", type=int, default=TIMES, help=f"openings of each kind (default: {TIMES})")
    args = parser.parse_args(argv)
    print("| model | file | golden samples | proved in a child | by the kept verdict | all replayed here |\n|---|---|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory(prefix="tandem-verdicts-") as place:
        for path in args.bundles:
            try:
                print(row(path, Path(place), args.times), flush=True)
            except TandemError as error:
                print(f"device_open: {error}", file=sys.stderr)
                return error.exit_code
    print("\nms, medians; " + ", ".join(f"{name} {version}" for name, version in runtimes.installed().items()))
    return 0


def row(path: Path, place: Path, times: int) -> str:
    """Open one model in each way."""
    os.environ["TANDEM_VERDICTS"] = str(place)
    model = Model.open(path)  # imports the runtime
    anew, kept = _median(path, times, replay=True), _median(path, times)
    os.environ["TANDEM_VERDICTS"] = "off"
    here = _median(path, times)
    return f"| {model.contract.name} | {model.variant.file} | {model.bundle.golden.count} | {anew:.0f} | {kept:.0f} | {here:.0f} |"


def _median(path: Path, times: int, replay: bool = False) -> float:
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        Model.open(path, replay=replay).close()
        taken.append((time.perf_counter() - started) * 1000)
    return statistics.median(taken)


if __name__ == "__main__":
    sys.exit(main())
