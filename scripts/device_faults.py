"""Plant faults into bundles and machines, let a process open them as a device would, and show that it lives and what it says.

`python scripts/device_faults.py --list`; `python scripts/device_faults.py flipped-bit`; without a name all of them, and
docs/device-faults.md is written. Faults of the machine use a mount namespace, so they need the rights to make one. The table of
hostile models is what `python scripts/fuzz_device.py --write` counted last.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from planting import device_files, device_machine
from planting.device_fault import ROOT, DeviceFault, Survived, defects, show

PAGE, COUNTS = ROOT / "docs" / "device-faults.md", ROOT / "docs" / "device-fuzz.json"
SECTIONS: Mapping[str, Sequence[DeviceFault]] = {"Bundles": device_files.FAULTS, "The machine": device_machine.FAULTS}
FAULTS: Mapping[str, DeviceFault] = {fault.name: fault for faults in SECTIONS.values() for fault in faults}
LONGEST = 260
HEAD = (Path(__file__).parent / "planting" / "device_page.md").read_text(encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    """List, plant some or plant all.

    Returns:
        0 where each fault ended as it should and every process lived, else 1.
    """
    args = _parser().parse_args(argv)
    if args.list:
        print("\n".join(f"{fault.name:<22} {fault.wrong}" for fault in FAULTS.values()))
        return 0
    unknown = [name for name in args.names if name not in FAULTS]
    if unknown:
        print(f"device_faults: {unknown[0]}: no such fault; see --list", file=sys.stderr)
        return 2
    found, wrong = dict[str, Survived](), list[str]()
    for name in args.names or FAULTS:
        found[name] = show(FAULTS[name])
        wrong += defects(FAULTS[name], found[name])
        print(f"{name}: {_count(found[name], FAULTS[name])} survived; {_message(found[name])}", flush=True)
    print("\n".join(wrong))
    if not args.names and not wrong:
        PAGE.write_text(render(found), encoding="utf-8")
        print(f"wrote {PAGE.relative_to(ROOT)}")
    return int(bool(wrong))


def render(found: Mapping[str, Survived]) -> str:
    """Give the page."""
    all_of = sum(len(FAULTS[name].plants) for name in found)
    survived = sum(each.count for each in found.values())
    parts = [HEAD.replace("{survived}", f"{survived} of {all_of}").replace("{hostile}", _hostile())]
    for title, faults in SECTIONS.items():
        parts += [f"\n## {title}\n", "| fault | what is wrong | survived | exit code | message |", "|---|---|--:|--:|---|"]
        parts += [
            f"| `{fault.name}` | {fault.wrong} | {_count(found[fault.name], fault)} | {fault.code} | {_message(found[fault.name])} |"
            for fault in faults
        ]
    return "\n".join(parts) + "\n"


def _hostile() -> str:
    """Make the table of hostile models from what was counted last."""
    rows = ["| runtime | mutants | answers | refused by name | ended the process | too slow | other errors | opened again, named |"]
    rows.append("|---|--:|--:|--:|--:|--:|--:|--:|")
    for runtime, facts in json.loads(COUNTS.read_text(encoding="utf-8")).items():
        counts = facts["counts"]
        cells = [str(counts.get(verdict, 0)) for verdict in ("answers", "refused", "died", "slow", "defect")]
        rows.append(f"| {runtime} {facts['version']} | {facts['mutants']} | {' | '.join(cells)} | {facts['named']} of {facts['again']} |")
    return "\n".join(rows)


def _count(survived: Survived, fault: DeviceFault) -> str:
    return f"{survived.count} of {len(fault.plants)}"


def _message(survived: Survived) -> str:
    message = survived.reports[0]["message"] if survived.reports else survived.ended
    short = message if len(message) <= LONGEST else message[:LONGEST].rpartition(" ")[0] + " …"
    return str(short).replace("|", "\\|").replace("`", "'")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a fault, such as flipped-bit (default: all, and write the page)")
    parser.add_argument("--list", action="store_true", help="list the faults")
    return parser


if __name__ == "__main__":
    sys.exit(main())
