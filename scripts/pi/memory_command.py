"""`emulated_pi.py memory`: what models hold in a real guest, and whether 128 MiB are enough."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge.errors import EXIT_BUDGET, GateError
from pi import held, page
from pi.guest import Guest
from pi.processors import PROCESSORS
from pi.released import Release, released
from pi.systems import SYSTEMS
from pi.virtual import Machine
from training.progress import say

ROOT = Path(__file__).resolve().parents[2]
GOAL_BYTES = 60_000_000
GROUP_MIB = 128
LIMIT_S = 1800  # minutes on a quiet machine
# $1: the group's limit in MiB; the rest is the command. Files that are read count for the group that reads them first.
SCRIPT = """
in_group() {{
  group=$(mktemp -d /sys/fs/cgroup/limit-XXXX)
  echo "$1"M > $group/memory.max; echo 0 > $group/memory.swap.max
  sync; echo 3 > /proc/sys/vm/drop_caches; shift
  ( echo $BASHPID > $group/cgroup.procs; exec "$@" ); code=$?
  echo "GROUP $code $(cat $group/memory.peak)"
}}
echo +memory > /sys/fs/cgroup/cgroup.subtree_control
echo "KERNEL $(uname -r)"
{python} -m edge check /opt/bundle
{measure}
in_group {enough} {measure}
in_group {enough} {python} -c "held = bytearray({enough} << 20)"
"""


def add(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("memory", help="measure memory in a virtual machine, and try a control group of 128 MiB; minutes")
    parser.add_argument("model", nargs="*", default=["mnist_cnn"], metavar="MODEL", help="released models (default: mnist_cnn)")
    parser.add_argument(
        "--system", default="bookworm", choices=[s.name for s in SYSTEMS.values() if s.bits == 64], help="default: bookworm"
    )
    parser.add_argument("--cpu", default="a72", choices=[p.name for p in PROCESSORS.values() if p.bits == 64], help="default: a72")
    parser.add_argument("--runtime", default="ai-edge-litert", help="default: ai-edge-litert")
    parser.add_argument("--answers", type=int, default=1000, metavar="N", help="answers before memory is read (default: 1000)")
    parser.add_argument("--bundles", type=Path, default=ROOT / "bundles", help="where released bundles are")
    parser.add_argument("--json", action="store_true", help="print JSON for machines")
    parser.add_argument("--page", action="store_true", help=f"put the figures into docs/{page.PAGE.name}")
    parser.set_defaults(act=run)


def run(args: argparse.Namespace) -> int:
    """Measure, print, and give 0 where every model fits.

    Raises:
        TandemError: A tool or a bundle is missing, or the virtual machine failed.
    """
    guest = Guest(SYSTEMS[args.system], PROCESSORS[args.cpu], args.runtime)
    rows = []
    for release in released(args.bundles, ROOT / "runs", args.model):
        rows.append(measure(guest, release, args.answers))
        print(json.dumps(rows[-1]) if args.json else line(rows[-1]), flush=True)
        if args.page:
            page.write(memory=rows[-1:])
    return 0 if all(row["works_in_128_mib"] and row["rss_peak_bytes"] < GOAL_BYTES for row in rows) else EXIT_BUDGET


def line(row: Mapping[str, Any]) -> str:
    """Return one row for a person."""
    works = "works" if row["works_in_128_mib"] else "FAILS"
    held_mb = f"{row['rss_peak_bytes'] / 1e6:.1f} MB resident at most"
    return (
        f"{row['model']}, {row['file']} on {row['runtime']}: {held_mb}, {row['threads']} thread(s), {works} in {GROUP_MIB} MiB (emulated)"
    )


def measure(guest: Guest, release: Release, answers: int) -> dict[str, Any]:
    """Boot a machine for one bundle and measure its first file for devices.

    Raises:
        GateError: No file of the bundle passed on the runtime, or the model cannot be run in the guest.
        SetupError: The virtual machine failed.
    """
    model = release.name
    files = [variant.file for variant in release.files(guest.runtime) if "device" in variant.targets]
    if not files:
        raise GateError(f"{model}: no file for devices passed on {guest.runtime}; export it again or take another runtime")
    lines = _lines(guest, release.folder, files[0], answers)
    found = [json.loads(line) for line in lines if line.startswith('{"version"')]
    groups = [[int(word) for word in line.split()[1:]] for line in lines if line.startswith("GROUP ")]
    if not found or [len(group) for group in groups] != [2, 2]:
        raise GateError(f"{model}: could not be measured in the guest; it said: {' / '.join(lines[-4:])}")
    if groups[1][0] == 0:
        raise GateError(f"{model}: a process with {GROUP_MIB} MiB and more was not ended; the control group does not limit anything")
    return {
        "model": model,
        "file": files[0],
        "runtime": f"{guest.runtime} {found[0]['version']}",
        "system": guest.system.name,
        "processor": guest.processor.qemu,
        **found[0],
        "works_in_128_mib": groups[0][0] == 0 and len(found) == 2,
        "group_peak_bytes": groups[0][1],
        "kernel": next((line.split()[1] for line in lines if line.startswith("KERNEL ")), ""),
    }


def _lines(guest: Guest, bundle: Path, file: str, answers: int) -> list[str]:
    """Boot the machine; give what it wrote."""
    say(f"{bundle.parent.name} in a virtual machine: {guest.name}")
    python = f"python{guest.system.python}"
    measure = f"{python} /opt/held.py /opt/bundle {file} {guest.runtime} {answers}"
    script = SCRIPT.format(python=python, measure=measure, enough=GROUP_MIB)
    files = {"/opt/bundle": bundle, "/opt/held.py": Path(held.__file__)}
    return Machine(guest.system, guest.processor, files, guest.paths()).run(script, LIMIT_S)
