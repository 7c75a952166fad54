"""`emulated_pi.py prove`: which models, which Pis, and where the table goes."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edge.errors import EXIT_GATE, UsageError
from pi import page
from pi.comparison import EQUAL, FAILED, WITHIN, Row
from pi.guest import Guest
from pi.processors import PROCESSORS
from pi.proof import prove
from pi.released import LARGE_BYTES, LARGE_SAMPLES, TEST_SAMPLES, released
from pi.systems import RUNTIMES, SYSTEMS

ROOT = Path(__file__).resolve().parents[2]


def add(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("prove", help="compare the answers of every released file on emulated Pis with this machine's")
    parser.add_argument("model", nargs="*", metavar="MODEL", help="released models (default: all)")
    parser.add_argument("--system", action="append", choices=SYSTEMS, help="may be repeated (default: bookworm)")
    parser.add_argument("--every-system", action="store_true", help="all systems, 32 bits included")
    parser.add_argument("--cpu", action="append", choices=PROCESSORS, help="may be repeated (default: all that fit the system)")
    parser.add_argument("--runtime", action="append", choices=RUNTIMES, help="may be repeated (default: all that the system has)")
    parser.add_argument("--bundles", type=Path, default=ROOT / "bundles", help="where released bundles are")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs", help="where hand-overs are, for test samples")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every row as JSON")
    enough = f"{TEST_SAMPLES}, of models over {LARGE_BYTES // 10**6} MB {LARGE_SAMPLES}"
    parser.add_argument("--samples", type=int, metavar="N", help=f"of the test split (default: {enough})")
    parser.add_argument("--new", action="store_true", help=f"leave out what docs/{page.PAGE.name} shows of the same files already")
    parser.add_argument("--page", action="store_true", help=f"put the rows into docs/{page.PAGE.name}")
    parser.set_defaults(act=run)


def run(args: argparse.Namespace) -> int:
    """Compare, print, and give 0 where every file is as it should be.

    Raises:
        TandemError: There is no such bundle, a tool is missing, or something cannot be downloaded.
    """
    if args.samples is not None and args.samples < 1:
        raise UsageError(f"--samples {args.samples}: expected 1 or more")
    releases = released(args.bundles, args.runs, args.model)
    systems = list(SYSTEMS) if args.every_system else args.system or ["bookworm"]
    chosen = guests(systems, args.cpu or list(PROCESSORS), args.runtime or RUNTIMES)
    rows: list[Row] = []
    known = page.known(page.load()["rows"] if args.new else [])
    for new in prove(releases, chosen, known, args.samples):  # what was found is kept, however long the rest takes
        rows += new
        print("\n".join(map(line, new)), flush=True)
        if args.json:
            args.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")
        if args.page:
            page.write(new)
    found = Counter(row.verdict for row in rows)
    print(f"{len(rows)} rows: {found[EQUAL]} equal bit for bit, {found[WITHIN]} within tolerance, {found[FAILED]} failed (emulated)")
    return EXIT_GATE if found[FAILED] or not (rows or args.new) else 0


def guests(systems: Sequence[str], processors: Sequence[str], runtimes: Sequence[str]) -> list[Guest]:
    """List the emulated Pis that exist: processors that fit a system, runtimes that have a wheel for it."""
    return [
        Guest(SYSTEMS[system], PROCESSORS[processor], runtime)
        for runtime in runtimes
        for system in systems
        for processor in processors
        if runtime in SYSTEMS[system].runtimes and PROCESSORS[processor].bits == SYSTEMS[system].bits
    ]


def line(row: Row) -> str:
    """Return one row for a person."""
    where = f"{row.system:<11} {row.processor:<10} {row.runtime:<14}"
    what = f"{row.model:<22} {row.file:<36}"
    if row.verdict == FAILED:
        return f"{where} {what} FAILED: {row.why}"
    differ = "equal bit for bit" if row.verdict == EQUAL else f"{row.differing} of {row.values} differ, by up to {row.difference:.3g}"
    return f"{where} {what} {row.golden}+{row.test} samples, {differ} (tolerance {row.tolerance:.3g})"
