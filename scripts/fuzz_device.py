"""Mutate released TFLite files, make every hash right, open them as a device does, and count what becomes of each.

`python scripts/fuzz_device.py` opens 2,000 mutants on each TFLite runtime that is installed here; `--count 100` fewer; `--case 7`
one again. Those that end their child are opened once more in the ordinary way, by `Model.open` in this process, which must
say so by an error of its own and live. `--results FILE` keeps the outcomes, of which `scripts/device_faults.py` makes a table.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from edge import Model
from edge.errors import TandemError
from fuzzing.device_child import forge, mutant
from fuzzing.device_pool import ROOT, Environment, Outcome, Seed, copied, environments, run

CORPUS = ROOT / "tests" / "edge_tests" / "corpus" / "format_1" / "logic_gates_xor" / "1.0.0"
MODELS = ("mnist_cnn", "spam_lstm", "dqn", "char_lstm")
VERDICTS = ("answers", "refused", "died", "slow", "defect")
COUNT = 2000


def main(argv: Sequence[str] | None = None) -> int:
    """Open the mutants and print what became of them.

    Returns:
        1 where a case was a defect, was slow, or was not named by `Model.open`, else 0.
    """
    args = _parser().parse_args(argv)
    seeds, found = seeds_of(args.bundle or default_bundles()), list[Outcome]()
    cases = range(args.count) if args.case is None else [args.case]
    for where in environments():
        started = time.perf_counter()
        here = list(run(cases, args.seed, seeds, where))
        counts = Counter(each.verdict for each in here)
        told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
        print(f"{where.runtime} {here[0].version}: {told}; {time.perf_counter() - started:.0f} s", flush=True)
        found += here
    if args.results:
        args.results.write_text("".join(json.dumps(asdict(each)) + "\n" for each in found), encoding="utf-8")
    for each in found if args.case is not None else [one for one in found if one.verdict in ("slow", "defect")]:
        print(f"  {each.verdict} {each.runtime} {each.case} ({each.file}): {each.words}")
    lost = [each for each in found if each.verdict == "died" and each.runtime == environments()[0].runtime]
    unnamed = [words for each in lost[: args.again] if (words := not_named(each.case, args.seed, seeds, environments()[0]))]
    print(
        f"opened again in the ordinary way: {min(len(lost), args.again) - len(unnamed)} of {min(len(lost), args.again)} named, host alive"
    )
    print("\n".join(unnamed[:10]))
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


def not_named(case: int, seed: int, seeds: Sequence[Seed], where: Environment) -> str:
    """Open a mutant by `Model.open`, with its child, in this process; give words where that does not end in an error of ours."""
    with tempfile.TemporaryDirectory(prefix="tandem-device-") as place:
        os.environ["TANDEM_VERDICTS"] = place
        mine = copied(seeds, Path(place))
        folder, file = mine[case % len(mine)]
        forge(folder, file, mutant(seed, case, [(from_ / name).read_bytes() for from_, name in seeds]))
        try:
            Model.open(folder, variant=file, runtime=where.runtime).close()
        except TandemError as error:
            return "" if "\n" not in str(error) else f"case {case}: {error}"
        except Exception as error:  # the child's border: whatever it is, it should have been one of ours
            return f"case {case}: {type(error).__name__}: {error}"
        return f"case {case}: opened, though it had ended a child"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="decides what the mutants are (default: 1)")
    parser.add_argument("--count", type=int, default=COUNT, help=f"how many (default: {COUNT})")
    parser.add_argument("--case", type=int, help="this mutant alone")
    parser.add_argument("--again", type=int, default=50, help="how many of the lost to open in the ordinary way (default: 50)")
    parser.add_argument("--bundle", action="append", type=Path, help="mutate the files of this bundle; may be given several times")
    parser.add_argument("--results", type=Path, metavar="FILE", help="write each outcome there, one line of JSON a case")
    return parser


if __name__ == "__main__":
    sys.exit(main())
