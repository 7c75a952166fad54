"""Children that read mutants, started again after each that dies: the case of which one died is named, and it alone counts as contained."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fuzzing.kinds import KINDS
from fuzzing.reports import reports

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "scripts"
START_S, CASE_S = 180.0, 60.0
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "PYTHONWARNINGS": "ignore", "PYTHONDONTWRITEBYTECODE": "1"}
Case = tuple[str, "int | str"]  # a kind, and a mutant's number or the path of a file that is read as it is


@dataclass(frozen=True)
class Verdict:
    """What became of one case.

    `verdict` is `taken`, `refused` (by an error of ours that says why), `unforeseen` (by the child's border, in one line),
    `died` or `slow` (the child was lost and the parent says so), or `defect`.
    """

    kind: str
    case: int | str
    verdict: str
    words: str
    seconds: float
    peak_kb: int


def run(cases: Sequence[Case], seed: int, seeds: Path) -> Iterator[Verdict]:
    """Let children read cases.

    Args:
        cases: What to read; those of one kind are read one after another.
        seed: Decides what the mutants are.
        seeds: The folder with the unpacked seeds.

    Yields:
        A verdict for each case, as soon as it is known.
    """
    ordered = [case for kind in dict.fromkeys(kind for kind, _ in cases) for case in cases if case[0] == kind]
    done = 0
    while done < len(ordered):
        with tempfile.TemporaryDirectory(prefix="tandem-fuzz-") as place:
            for verdict in _child(ordered[done:], seed, seeds, Path(place)):
                done += 1
                yield verdict


def _child(cases: Sequence[Case], seed: int, seeds: Path, place: Path) -> Iterator[Verdict]:
    """Start one child and read what it reports, until it ends, dies or says nothing for too long."""
    work = place / "work"
    for folder in (work / "here", work / "tmp"):
        folder.mkdir(parents=True)
    request = place / "request.json"
    request.write_text(json.dumps({"seed": seed, "seeds": str(seeds), "work": str(work), "cases": cases}), encoding="utf-8")
    paths = os.pathsep.join((str(SCRIPTS), str(ROOT)))
    environment = {**os.environ, **QUIET, "PYTHONPATH": paths, "TMPDIR": str(work / "tmp"), "HOME": str(work)}
    words = [sys.executable, "-m", "fuzzing.child", str(request)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, process_group=0) as child:
        reported = 0
        try:
            for report in reports(child, START_S, CASE_S):
                if "seed" not in report:
                    reported += 1
                    yield Verdict(**report)
                elif report["verdict"] != "taken":
                    raise RuntimeError(f"the seed of {report['seed']} itself is not taken ({report['words']}); make the seeds anew")
        except queue.Empty:
            yield _lost(cases[reported], "slow", f"no answer after {CASE_S:g} s")
            return
        finally:
            child.kill()
        if reported < len(cases):
            errors = child.stderr.read().decode("utf-8", "replace") if child.stderr else ""
            code = child.wait()
            ended = signal.Signals(-code).name if code < 0 else f"exit code {code} {errors[-300:]}"
            yield _lost(cases[reported], "died", ended)
    strays = sorted(path.name for path in place.iterdir() if path.name not in ("work", "request.json"))
    if strays:
        raise RuntimeError(f"a reader wrote {', '.join(strays)} beside its folder; one of the cases {cases[0]} to {cases[-1]}")


def _lost(case: Case, verdict: str, words: str) -> Verdict:
    """Judge a lost child: a defect where the command itself would have been lost, since no child of its own reads such a file."""
    kind, number = case
    return Verdict(kind, number, verdict if KINDS[kind].in_child else "defect", words, 0.0, 0)


def tally(verdicts: Sequence[Verdict]) -> dict[str, Counter[str]]:
    """Count verdicts by kind."""
    counts: dict[str, Counter[str]] = {}
    for each in verdicts:
        counts.setdefault(each.kind, Counter())[each.verdict] += 1
    return counts
