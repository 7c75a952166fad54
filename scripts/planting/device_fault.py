"""A fault on a device: what is done to a bundle or to the machine, and what the program that opens the bundle must say."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.verdicts import VARIABLE

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "tests" / "edge_tests" / "corpus" / "format_1"
BASE, OTHER = CORPUS / "logic_gates_xor" / "1.0.0", CORPUS / "logic_gates" / "1.0.0"
LIMIT_S = 300
HERE = 'exec "$@"'
Plant = Callable[[Path], object]


def nothing(_: Path) -> None:
    """Leave the bundle as it was released."""


@dataclass(frozen=True)
class DeviceFault:
    """One fault, planted in one way or more, each into its own copy of a released bundle.

    One process opens them all. It must end each with `code` and words of `said` (any of them), and go on. `machine` is a
    bash command before which nothing else runs there and which ends with `exec "$@"`; `modules` are files on Python's path
    that stand before what is installed.
    """

    name: str
    wrong: str
    code: int
    said: tuple[str, ...]
    plants: Sequence[Plant] = (nothing,)
    options: Mapping[str, Any] = field(default_factory=dict)
    machine: str = HERE
    modules: Mapping[str, str] = field(default_factory=dict)
    python: Path = Path(sys.executable)
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Survived:
    """What the process said to each, and whether it was there at the end and went on to answer from a healthy bundle."""

    reports: tuple[Mapping[str, Any], ...]
    goes_on: bool
    ended: str

    @property
    def count(self) -> int:
        """To how many it said something, where it lived to the end."""
        return len(self.reports) if self.goes_on else max(0, len(self.reports) - 1)


def show(fault: DeviceFault) -> Survived:
    """Plant a fault and let a process meet it."""
    with tempfile.TemporaryDirectory(prefix="tandem-device-fault-") as place:
        root = Path(place)
        bundles = []
        for number, plant in enumerate(fault.plants):
            bundles.append(shutil.copytree(BASE, root / str(number) / "logic_gates_xor" / "1.0.0"))
            with _verdicts_in(root / "verdicts"):
                plant(bundles[-1])
        for name, content in fault.modules.items():
            path = root / "modules" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        request = {"bundles": [str(path) for path in bundles], "healthy": str(OTHER), "options": dict(fault.options)}
        (root / "request.json").write_text(json.dumps(request), encoding="utf-8")
        return _met(fault, root)


@contextmanager
def _verdicts_in(place: Path) -> Iterator[None]:
    """Have verdicts kept where the process that is to meet the fault will look for them."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = str(place)
    try:
        yield
    finally:
        os.environ.pop(VARIABLE)
        if before is not None:
            os.environ[VARIABLE] = before


def _met(fault: DeviceFault, root: Path) -> Survived:
    paths = os.pathsep.join(map(str, (root / "modules", ROOT / "scripts", ROOT)))
    environment = {**os.environ, "PYTHONPATH": paths, "TANDEM_VERDICTS": str(root / "verdicts"), "PLACE": str(root), **fault.environment}
    host = [str(fault.python), "-m", "planting.device_host", str(root / "request.json")]
    apart = ["unshare", "-m"] if fault.machine != HERE else []
    words = [*apart, "bash", "-c", fault.machine, "bash", *host]
    done = subprocess.run(words, cwd=root, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    goes_on = bool(lines) and lines[-1].get("goes_on", False)
    plain = [{**line, "message": _plain(line["message"], root)} for line in lines if "code" in line]
    return Survived(tuple(plain), goes_on, f"exit code {done.returncode}: {done.stderr[-400:]}")


def defects(fault: DeviceFault, survived: Survived) -> list[str]:
    """Say where a process did not end as it should."""
    found = [] if survived.goes_on else [f"{fault.name}: the process is lost, {survived.ended}"]
    if len(survived.reports) != len(fault.plants):
        found.append(f"{fault.name}: {len(survived.reports)} of {len(fault.plants)} were answered; {survived.ended}")
    for number, report in enumerate(survived.reports):
        if report["code"] != fault.code or not any(words in report["message"] for words in fault.said):
            found.append(f"{fault.name}, {number}: exit code {report['code']}, expected {fault.code}: {report['message']}")
    return found


def _plain(message: str, root: Path) -> str:
    """Leave out of a message where it happened to run."""
    return re.sub(rf"{re.escape(str(root.resolve()))}/\d+/", "", message)
