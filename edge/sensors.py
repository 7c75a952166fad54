"""Temperature, clock rate and throttling of a device, as the kernel and a Raspberry Pi's firmware tell them.

Source: the kernel's "thermal sysfs" and "CPU performance scaling" pages; Raspberry Pi's documentation of `vcgencmd`.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

from edge.cpu import text

Ask = Callable[[str], str]
BITS: Mapping[int, str] = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}
REMEDIES: Mapping[str, str] = {
    "under-voltage": "use the power supply that is made for the board, and a short cable",
    "frequency capped": "use a stronger power supply, or cool the board",
    "throttled": "cool the board: a heat sink, a fan, more air",
    "soft temperature limit": "cool the board: a heat sink, a fan, more air",
}
_HAPPENED = 16  # the same bits, so much higher, tell what has happened since the start
_ZONES_OF_CPU = ("cpu", "soc", "x86_pkg", "k10temp", "coretemp")
_PLAUSIBLE_C = (-40.0, 150.0)


@dataclass(frozen=True)
class Throttling:
    """What the firmware of a Raspberry Pi tells: what holds the board back now, and what did since it was started."""

    bits: int

    @property
    def now(self) -> tuple[str, ...]:
        """What holds the board back at this moment, in words."""
        return tuple(words for bit, words in BITS.items() if self.bits >> bit & 1)

    @property
    def happened(self) -> tuple[str, ...]:
        """What has held it back since it was started, in words."""
        return tuple(words for bit, words in BITS.items() if self.bits >> bit + _HAPPENED & 1)


def ask_firmware(question: str) -> str:
    """Ask a Raspberry Pi's firmware by `vcgencmd`; empty where there is none, or it does not answer in time."""
    try:
        done = subprocess.run(["vcgencmd", question], capture_output=True, text=True, timeout=5, errors="replace")
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout if done.returncode == 0 else ""


class Sensors:
    """What can be read on this machine; what cannot is None, each time it is asked."""

    def __init__(self, root: Path = Path("/"), ask: Ask = ask_firmware) -> None:
        """Find the sensors once: reading must be cheap while something is measured.

        Args:
            root: Where `sys` lies.
            ask: Puts a question such as `get_throttled` to the firmware.
        """
        self._zones = _zones(root / "sys/class/thermal")
        self._clock = root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"
        self._driver = next(iter(sorted((root / "sys/devices/platform").glob("soc*/*firmware/get_throttled"))), None)
        self._ask = ask
        self._has_firmware = bool(ask("get_throttled"))

    def temperature_c(self) -> Optional[float]:
        """Read the hottest zone of the processor, or of the machine where none is called so, in °C."""
        values = [int(value) / 1000 for value in (text(path).strip() for path in self._zones) if re.fullmatch(r"-?\d+", value)]
        if not values and self._has_firmware:
            values = [float(value) for value in re.findall(r"temp=(-?[\d.]+)'C", self._ask("measure_temp"))]
        return max((value for value in values if _PLAUSIBLE_C[0] < value < _PLAUSIBLE_C[1]), default=None)

    def throttling(self) -> Optional[Throttling]:
        """Read what holds a Raspberry Pi back."""
        found = re.search(r"throttled=0x([0-9a-fA-F]+)", self._ask("get_throttled")) if self._has_firmware else None
        if found is None and self._driver is not None:
            found = re.fullmatch(r"(?:0x)?([0-9a-fA-F]+)\s*", text(self._driver))
        return Throttling(int(found[1], 16)) if found else None

    def clock_mhz(self) -> Optional[float]:
        """Read the clock rate of the first core, in MHz."""
        value = text(self._clock).strip()
        return int(value) / 1000 if value.isdigit() else None

    def missing(self) -> str:
        """Say what this machine does not tell; empty where it tells all."""
        absent = [
            words
            for words, value in (
                ("no temperature (no thermal zone in /sys, no vcgencmd)", self.temperature_c()),
                ("no throttling (no vcgencmd: not a Raspberry Pi, or raspi-utils is not installed)", self.throttling()),
                ("no clock rate (no cpufreq in /sys)", self.clock_mhz()),
            )
            if value is None
        ]
        return f"this machine tells {'; '.join(absent)}" if absent else ""


def _zones(folder: Path) -> list[Path]:
    """List the files with temperatures: those of the processor, or all where none is called so."""
    try:
        zones = sorted(folder.glob("thermal_zone*"))
    except OSError:
        return []
    own = [zone for zone in zones if text(zone / "type").strip().lower().startswith(_ZONES_OF_CPU)]
    return [zone / "temp" for zone in own or zones]
