"""Places that answer jobs: this machine, and emulated Pis. A place that dies in a job says so and goes on with the next."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge.errors import SetupError
from pi import answers, distribution
from pi.guest import Guest
from pi.systems import extras

PROGRAM = Path(answers.__file__)
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Job:
    """One released file to run on one runtime: the bundle, further samples (empty for none), and where its outputs go."""

    bundle: str
    file: str
    runtime: str
    samples: str
    outputs: str


Report = Mapping[str, Any]
Tell = Callable[[], None]


def here(jobs: Sequence[Job], runtime: str, work: Path, done: Tell) -> list[Report]:
    """Do jobs on this machine's processor.

    Raises:
        SetupError: The environment of the old runtime is missing.
    """
    python = Path(sys.executable)
    if runtime == "tflite-runtime":
        python = ROOT / ".venv-legacy" / "bin" / "python"
        if not python.exists():
            raise SetupError(f"{python}: missing, and tflite-runtime is to be compared with itself; run make road")
    settings = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, (distribution.edge(), extras(platform.machine())))),
        "OMP_NUM_THREADS": "1",
    }
    return _all([str(python)], settings, jobs, work, done)


def there(jobs: Sequence[Job], guest: Guest, work: Path, done: Tell) -> list[Report]:
    """Do jobs on an emulated Pi.

    Raises:
        SetupError: A tool is missing, or something cannot be downloaded.
    """
    return _all(guest.python([]), dict(os.environ), jobs, work, done)


def _all(command: list[str], settings: Mapping[str, str], jobs: Sequence[Job], work: Path, done: Tell) -> list[Report]:
    """Run the program until every job has a report; the one that it died in gets the way it died."""
    reports: list[Report] = []
    while len(reports) < len(jobs):
        request = work / "request.json"
        request.write_text(json.dumps({"jobs": [asdict(job) for job in jobs], "first": len(reports)}), encoding="utf-8")
        with (work / "errors.txt").open("w+", encoding="utf-8", errors="replace") as said:
            words = [*command, str(PROGRAM), str(request)]
            with (
                subprocess.Popen(words, stdout=subprocess.PIPE, stderr=said, env=settings, text=True) as running,
                ExitStack() as unfinished,
            ):
                unfinished.callback(running.kill)
                for line in running.stdout or ():
                    reports.append(json.loads(line))
                    done()
                unfinished.pop_all()
            if len(reports) < len(jobs):
                said.seek(0)
                last = (said.read().strip().splitlines() or ["nothing"])[-1]
                reports.append({"number": len(reports), "error": f"the process ended with exit code {running.returncode} and said: {last}"})
                done()
    return reports
