"""For which Python and processor each runtime has a wheel, so that a missing one is not asked for in vain.

Looked up in November 2026 by `pip index versions` for each pair; `docs/raspberry-pi.md` shows the table. Linux with glibc
alone is judged: elsewhere the answer is to try.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

Python = tuple[int, int]


@dataclass(frozen=True)
class Wheels:
    """Processors, and the oldest and newest Python, of a runtime's wheels; `newest` is the last release for some of them."""

    machines: tuple[str, ...]
    first: Python
    last: Python
    extra: str
    newest: Mapping[Python, str]

    def fits(self, python: Python, machine: str) -> bool:
        """Tell whether there is a wheel."""
        return machine in self.machines and self.first <= python <= self.last

    @property
    def pythons(self) -> str:
        """The range in words."""
        return f"Python {self.first[0]}.{self.first[1]} to {self.last[0]}.{self.last[1]}"


_SERIES: tuple[Python, ...] = ((3, 9), (3, 10), (3, 11), (3, 12), (3, 13), (3, 14))
WHEELS: Mapping[str, Wheels] = {
    "ai-edge-litert": Wheels(("x86_64", "aarch64"), (3, 9), (3, 14), "tflite", {**dict.fromkeys(_SERIES, "2.3.0"), (3, 9): "2.1.0"}),
    "tflite-runtime": Wheels(
        ("x86_64", "aarch64", "armv7l"), (3, 9), (3, 11), "tflite-legacy", dict.fromkeys(_SERIES[:3], "2.14.0")
    ),
    "onnxruntime": Wheels(
        ("x86_64", "aarch64"), (3, 9), (3, 14), "onnx", {**dict.fromkeys(_SERIES, "1.31.1"), (3, 9): "1.19.2", (3, 10): "1.23.2"}
    ),
}  # fmt: skip


def this_machine() -> Optional[str]:
    """Name this Python's processor as wheels do; None where wheels are not judged.

    A 32-bit Raspberry Pi OS runs on a 64-bit kernel, whose name for the processor would be wrong for Python.
    """
    if sys.platform != "linux":
        return None
    machine = platform.machine()
    return "armv7l" if machine in ("aarch64", "armv8l") and sys.maxsize <= 1 << 32 else machine


def obstacle(runtime: str, python: Optional[Python] = None, machine: Optional[str] = None) -> str:
    """Say why a runtime cannot be installed here and what to take in its place; empty where it can.

    Args:
        runtime: One of `WHEELS`.
        python: Major and minor version; this Python's by default.
        machine: As wheels name it; this machine's by default.
    """
    python = python or sys.version_info[:2]
    machine = machine or this_machine()
    wheels = WHEELS.get(runtime)
    if machine is None or wheels is None or wheels.fits(python, machine):
        return ""
    here = f"Python {python[0]}.{python[1]} on {machine}"
    others = [f"{name} (extra {other.extra})" for name, other in WHEELS.items() if other.fits(python, machine)]
    known = f"{runtime} has wheels for {wheels.pythons} on {', '.join(wheels.machines)}, and none for {here}"
    if others:
        return f"{known}; take {others[0]}"
    reachable = [f"{other.pythons} for {name}" for name, other in WHEELS.items() if machine in other.machines]
    remedy = f"install {reachable[0]}" if reachable else "take a 64-bit system (aarch64)"
    if machine == "armv7l":
        remedy += ", or a 64-bit system"
    return f"{known}; no other runtime has one: {remedy}"
