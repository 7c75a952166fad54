"""Processor, memory, disk, clock and heat of this machine."""

from __future__ import annotations

import os
import shutil
from datetime import datetime, timezone
from pathlib import Path
from typing import Callable, Optional

from edge import cpu, memory, tuned, verdicts
from edge.cpu import DOT_PRODUCTS, Cpu
from edge.doctor import Finding, fine, problem, warning
from edge.memory import Memory
from edge.sensors import REMEDIES, Sensors

VERSION, RELEASED = "0.1.0", datetime(2026, 11, 1, tzinfo=timezone.utc)  # that version is younger: a clock that shows less is wrong
LEAST_BYTES, LITTLE_BYTES = 64 << 20, 128 << 20  # a process that answers with a small model holds about 60 MB
LEAST_DISK, LITTLE_DISK = 16 << 20, 256 << 20
HOT_C = 80.0  # at which a Raspberry Pi begins to slow down


def examine() -> list[Finding]:
    """Look at all of it."""
    sensors = Sensors()
    return [processor(cpu.read()), ram(memory.read()), disk(), clock(), temperature(sensors), throttling(sensors)]


def processor(found: Cpu) -> Finding:
    """Judge the processor by what the system tells of it."""
    if found.foreign:
        return warning(
            "processor",
            f"/proc/cpuinfo describes another processor than {found.architecture}, as under emulation",
            "give the emulated system the cpuinfo of its own processor: ai-edge-litert crashes of a foreign one",
        )
    if not found.features:
        return fine("processor", f"{found.sentence()} (no /proc/cpuinfo that says more)")
    dots = sorted(DOT_PRODUCTS & set(found.features))
    quick = f"int8 dot products by {dots[0]}" if dots else "no int8 dot products, so int8 gains less"
    return fine("processor", f"{found.sentence()}; {quick}")


def ram(found: Memory) -> Finding:
    """Judge memory by what a small model needs."""
    if found.total is None:
        return fine("memory", "not told by this system")
    known = [value for value in (found.available, found.limit) if value is not None]
    limit = "" if found.limit is None else f", this process may hold {_megabytes(found.limit)}"
    available = "" if found.available is None else f"{_megabytes(found.available)} of "
    words = f"{available}{_megabytes(found.total)} available{limit}"
    least = min(known, default=found.total)
    if least < LEAST_BYTES:
        return problem("memory", words, f"free some, or raise the limit: a small model needs {_megabytes(LEAST_BYTES)}")
    if least < LITTLE_BYTES:
        return warning("memory", words, "enough for small models only; see the peak in 'tandem bench'")
    return fine("memory", words)


def disk(
    place: Optional[Path] = None,
    usage: Callable[[Path], tuple[int, int, int]] = shutil.disk_usage,
    writable: Callable[[Path], bool] = lambda path: os.access(path, os.W_OK),
) -> Finding:
    """Judge the disk on which verdicts and tunings are kept: whether it can be written, and how much is free."""
    folder = place or verdicts.place() or tuned.place() or Path.cwd()
    there = next((path for path in (folder, *folder.parents) if path.is_dir()), Path.cwd())
    remedy = f"mend its rights, or set {verdicts.VARIABLE} and {tuned.VARIABLE} to folders that can be written"
    try:
        free = usage(there)[2]
    except OSError as error:
        return warning("disk", f"{there}: cannot be asked ({error.strerror})", remedy)
    words = f"{_megabytes(free)} free at {_short(there)}"
    if not writable(there):
        return warning("disk", f"{words}, which cannot be written: models run, but are proved again at each start", remedy)
    if free < LEAST_DISK:
        return problem("disk", words, "free some: not even a small bundle fits")
    if free < LITTLE_DISK:
        return warning("disk", words, "free some before larger bundles are copied here")
    return fine("disk", words)


def clock(now: Optional[datetime] = None) -> Finding:
    """Judge the clock: a board without a battery starts in the past, and then no TLS certificate is valid yet."""
    now = now or datetime.now(timezone.utc)
    words = now.strftime("%Y-%m-%d %H:%M UTC")
    if now < RELEASED:
        remedy = (
            "connect it to a network and run 'timedatectl set-ntp true', or set it by hand with 'date'; a Raspberry Pi has no battery clock"
        )
        return problem("clock", f"{words}, before this version of edge was written ({RELEASED:%Y-%m-%d})", remedy)
    return fine("clock", words)


def temperature(sensors: Sensors) -> Finding:
    """Judge the processor's temperature."""
    found = sensors.temperature_c()
    if found is None:
        return fine("temperature", "not told by this machine (no thermal zone in /sys, no vcgencmd)")
    if found >= HOT_C:
        return warning("temperature", f"{found:.0f} °C, at which boards slow down", "cool it: a heat sink, a fan, more air")
    return fine("temperature", f"{found:.0f} °C")


def throttling(sensors: Sensors) -> Finding:
    """Judge what a Raspberry Pi's firmware says of its power supply and its heat."""
    found = sensors.throttling()
    if found is None:
        return fine("throttling", "not told by this machine (no vcgencmd: not a Raspberry Pi, or raspi-utils is missing)")
    named = found.now or found.happened
    if not named:
        return fine("throttling", "none, now or since it was started")
    when = "now" if found.now else "since it was started"
    return warning("throttling", f"{', '.join(named)} ({when})", "; ".join(dict.fromkeys(REMEDIES[words] for words in named)))


def _short(path: Path) -> str:
    """Give a path as people write it, with ~ for the user's home."""
    try:
        return str(Path("~", path.relative_to(Path.home())))
    except (ValueError, RuntimeError):  # elsewhere, or no home
        return str(path)


def _megabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
