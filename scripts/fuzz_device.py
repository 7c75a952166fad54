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
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from fuzzing.device_pool import ROOT, Environment, Outcome, Seed, environments, run

CORPUS = ROOT / "tests" / "edge_tests" / "corpus" / "format_1" / "logic_gates_xor" / "1.0.0"
MODELS = ("mnist_cnn", "spam_lstm", "dqn", "char_lstm")
VERDICTS = ("answers", "refused", "died", "slow", "defect")
COUNT, TELL_EVERY, APART = 2000, 250, "apart: "
COUNTS = ROOT / "docs" / "device-fuzz.json"


def main(argv: Sequence[str] | None = None) -> int:
    """Open the mutants and print what became of them.

    Returns:
        1 where a case was a defect, or was not named in the ordinary way, else 0.
    """
    args = _parser().parse_args(argv)
    seeds, found = seeds_of(args.bundle or default_bundles()), dict[tuple[str, int, bool], Outcome]()
    for line in args.read.read_text(encoding="utf-8").splitlines() if args.read else ():
        _add(found, Outcome(**json.loads(line)))
    for where in [each for each in environments() if args.runtime in (None, each.runtime)]:
        for outcome in _opened(args.case or range(args.count), args.seed, seeds, where, args.again):
            _add(found, outcome)
            if args.case:
                print(f"{outcome.verdict} {outcome.runtime} {outcome.case} ({outcome.file}): {outcome.words}")
    if args.results:
        args.results.write_text("".join(json.dumps(asdict(each)) + "\n" for each in found.values()), encoding="utf-8")
    facts = facts_of(list(found.values()))
    if args.write:
        COUNTS.write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    for runtime, fact in facts.items():
        print(f"{runtime} {fact['version']}: {fact['counts']}; opened again in the ordinary way: {fact['named']} of {fact['again']} named")
    defects = [each for each in found.values() if each.verdict == "defect"]
    print("\n".join(f"  defect {each.runtime} {each.case} ({each.file}): {each.words}" for each in defects))
    return int(bool(defects) or any(fact["named"] < fact["again"] for fact in facts.values()))


def _opened(cases: Sequence[int], seed: int, seeds: Sequence[Seed], where: Environment, most: int) -> Iterator[Outcome]:
    """Open mutants, with a line of progress now and then; and those that were lost once more, in the ordinary way."""
    started, lost = time.perf_counter(), list[Outcome]()
    for done, outcome in enumerate(run(cases, seed, seeds, where), 1):
        lost += [outcome] if outcome.verdict in ("died", "slow") else []
        yield outcome
        if done % TELL_EVERY == 0:
            print(f"{where.runtime}: {done} of {len(cases)}, {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    lost.sort(key=lambda each: each.verdict != "slow")  # the few that did not end first
    for outcome in run([each.case for each in lost[:most]], seed, seeds, where, apart=True):
        yield replace(outcome, verdict=f"{APART}{outcome.verdict}")


def _add(found: dict[tuple[str, int, bool], Outcome], outcome: Outcome) -> None:
    found[outcome.runtime, outcome.case, outcome.verdict.startswith(APART)] = outcome


def facts_of(found: Sequence[Outcome]) -> dict[str, dict[str, Any]]:
    """Count the outcomes on each runtime."""
    facts = {}
    for runtime in dict.fromkeys(each.runtime for each in found):
        here = [each for each in found if each.runtime == runtime]
        again = [each for each in here if each.verdict.startswith(APART)]
        first = Counter(each.verdict for each in here if each not in again)
        facts[runtime] = {
            "version": here[0].version,
            "mutants": sum(first.values()),
            "counts": {verdict: first[verdict] for verdict in VERDICTS},
            "again": len(again),
            "named": sum(each.verdict == f"{APART}refused" for each in again),
        }
    return facts


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
    parser.add_argument("--case", type=int, action="append", help="this mutant alone; may be given several times")
    parser.add_argument("--read", type=Path, metavar="FILE", help="begin with these results; what is opened again takes its place in them")
    parser.add_argument("--again", type=int, default=50, help="how many of the lost to open in the ordinary way (default: 50)")
    parser.add_argument("--write", action="store_true", help="write the counts to docs/device-fuzz.json, for the page of faults")
    parser.add_argument("--bundle", action="append", type=Path, help="mutate the files of this bundle; may be given several times")
    parser.add_argument("--results", type=Path, metavar="FILE", help="write each outcome there, one line of JSON a case")
    return parser


if __name__ == "__main__":
    sys.exit(main())
