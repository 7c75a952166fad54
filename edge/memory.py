"""Memory: what this process holds, and what the machine has left for it; None where the system does not tell.

Source: proc(5), cgroups(7).
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from edge.cpu import text

_UNLIMITED = 1 << 60  # version 1 of cgroups writes "no limit" as a number about as large


@dataclass(frozen=True)
class Memory:
    """The machine's memory in bytes; `limit` is what the group of this process may hold, None where nobody limits it."""

    total: Optional[int]
    available: Optional[int]
    limit: Optional[int]


def read(root: Path = Path("/")) -> Memory:
    """Read the machine's memory; `root` is where `proc` and `sys` lie."""
    content = text(root / "proc/meminfo")
    return Memory(_kilobytes(content, "MemTotal"), _kilobytes(content, "MemAvailable"), _limit(root))


def resident(root: Path = Path("/")) -> Optional[int]:
    """Give the bytes that this process holds now."""
    return _kilobytes(text(root / "proc/self/status"), "VmRSS")


def peak(root: Path = Path("/")) -> Optional[int]:
    """Give the most bytes that this process has held so far.

    `getrusage` is the second choice: on Linux its figure starts with what the parent held before this program was started.
    """
    found = _kilobytes(text(root / "proc/self/status"), "VmHWM")
    if found is not None:
        return found
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _kilobytes(content: str, name: str) -> Optional[int]:
    found = re.search(rf"^{name}:\s+(\d+) kB", content, flags=re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _limit(root: Path) -> Optional[int]:
    """Find the smallest limit from this process's group up to the topmost one, in either version of cgroups."""
    found = []
    for _, kinds, path in re.findall(r"^(\d+):([^:]*):/?(.*)$", text(root / "proc/self/cgroup"), flags=re.MULTILINE):
        if kinds and "memory" not in kinds.split(","):
            continue
        base, name = (root / "sys/fs/cgroup/memory", "memory.limit_in_bytes") if kinds else (root / "sys/fs/cgroup", "memory.max")
        group = base / path
        for folder in (group, *group.parents):
            value = text(folder / name).strip()
            if value.isdigit() and int(value) < _UNLIMITED:
                found.append(int(value))
            if folder == base:
                break
    return min(found, default=None)
