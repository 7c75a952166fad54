"""For which Python and processor each runtime has a wheel, so that a missing one is not asked for in vain.

Looked up in November 2026 by `pip index versions` for each pair; `docs/raspberry-pi.md` shows the table. Linux with glibc
alone is judged: elsewhere the answer is to try.
"""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

Python = tuple[int, int]
ARM = ("aarch64", "armv7l")
NEW: Python = (99, 0)  # a glibc that is new enough for all


@dataclass(frozen=True)
class Wheels:
    """A runtime's wheels: processors, the oldest and newest Python, the oldest glibc on Arm, and the last release for each Python."""

    machines: tuple[str, ...]
    first: Python
    last: Python
    libc: Python
    extra: str
    newest: Mapping[Python, str]

    def fits(self, python: Python, machine: str, libc: Python = NEW) -> bool:
        """Tell whether there is a wheel."""
        old = machine in ARM and libc < self.libc
        return machine in self.machines and self.first <= python <= self.last and not old

    @property
    def pythons(self) -> str:
        """The range in words."""
        return f"Python {self.first[0]}.{self.first[1]} to {self.last[0]}.{self.last[1]}"


_SERIES: tuple[Python, ...] = ((3, 9), (3, 10), (3, 11), (3, 12), (3, 13), (3, 14))
_LITERT = {**dict.fromkeys(_SERIES, "2.3.0"), (3, 9): "2.1.0"}
_ONNX = {**dict.fromkeys(_SERIES, "1.31.1"), (3, 9): "1.19.2", (3, 10): "1.23.2"}
WHEELS: Mapping[str, Wheels] = {
    "ai-edge-litert": Wheels(("x86_64", "aarch64"), (3, 9), (3, 14), (2, 27), "tflite", _LITERT),
    "tflite-runtime": Wheels(("x86_64", *ARM), (3, 9), (3, 11), (2, 34), "tflite-legacy", dict.fromkeys(_SERIES[:3], "2.14.0")),
    "onnxruntime": Wheels(("x86_64", "aarch64"), (3, 9), (3, 14), (2, 28), "onnx", _ONNX),
}


def this_machine() -> Optional[str]:
    """Name this Python's processor as wheels do; None where wheels are not judged.

    A 32-bit Raspberry Pi OS runs on a 64-bit kernel, whose name for the processor would be wrong for Python.
    """
    if sys.platform != "linux":
        return None
    machine = platform.machine()
    return "armv7l" if machine in ("aarch64", "armv8l") and sys.maxsize <= 1 << 32 else machine


def this_libc() -> Python:
    """Give glibc's version; one that is new enough where it is not told."""
    found = re.match(r"(\d+)\.(\d+)", platform.libc_ver()[1])
    return (int(found[1]), int(found[2])) if found else NEW


def obstacle(runtime: str, python: Optional[Python] = None, machine: Optional[str] = None, libc: Optional[Python] = None) -> str:
    """Say why a runtime cannot be installed here and what to take in its place; empty where it can.

    Args:
        runtime: One of `WHEELS`.
        python: Major and minor version; this Python's by default.
        machine: As wheels name it; this machine's by default.
        libc: Version of glibc; this machine's by default.
    """
    python, machine, libc = python or sys.version_info[:2], machine or this_machine(), libc or this_libc()
    wheels = WHEELS.get(runtime)
    if machine is None or wheels is None or wheels.fits(python, machine, libc):
        return ""
    here = f"Python {python[0]}.{python[1]} on {machine}"
    others = [f"{name} (extra {other.extra})" for name, other in WHEELS.items() if other.fits(python, machine, libc)]
    if wheels.fits(python, machine):
        here += f" with glibc {libc[0]}.{libc[1]} (it wants {wheels.libc[0]}.{wheels.libc[1]})"
    known = f"{runtime} has wheels for {wheels.pythons} on {', '.join(wheels.machines)}, and none for {here}"
    if others:
        return f"{known}; take {others[0]}"
    reachable = [f"{other.pythons} for {name}" for name, other in WHEELS.items() if machine in other.machines]
    remedy = f"install {reachable[0]}" if reachable else "take a 64-bit system (aarch64)"
    if machine == "armv7l":
        remedy += ", or a 64-bit system"
    return f"{known}; no other runtime has one: {remedy}"
