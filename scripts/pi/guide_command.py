"""`emulated_pi.py guide`: the guide's commands as they stand, in a virtual machine with systemd and no network."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from planting.device_files import edited

from edge.errors import GateError
from pi import distribution, guide, tools
from pi.processors import PROCESSORS
from pi.released import released
from pi.systems import SYSTEMS, System
from pi.virtual import BEGIN, END, Machine
from training.progress import say

ROOT = Path(__file__).resolve().parents[2]
MODEL = "mnist_cnn"
PACKAGES = ("python3-venv", "systemd")
WITH_32_BITS = ("python3-numpy", "python3-pil")
LIMIT_S = 2400
# A Pi with a 32-bit system has a processor and, as Raspberry Pi OS ships it, a kernel of 64 bits.
CPUS = {"bookworm": "a72", "trixie": "a76", "bookworm-32": "a72"}
ANSWERED = [f"{guide.FIRST} 7", f"{guide.NEWER} 7", f"{guide.FIRST} 7"]
STATES = ["inactive, 0", "inactive, 0", "inactive, 0", "failed, 7"]


def add(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("guide", help="run the commands of docs/raspberry-pi.md in a virtual machine with systemd; minutes")
    parser.add_argument("--system", default="bookworm", choices=CPUS, help="default: bookworm")
    parser.add_argument("--bundles", type=Path, default=ROOT / "bundles", help="where released bundles are")
    parser.set_defaults(act=run)


def run(args: argparse.Namespace) -> int:
    """Run the guide, and give 0 where every command did what the guide says.

    Raises:
        GateError: One did not; the message has what it said.
        SetupError: A tool or the bundle is missing, or something cannot be downloaded.
    """
    plain = SYSTEMS[args.system]
    system = replace(plain, name=f"{plain.name}-booted", packages=(*PACKAGES, *(WITH_32_BITS if plain.bits == 32 else ())))
    (release,) = released(args.bundles, ROOT / "runs", [MODEL])
    steps = guide.steps(system, MODEL)
    with tempfile.TemporaryDirectory() as name:
        files = lay_out(Path(name), system, steps, release.folder)
        files[f"{guide.FOLDER}/wheels"] = wheels(system, Path(name) / "fetched")
        machine = Machine(system, PROCESSORS[CPUS[args.system]], files)
        lines = machine.run(ldconfig(plain), LIMIT_S, guide.BOOT)
    check(lines, list(steps))
    print(f"{args.system}: {len(steps)} parts of {guide.PAGE.name} did what it says, on {machine.processor.qemu} (emulated)")
    return 0


def ldconfig(system: System) -> str:
    """Return the line that makes the linker find libraries which Debian's alternatives would have linked to."""
    return f"/sbin/ldconfig {' '.join(f'/{folder}' for folder in system.libraries)}" if system.libraries else ""


def lay_out(work: Path, system: System, steps: Mapping[str, str], bundle: Path) -> dict[str, Path]:
    """Write what the machine's disk holds of the guide; give files and folders by their place there."""
    texts = {f"{guide.FOLDER}/steps/{name}": text for name, text in steps.items()}
    texts |= {f"/etc/systemd/system/{name}": text for name, text in guide.UNITS.items()}
    texts["/etc/systemd/system/tandem.service"] = guide.block("unit")
    texts[f"{guide.FOLDER}/app.py"] = guide.block("app")
    texts[f"{guide.FOLDER}/run"] = guide.driver(list(steps), BEGIN, END)
    for name, text in guide.TOOLS.items():
        texts[f"{guide.FOLDER}/bin/{name}"] = f"#!/bin/bash\n{text.replace('{packages}', ' '.join(system.packages))}"
    places = {}
    for number, (place, text) in enumerate(texts.items()):
        places[place] = work / str(number)
        places[place].write_text(text, encoding="utf-8")
        places[place].chmod(0o755 if text.startswith("#!") else 0o644)
    newer = shutil.copytree(bundle, work / "newer")
    edited("contract.json", lambda told: told.update(version=guide.NEWER))(newer)
    wheel = distribution.wheel()
    places |= {f"{guide.FOLDER}/{guide.FIRST}": bundle, f"{guide.FOLDER}/{guide.NEWER}": newer, f"{guide.FOLDER}/{wheel.name}": wheel}
    return {**places, f"{guide.FOLDER}/seven.png": ROOT / "docs" / "images" / "seven.png"}


def wheels(system: System, folder: Path) -> Path:
    """Return what the guide's own command for Pis without a network writes, run here in a new folder.

    Raises:
        SetupError: A wheel cannot be had.
    """
    say(f"{system.name}: fetching the wheels for a Pi without a network")
    (folder / "dist").mkdir(parents=True)
    shutil.copy(distribution.wheel(), folder / "dist")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    command = f"cd {folder}\n{guide.download(system)}"
    tools.run(["env", f"PATH={path}", "bash", "-ec", command], "wheels for a Pi without a network")
    return folder / "wheels"


def check(lines: list[str], names: list[str]) -> None:
    """Hold what the machine wrote against what the guide promises.

    Raises:
        GateError: A part failed, or the service answered otherwise.
    """
    ended = dict(re.findall(r"^== ([\w-]+) ends: (\d+)$", "\n".join(lines), re.MULTILINE))
    for name in names:
        if ended.get(name) != "0":
            at = lines.index(f"== {name} begins") + 1 if f"== {name} begins" in lines else 0
            said = " / ".join(line for line in lines[at:] if line)[-600:]
            raise GateError(f"{guide.PAGE.name}: the part {name!r} ended with {ended.get(name, 'nothing')}; it said: {said}")
    states = [line.partition(": ")[2].partition(", started")[0] for line in lines if line.startswith("service: ")]
    answers = [line for line in lines[lines.index("== damaged begins") :] if re.fullmatch(r"\d+\.\d+\.\d+ \d", line)]
    if states != STATES or answers != ANSWERED:
        raise GateError(f"{guide.PAGE.name}: the service ended {states} and answered {answers}, expected {STATES} and {ANSWERED}")
    if any(line.startswith("service: ") and not line.endswith("again 0 times") for line in lines):
        raise GateError(f"{guide.PAGE.name}: the service was started again, although that could not help")
    say(f"the service ended {states} and answered {answers}")
