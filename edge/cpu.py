"""The processor: its name, its cores, and the instructions that decide how fast a model runs; read, never guessed.

Source: proc(5); the arm64 kernel's "ELF hwcaps" for the names of its features.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

# What the kernel calls it -> what it is for. In this order they are told; others are left out.
MEANINGS: Mapping[str, str] = {
    "neon": "vectors",
    "asimd": "vectors (neon)",
    "asimdhp": "half precision",
    "asimddp": "int8 dot products",
    "i8mm": "int8 matrices",
    "sve": "long vectors",
    "avx": "vectors",
    "avx2": "vectors of 256 bits",
    "fma": "fused multiply and add",
    "f16c": "half precision",
    "avx512f": "vectors of 512 bits",
    "avx512_vnni": "int8 dot products",
    "avx_vnni": "int8 dot products",
    "amx_int8": "int8 matrices",
}
DOT_PRODUCTS = frozenset({"asimddp", "avx512_vnni", "avx_vnni"})
_PARTS: Mapping[str, str] = {
    "0xb76": "ARM1176",
    "0xc07": "Cortex-A7",
    "0xd03": "Cortex-A53",
    "0xd05": "Cortex-A55",
    "0xd08": "Cortex-A72",
    "0xd09": "Cortex-A73",
    "0xd0a": "Cortex-A75",
    "0xd0b": "Cortex-A76",
}


@dataclass(frozen=True)
class Cpu:
    """A processor as the system tells of it.

    `model` and `board` are empty and `features` is empty where it tells nothing; `usable` are the cores that this process may
    use; `foreign` tells that the system describes a processor of another architecture, as under emulation.
    """

    architecture: str
    model: str
    board: str
    cores: int
    usable: int
    features: tuple[str, ...]
    foreign: bool

    def sentence(self) -> str:
        """Describe it in one line."""
        name = " ".join(dict.fromkeys(part for part in (self.board, self.model, self.architecture) if part))
        return f"{name}, {self.usable} of {self.cores} cores; {', '.join(self.features) or 'features not told'}"


def read(root: Path = Path("/"), architecture: Optional[str] = None) -> Cpu:
    """Read what the system tells of its processor.

    Args:
        root: Where `proc` lies.
        architecture: As `platform.machine()` names it.
    """
    architecture = platform.machine() if architecture is None else architecture
    fields = _fields(text(root / "proc/cpuinfo"))
    key, other = ("features", "flags") if _is_arm(architecture) else ("flags", "features")
    foreign = other in fields and key not in fields
    flags = set() if foreign else set(fields.get(key, "").split())
    part = _PARTS.get(fields.get("cpu part", ""), "")
    return Cpu(
        architecture=architecture,
        model="" if foreign else part or fields.get("model name", ""),
        board=text(root / "proc/device-tree/model").strip("\0\n "),
        cores=os.cpu_count() or 1,
        usable=usable(),
        features=tuple(name for name in MEANINGS if name in flags),
        foreign=foreign,
    )


def usable() -> int:
    """Count the cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):  # not Linux
        return os.cpu_count() or 1


def text(path: Path) -> str:
    """Give a system file's content; empty where there is none, or it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _is_arm(architecture: str) -> bool:
    return architecture.lower().startswith(("aarch64", "arm"))


def _fields(content: str) -> dict[str, str]:
    """Read `name : value` lines; of several processors the first counts."""
    found: dict[str, str] = {}
    for name, value in re.findall(r"^([^:\n]+?)[ \t]*:[ \t]*(.*)$", content, flags=re.MULTILINE):
        found.setdefault(name.lower(), value.strip())
    return found
