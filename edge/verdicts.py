"""Kept verdicts: that a file gave its golden answers on this machine, so that the next opening need not replay all of them.

A verdict holds for one file, contract, golden set, runtime with its version, number of threads, and processor; any other of
them is another verdict. It never stands in for the hashes, which are checked at every opening, and one golden sample is
replayed all the same: see `edge.proof`.

A verdict that is damaged, of another user, or writable by others does not count. It protects from accidents, not from
somebody who may write as this user: that one could exchange the interpreter as well.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import platform
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import numpy as np

from edge import __version__, cpu
from edge.bundle import Bundle
from edge.errors import SetupError
from edge.runtimes import Options
from edge.schema import encode
from edge.storage import write_atomic
from edge.variants import Variant

VARIABLE, OFF = "TANDEM_VERDICTS", "off"
FORMAT = 1
MOST_KEPT = 256
MAX_BYTES = 16 << 10


@dataclass(frozen=True)
class Verdict:
    """What a replay of all golden samples gave: the largest difference of each output, and the sample that moved most."""

    drift: Mapping[str, float]
    worst: int


def place() -> Optional[Path]:
    """Give the folder of kept verdicts: TANDEM_VERDICTS, else below XDG_CACHE_HOME or ~/.cache; None where there is none."""
    named = os.environ.get(VARIABLE, "")
    if named:
        return None if named == OFF else Path(named).expanduser()
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tandem" / "verdicts"
    except RuntimeError:  # no HOME, and no entry for the user
        return None


def key(bundle: Bundle, variant: Variant, runtime: str, version: str, options: Options) -> Optional[str]:
    """Name what a verdict would hold for; None where that cannot be told, and so none may be kept.

    Args:
        bundle: The bundle, whose hashes were verified.
        variant: The file's description.
        runtime: Name of the runtime.
        version: Its version.
        options: Threads and device; what runs on another device than the processor is not kept.
    """
    processor = cpu.read()
    told = bool(processor.features) or sys.platform != "linux"
    if processor.foreign or not told or version == "unknown" or options.device != "cpu" or not bundle.sums:
        return None
    facts = {
        "edge": __version__,
        "files": [variant.sha256, bundle.sums["contract.json"], bundle.sums["golden.npz"]],
        "variant": encode(variant),
        "runtime": [runtime, version, options.threads],
        "machine": [sys.platform, platform.machine(), platform.python_version(), np.__version__, processor.model, *processor.features],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def read(name: str, bundle: Bundle, variant: Variant) -> Optional[Verdict]:
    """Read a kept verdict; None where there is none, or it is anything but whole, this user's own and possible."""
    folder = place()
    if folder is None:
        return None
    try:
        document = json.loads(_own(folder / f"{name}.json"))
        seal, drift, worst = document.pop("seal"), document["drift"], document["worst"]
        whole = seal == _seal(document) and document["name"] == name and set(drift) == {t.name for t in bundle.contract.main.outputs}
        good = all(isinstance(d, float) and math.isfinite(d) and 0 <= d <= variant.tolerance for d in drift.values())
        return Verdict(drift, worst) if whole and good and type(worst) is int and 0 <= worst < bundle.golden.count else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def keep(name: str, verdict: Verdict) -> bool:
    """Keep a verdict, and let the oldest go where there are many; tell whether that could be done."""
    folder = place()
    if folder is None:
        return False
    document = {"format": FORMAT, "name": name, "drift": dict(verdict.drift), "worst": verdict.worst}
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(folder / f"{name}.json", json.dumps({**document, "seal": _seal(document)}).encode())
    except (OSError, SetupError):  # read-only, full, no folder: the next opening replays again
        return False
    with contextlib.suppress(OSError):
        kept = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
        for path in kept[:-MOST_KEPT]:
            path.unlink()
    return True


def _own(path: Path) -> bytes:
    """Read a small plain file of this user that nobody else may write."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        strange = hasattr(os, "geteuid") and status.st_uid != os.geteuid()
        if strange or not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise ValueError(path)
        return file.read()


def _seal(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
