"""Plant a deliberate fault into a copy of a healthy model, run the real command on it, and show who catches it.

`python scripts/faults.py --list`; `python scripts/faults.py label-order`; `python scripts/faults.py --all --markdown`
writes docs/faults.md. The first call makes the healthy models that it needs (seconds to half a minute each) and keeps
them below `.cache/faults`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from planting import bundle_faults, data_faults, machine_faults, model_faults
from planting.fault import ROOT, WORK, Fault, Finding, Workshop
from planting.page import one_line, render, short

from edge.errors import EXIT_USAGE, TandemError

PAGE = ROOT / "docs" / "faults.md"
SECTIONS: Mapping[str, Sequence[Fault]] = {
    "Meaning and samples": data_faults.FAULTS,
    "Programs, converters and runtimes": model_faults.FAULTS,
    "Bundles and inputs": bundle_faults.FAULTS,
    "The machine that exports": machine_faults.FAULTS,
}
FAULTS: Mapping[str, Fault] = {fault.name: fault for faults in SECTIONS.values() for fault in faults}


def main(argv: Sequence[str] | None = None) -> int:
    """List, plant one or plant all.

    Returns:
        For one fault what its command returned; for all of them 0 where each was caught as it should be and each command
        succeeded without its fault, else 1.
    """
    args = _parser().parse_args(argv)
    if args.list:
        for fault in FAULTS.values():
            print(f"{fault.name:<26} {fault.wrong}")
        return 0
    unknown = [name for name in args.names if name not in FAULTS]
    if unknown or args.all == bool(args.names) or (args.markdown and not args.all):
        print(f"faults: {unknown[0]}: no such fault; see --list" if unknown else "faults: expected names, or --all", file=sys.stderr)
        return EXIT_USAGE
    workshop = Workshop.open(args.work)
    if len(args.names) == 1:
        fault = FAULTS[args.names[0]]
        return _planted(workshop, fault).code
    chosen = list(FAULTS.values()) if args.all else [FAULTS[name] for name in args.names]
    found = {fault.name: _planted(workshop, fault) for fault in chosen}
    defects = [words for fault in chosen for words in defects_of(fault, found[fault.name])]
    defects += without_fault(workshop, chosen)
    print("\n".join(["", *defects] if defects else ["", f"{len(chosen)} faults: each caught, and each command succeeds without its fault"]))
    if args.markdown and not defects:
        PAGE.write_text(render(SECTIONS, found), encoding="utf-8")
        print(f"wrote {PAGE.relative_to(ROOT)}")
    return int(bool(defects))


def defects_of(fault: Fault, finding: Finding) -> list[str]:
    """Say where a fault did not end as it should: its exit code, its message."""
    if finding.code != fault.code:
        return [f"{fault.name}: exit code {finding.code}, expected {fault.code}: {short(finding.message)}"]
    return [] if fault.said in finding.message else [f"{fault.name}: nothing says {fault.said!r}: {short(finding.message)}"]


def without_fault(workshop: Workshop, chosen: Sequence[Fault]) -> list[str]:
    """Run each command once on models that nothing was planted into; say which one fails."""
    defects, seen = [], set[tuple[str, tuple[str, ...]]]()
    for fault in chosen:
        if (fault.healthy, fault.bases) not in seen:
            seen.add((fault.healthy, fault.bases))
            finding = workshop.control(fault)
            if finding.code:
                defects.append(f"{fault.name}: fails without the fault too, exit code {finding.code}: {short(finding.message)}")
    return defects


def _planted(workshop: Workshop, fault: Fault) -> Finding:
    """Plant a fault, run its command and show what came of it."""
    for base in fault.bases:
        workshop.prepare(base)
    finding = workshop.show(fault)
    print(f"{fault.name}: {fault.wrong}\n  planted in  {fault.planted}\n  command     {one_line(fault)}")
    print(f"  message     {finding.message}\n  exit code   {finding.code} after {finding.seconds:.1f} s", flush=True)
    return finding


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="faults", description="Plant deliberate faults and show who catches them.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="a fault, such as label-order")
    parser.add_argument("--list", action="store_true", help="list the faults")
    parser.add_argument("--all", action="store_true", help="plant every one")
    parser.add_argument("--markdown", action="store_true", help="with --all: write docs/faults.md")
    parser.add_argument("--work", type=Path, default=WORK, help="where healthy models are kept (default: .cache/faults)")
    return parser


if __name__ == "__main__":
    try:
        sys.exit(main())
    except TandemError as error:
        print(f"faults: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
