"""A deliberate fault, the place where it is planted, and the real command that is run on it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import TandemError
from edge.storage import fingerprint, load_npz, save_npz
from planting import handovers
from planting.handovers import BASES, sign

ROOT = Path(__file__).resolve().parent.parent.parent
WORK = ROOT / ".cache" / "faults"
LIMIT_S = 300


@dataclass(frozen=True)
class Site:
    """A temporary folder with `runs/`, `bundles/` of healthy models and a command's working directory."""

    root: Path

    def hand_over(self, name: str) -> Path:
        """Folder of a model's hand-over."""
        return self.root / "runs" / name / "1.0.0"

    def bundle(self, name: str) -> Path:
        """Folder of a model's released bundle."""
        return self.root / "bundles" / name / "1.0.0"

    def edit(self, path: Path, change: Callable[[Any], object], signed: bool = True) -> None:
        """Change a JSON file, and sign its folder anew unless told otherwise."""
        content = json.loads(path.read_text(encoding="utf-8"))
        change(content)
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        if signed:
            sign(path.parent)

    def arrays(self, path: Path, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the arrays of an `.npz` and sign its folder anew."""
        content = load_npz(path)
        change(content)
        save_npz(path, content)
        sign(path.parent)

    def rewrite(self, parts: handovers.Parts) -> None:
        """Hand over another program under the same name."""
        folder = self.hand_over(parts.promise.name)
        shutil.rmtree(folder)
        handovers.write(parts, folder)


def nothing(_: Site) -> None:
    """Plant nothing: the command itself makes the fault."""


@dataclass(frozen=True)
class Fault:
    """One fault.

    `wrong` says what a person did, `planted` where it lies, `catcher` who finds it; `plant` does it to a site. `command`
    is run there by bash and ends with `code` and a line that holds `said`. `control` is the command on healthy models
    where it is not the same one. A `mended` fault ends with 0 and says what was done.
    """

    name: str
    bases: tuple[str, ...]
    wrong: str
    planted: str
    plant: Callable[[Site], object]
    command: str
    catcher: str
    code: int
    said: str
    control: str = ""
    mended: bool = False

    @property
    def healthy(self) -> str:
        """The command that succeeds where nothing is planted."""
        return self.control or self.command


@dataclass(frozen=True)
class Finding:
    """What a command did: its exit code, the line that tells, and how long it took."""

    code: int
    message: str
    seconds: float


@dataclass(frozen=True)
class Workshop:
    """Where healthy models are kept, each written and exported once; what they are made by is in the folder's name."""

    folder: Path

    @classmethod
    def open(cls, place: Path = WORK) -> Workshop:
        """Take the folder that belongs to today's code."""
        made_by = [Path(__file__).parent / name for name in ("handovers.py", "nets.py", "samples.py")]
        return cls(place / fingerprint(made_by)[:12])

    def prepare(self, name: str) -> None:
        """Write a healthy hand-over and release it; one that is there is only looked at.

        Raises:
            TandemError: The healthy model is not released, so its faults would show nothing.
        """
        site = Site(self.folder)
        if not (site.hand_over(name) / "SHA256SUMS").exists():
            handovers.write(BASES[name](), site.hand_over(name))
        found = run(site, f"tandem export {name}", "")
        if found.code:
            raise TandemError(f"the healthy model {name} is not released (exit code {found.code}): {found.message}")

    @contextmanager
    def site(self, bases: tuple[str, ...]) -> Iterator[Site]:
        """Give a temporary copy of some models with their bundles and kept conversions."""
        with tempfile.TemporaryDirectory(prefix="tandem-fault-") as folder:
            site = Site(Path(folder))
            for name in bases:
                for part in ("runs", "bundles"):
                    shutil.copytree(self.folder / part / name, site.root / part / name)
            yield site

    def show(self, fault: Fault) -> Finding:
        """Plant a fault and run its command."""
        with self.site(fault.bases) as site:
            fault.plant(site)
            return run(site, fault.command, fault.said)

    def control(self, fault: Fault) -> Finding:
        """Run the command where nothing was planted."""
        with self.site(fault.bases) as site:
            return run(site, fault.healthy, "")


def run(site: Site, command: str, said: str) -> Finding:
    """Run a command by bash in a site.

    `tandem` is the one of this environment and `$OLD` the folder of the commands of the old runtime's. Of what is printed
    the line with `said` counts, else the last one of an error.
    """
    old = Path(os.environ.get("TANDEM_LEGACY_PYTHON", ROOT / ".venv-legacy/bin/python")).absolute()
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    environment |= {"OLD": str(old.parent), "TANDEM_LEGACY_PYTHON": str(old), "BENTOML_DO_NOT_TRACK": "True"}
    begun = time.perf_counter()
    done = subprocess.run(
        ["bash", "-c", command], cwd=site.root, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    lines = [line.strip() for line in (*done.stdout.splitlines(), *done.stderr.splitlines()) if line.strip()]
    telling = [line for line in lines if said and said in line]
    spoken = [line for line in lines if line.startswith("tandem: ")]
    message = (telling or spoken or lines or [""])[-1]
    return Finding(done.returncode, _plain(message, site), time.perf_counter() - begun)


def _plain(message: str, site: Site) -> str:
    """Leave out of a message where it happened to run."""
    for place in (site.root.resolve(), site.root):
        message = message.replace(f"{place}/", "").replace(str(place), ".")
    return re.sub(r"\s+", " ", message)
