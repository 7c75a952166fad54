"""Mutate released TFLite files, make every hash right, open them as a device does, and count what becomes of each.

`python scripts/fuzz_device.py` opens 2,000 mutants on each TFLite runtime that is installed here; `--count 100` fewer; `--case 7`
one again. Those that end the process that opens them are opened once more in the ordinary way, by a process that
must name each by an error of ours and live. `--results FILE` keeps the outcomes, of which `scripts/device_faults.py` makes a table.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from fuzzing.device_pool import ROOT, Outcome, Seed, environments, run

CORPUS = ROOT / "tests" / "edge_tests" / "corpus" / "format_1" / "logic_gates_xor" / "1.0.0"
MODELS = ("mnist_cnn", "spam_lstm", "dqn", "char_lstm")
VERDICTS = ("answers", "refused", "died", "slow", "defect")
COUNT = 2000
COUNTS = ROOT / "docs" / "device-fuzz.json"


def main(argv: Sequence[str] | None = None) -> int:
    """Open the mutants and print what became of them.

    Returns:
        1 where a case was a defect or slow, or was not named in the ordinary way, else 0.
    """
    args = _parser().parse_args(argv)
    seeds, found = seeds_of(args.bundle or default_bundles()), list[Outcome]()
    cases, unnamed, facts = range(args.count) if args.case is None else [args.case], 0, dict[str, dict[str, Any]]()
    for where in [each for each in environments() if args.runtime in (None, each.runtime)]:
        started = time.perf_counter()
        here = list(run(cases, args.seed, seeds, where))
        counts = Counter(each.verdict for each in here)
        told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
        print(f"{where.runtime} {here[0].version}: {told}; {time.perf_counter() - started:.0f} s", flush=True)
        lost = [each.case for each in here if each.verdict == "died"][: args.again]
        again = list(run(lost, args.seed, seeds, where, apart=True))
        named = sum(each.verdict == "refused" for each in again)
        print(f"  of those that died, opened in the ordinary way: {named} of {len(lost)} named, and the process lives", flush=True)
        unnamed += len(lost) - named
        facts[where.runtime] = {"version": here[0].version, "mutants": len(here), "counts": counts, "again": len(lost), "named": named}
        found += [*here, *(replace(each, verdict=f"apart: {each.verdict}") for each in again)]
    if args.results:
        args.results.write_text("".join(json.dumps(asdict(each)) + "\n" for each in found), encoding="utf-8")
    if args.write:
        COUNTS.write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    for each in found if args.case is not None else [one for one in found if one.verdict in ("slow", "defect")]:
        print(f"  {each.verdict} {each.runtime} {each.case} ({each.file}): {each.words}")
    return int(bool(unnamed) or any(each.verdict in ("slow", "defect") for each in found))


def default_bundles() -> list[Path]:
    """Give the stored bundle, and those of the models that are released here."""
    return [CORPUS, *(path for name in MODELS if (path := ROOT / "bundles" / name / "1.0.0").exists())]


def seeds_of(bundles: Sequence[Path]) -> list[Seed]:
    """Give each TFLite file that passed on both runtimes."""
    seeds = []
    for folder in bundles:
        for variant in json.loads((folder / "variants.json").read_text(encoding="utf-8")):
            if {"ai-edge-litert", "tflite-runtime"} <= set(variant["passed"]):
                seeds.append((folder, variant["file"]))
    return seeds


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="decides what the mutants are (default: 1)")
    parser.add_argument("--count", type=int, default=COUNT, help=f"how many (default: {COUNT})")
    parser.add_argument("--runtime", help="on this runtime alone")
    parser.add_argument("--case", type=int, help="this mutant alone")
    parser.add_argument("--again", type=int, default=50, help="how many of the lost to open in the ordinary way (default: 50)")
    parser.add_argument("--write", action="store_true", help="write the counts to docs/device-fuzz.json, for the page of faults")
    parser.add_argument("--bundle", action="append", type=Path, help="mutate the files of this bundle; may be given several times")
    parser.add_argument("--results", type=Path, metavar="FILE", help="write each outcome there, one line of JSON a case")
    return parser


if __name__ == "__main__":
    sys.exit(main())
