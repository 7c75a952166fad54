"""What each released model costs a device: first answer, steady latency, peak memory. Writes docs/edge-footprint.md.

`python scripts/edge_footprint.py [--bundles bundles] [--out docs/edge-footprint.md] [--python PYTHON] [--note TEXT]`

Every model is opened by `tandem bench` in a fresh process, so that no figure holds what another model left behind. The figures are
this machine's, and the page says which one that is.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.bundle import versions
from edge.storage import write_atomic

REPOSITORY = Path(__file__).resolve().parent.parent
IMPORTS = {
    "python": "pass",
    "edge": "import edge",
    "numpy": "import numpy",
    "edge.Model": "from edge import Model",
    "edge.Router": "from edge import Router",
}
TIMES = 5


@dataclass(frozen=True)
class Row:
    """What was measured of one model; `why` says why nothing was."""

    name: str
    figures: dict[str, Any]
    why: str = ""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure every released model and write the page; give 0 where each could be measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundles", type=Path, default=REPOSITORY / "bundles", help="where the released models are")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "docs" / "edge-footprint.md", help="the page")
    parser.add_argument("--python", default=sys.executable, help="the interpreter whose runtime is measured")
    parser.add_argument("--runs", type=int, default=200, help="measured answers of each model")
    parser.add_argument("--note", default="", help="a sentence about the machine, such as that it was busy")
    args = parser.parse_args(argv)
    names = sorted(path.name for path in args.bundles.iterdir() if versions(path))
    rows = []
    for name in names:
        rows.append(measured(args.bundles / name, args.python, args.runs))
        print(f"{name}: {rows[-1].why or 'measured'}", file=sys.stderr)
    write_atomic(args.out, page(rows, imported(args.python), args.note).encode())
    return 0 if not any(row.why for row in rows) else 1


def measured(folder: Path, python: str, runs: int) -> Row:
    """Measure one model in a fresh process; a model that has no file for devices is measured as a server runs it."""
    said = ""
    for target in ("device", "server"):
        command = [python, "-m", "edge", "bench", str(folder), "--json", "--runs", str(runs), "--target", target]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=REPOSITORY, env=environment())
        if done.returncode == 0:
            return Row(folder.name, json.loads(done.stdout.splitlines()[-1]))
        said = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit code {done.returncode}"
    return Row(folder.name, {}, said)


def imported(python: str) -> dict[str, tuple[float, int]]:
    """Give, for each of `IMPORTS`, milliseconds and peak kB of a fresh process: the median of five."""
    code = (
        "import time; begun = time.perf_counter(); {}; took = time.perf_counter() - begun; "
        "held = next(line for line in open('/proc/self/status') if line.startswith('VmHWM')); print(took * 1000, held.split()[1])"
    )
    found = {}
    for name, statement in IMPORTS.items():
        command = [python, "-c", code.format(statement)]
        said = [subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY).stdout for _ in range(TIMES)]
        times, held = zip(*(line.split() for line in said), strict=True)
        found[name] = (statistics.median(map(float, times)), int(statistics.median(map(int, held))))
    return found


def page(rows: Sequence[Row], imports: dict[str, tuple[float, int]], note: str) -> str:
    """Write the page."""
    lines = [
        "# What a model costs on the device",
        "",
        f"Written by `scripts/edge_footprint.py` on {machine()}. {note}".strip(),
        "These are that machine's figures, and no Raspberry Pi's: run `tandem bench` on the device for its own.",
        "",
        "Each model was opened in a fresh process with one thread. *First answer* is from the start of the process: Python, imports,",
        "every hash, the golden replay, and one inference. *Steady* is one inference after a warm-up, without decoding of pictures.",
        "*Peak* is the most memory that the process held: Python, numpy, the runtime and the model.",
        "",
        "| model | file | runtime | first answer, ms | steady p50, ms | steady p95, ms | peak, MB |",
        "|---|---|---|--:|--:|--:|--:|",
        *(_line(row) for row in rows),
        "",
        "What stands in each of them before any model:",
        "",
        "| a process that does | ms | peak, MB |",
        "|---|--:|--:|",
        *(f"| `{IMPORTS[name]}` | {took:.1f} | {held * 1024 / 1e6:.1f} |" for name, (took, held) in imports.items()),
    ]
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    if row.why:
        return f"| {row.name} | – | – | – | – | – | {row.why.replace('|', '/')} |"
    one = row.figures
    cells = [row.name, one["file"], f"{one['runtime']} {one['runtime_version']}", f"{one['start_to_answer_ms']:.0f}"]
    cells += [f"{one['latency_p50_ms']:.3f}", f"{one['latency_p95_ms']:.3f}", f"{one['rss_peak_bytes'] / 1e6:.1f}"]
    return f"| {' | '.join(cells)} |"


def machine() -> str:
    """Name this machine: processor, cores, system, Python."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text(encoding="utf-8", errors="replace").splitlines() if facts.exists() else []
    processor = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{processor}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def environment() -> dict[str, str]:
    """Give the environment of a child: this repository's `edge`, one thread in numerical libraries."""
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": ""}


if __name__ == "__main__":
    sys.exit(main())
