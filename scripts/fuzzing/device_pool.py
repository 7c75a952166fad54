"""Children that open mutated models, started again after each that dies; the case of which one died is named."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fuzzing.reports import reports

ROOT = Path(__file__).resolve().parents[2]
START_S, CASE_S = 120.0, 20.0
Seed = tuple[Path, str]  # a released bundle, and one of its files


@dataclass(frozen=True)
class Environment:
    """A Python with edge and one runtime: who runs the children, and the runtime's name."""

    python: Path
    runtime: str


@dataclass(frozen=True)
class Outcome:
    """What became of one mutant.

    `verdict` is `answers` (within the tolerance: the mutation did not matter), `refused` (by an error of ours that says why),
    `died` or `slow` (the child was lost), or `defect` (another error reached the caller).
    """

    runtime: str
    version: str
    file: str
    case: int
    verdict: str
    words: str
    seconds: float


def run(cases: Sequence[int], seed: int, seeds: Sequence[Seed], where: Environment, apart: bool = False) -> Iterator[Outcome]:
    """Let children open mutants.

    Args:
        cases: Their numbers.
        seed: Decides what the mutants are.
        seeds: What is mutated; case n takes seed n modulo their number. They are copied first.
        where: Who opens them, and on what.
        apart: Let each meet the runtime in a process of its own first, as a device does.

    Yields:
        The outcome of each case, as soon as it is known.
    """
    done = 0
    while done < len(cases):
        with tempfile.TemporaryDirectory(prefix="tandem-device-") as place:
            for outcome in _child(cases[done:], seed, copied(seeds, Path(place)), where, Path(place), apart):
                done += 1
                yield outcome


def copied(seeds: Sequence[Seed], place: Path) -> list[Seed]:
    """Copy the bundles of seeds, each seed its own."""
    return [(shutil.copytree(folder, place / str(n) / folder.parent.name / folder.name), file) for n, (folder, file) in enumerate(seeds)]


def _child(cases: Sequence[int], seed: int, seeds: Sequence[Seed], where: Environment, place: Path, apart: bool) -> Iterator[Outcome]:
    """Start one child and read what it reports, until it ends, dies or says nothing for too long."""
    request = place / "request.json"
    content = {"seed": seed, "seeds": [(str(folder), file) for folder, file in seeds], "cases": list(cases)}
    request.write_text(json.dumps({**content, "runtime": where.runtime, "apart": apart}), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "scripts"), str(ROOT))), "OMP_NUM_THREADS": "1"}
    words = [str(where.python), "-m", "fuzzing.device_child", str(request)]
    reported, version = 0, ""
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, process_group=0) as child:
        try:
            for report in reports(child, START_S, CASE_S):
                if "version" in report:
                    version = report["version"]
                    continue
                reported += 1
                yield Outcome(where.runtime, version, **report)
        except queue.Empty:
            yield _lost(cases[reported], seeds, where, version, "slow", f"no answer after {CASE_S:g} s")
            return
        finally:
            child.kill()
        code = child.wait()
    if not version:
        raise RuntimeError(f"{where.python} does not open the seeds on {where.runtime} (exit code {code}); see its error by hand")
    if reported < len(cases):
        ended = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        yield _lost(cases[reported], seeds, where, version, "died", ended)


def _lost(case: int, seeds: Sequence[Seed], where: Environment, version: str, verdict: str, words: str) -> Outcome:
    folder, file = seeds[case % len(seeds)]
    return Outcome(where.runtime, version, f"{folder.parent.name} {file}", case, verdict, words, 0.0)


def environments() -> list[Environment]:
    """Give this Python with ai-edge-litert, and the one of the old runtime where it is installed."""
    old = Path(os.environ.get("TANDEM_LEGACY_PYTHON", ROOT / ".venv-legacy/bin/python"))
    found = [Environment(Path(sys.executable), "ai-edge-litert")]
    return [*found, Environment(old, "tflite-runtime")] if old.exists() else found
