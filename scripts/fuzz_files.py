"""Mutate small valid model files, let the readers of `tandem export --program` meet them, and count what becomes of each.

`python scripts/fuzz_files.py` reads 10,000 mutants; `--share 0.1` a tenth of them; `--kind onnx --case 1234` one again, and
shows what was said; `--results FILE`, then `--read FILE` prints the table of docs/bring-your-own.md. Ends with 1 where a case was a defect.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from fuzzing.child import mutant
from fuzzing.kinds import KINDS
from fuzzing.pool import ROOT, Case, Verdict, run, tally
from fuzzing.seeds import make, unpack

CORPUS = ROOT / "tests" / "export_tests" / "corpus"
VERDICTS = ("taken", "refused", "unforeseen", "died", "slow", "defect")


def main(argv: Sequence[str] | None = None) -> int:
    """Read the mutants and print what became of them.

    Returns:
        1 where a case was a defect, else 0.
    """
    args = _parser().parse_args(argv)
    if args.make_seeds:
        make(CORPUS)
        return 0
    if args.read:
        print(table([Verdict(**json.loads(line)) for path in args.read for line in path.read_text(encoding="utf-8").splitlines()]))
        return 0
    with tempfile.TemporaryDirectory(prefix="tandem-seeds-") as folder:
        seeds, started = unpack(CORPUS, Path(folder)), time.perf_counter()
        kinds = args.kind or list(KINDS)
        if args.keep and args.case is not None:
            args.keep.write_bytes(mutant(args.seed, kinds[0], args.case, seeds))
        plans = [_plan(kind, args.share, args.case) for kind in kinds]
        with ThreadPoolExecutor(args.jobs) as pool:
            found = [verdict for verdicts in pool.map(lambda plan: _read(plan, args.seed, seeds), plans) for verdict in verdicts]
        seconds = time.perf_counter() - started
    if args.results:
        args.results.write_text("".join(json.dumps(asdict(each)) + "\n" for each in found), encoding="utf-8")
    print("\n".join(f"{each.verdict}: {each.words}" for each in found) if args.case is not None else _text(found, seconds))
    return int(any(each.verdict == "defect" for each in found))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="decides what the mutants are (default: 1)")
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="this kind alone; may be given several times")
    parser.add_argument("--share", type=float, default=1.0, help="how much of the 10,000 (default: all)")
    parser.add_argument("--case", type=int, help="this mutant alone")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="with --case: write the mutant there")
    parser.add_argument("--jobs", type=int, default=1, help="children at once (default: 1)")
    parser.add_argument("--results", type=Path, metavar="FILE", help="write each verdict there, one line of JSON a case")
    parser.add_argument("--read", type=Path, nargs="+", metavar="FILE", help="read nothing; print the table of such results")
    parser.add_argument("--make-seeds", action="store_true", help="make the seeds anew and store them")
    return parser


def _plan(kind: str, share: float, case: int | None) -> list[Case]:
    numbers = range(max(1, round(KINDS[kind].count * share))) if case is None else [case]
    return [(kind, number) for number in numbers]


def _read(plan: Sequence[Case], seed: int, seeds: Path) -> list[Verdict]:
    """Read one kind, with a line of progress."""
    started = time.perf_counter()
    found = list(run(plan, seed, seeds))
    counts = ", ".join(f"{n} {verdict}" for verdict, n in Counter(each.verdict for each in found).items())
    print(f"{plan[0][0]}: {counts}; {time.perf_counter() - started:.0f} s", file=sys.stderr)
    return found


def table(found: Sequence[Verdict]) -> str:
    """Write the verdicts by kind as a table in Markdown."""
    head = "| kind | cases | went through | refused by name | unforeseen | ended its child | too slow | defects | peak MB |"
    rows = [head, "|---|--:|--:|--:|--:|--:|--:|--:|--:|"]
    for kind, counts in {**tally(found), "all": Counter(each.verdict for each in found)}.items():
        of_kind = [each for each in found if kind in (each.kind, "all")]
        cells = [str(counts[verdict]) for verdict in VERDICTS]
        rows.append(f"| {kind} | {len(of_kind)} | {' | '.join(cells)} | {max(each.peak_kb for each in of_kind) / 1000:.0f} |")
    return "\n".join(rows)


def _text(found: Sequence[Verdict], seconds: float) -> str:
    """List the counts, the defects, and examples of what nobody foresaw."""
    lines = [f"{kind}: " + ", ".join(f"{counts[v]} {v}" for v in VERDICTS if counts[v]) for kind, counts in tally(found).items()]
    for verdict in ("defect", "slow", "died", "unforeseen"):
        for kind in KINDS:
            here = [each for each in found if (each.kind, each.verdict) == (kind, verdict)]
            shown = here if verdict == "defect" else list({_gist(each.words): each for each in reversed(here)}.values())
            lines += [f"  {verdict} {kind} {each.case}: {each.words[:200]}" for each in shown[: 40 if verdict == "defect" else 12]]
    peak = max(found, key=lambda each: each.peak_kb)
    slow = max(found, key=lambda each: each.seconds)
    lines.append(f"peak {peak.peak_kb / 1000:.0f} MB ({peak.kind} {peak.case}); slowest {slow.seconds:.1f} s ({slow.kind} {slow.case})")
    return "\n".join([*lines, f"{len(found)} cases in {seconds:.0f} s"])


def _gist(words: str) -> str:
    return "".join(letter for letter in words if letter.isalpha())[:70]


if __name__ == "__main__":
    sys.exit(main())
