"""One emulated Pi: a system, a processor and a runtime, on which programs are run.

The emulator translates the program's instructions and passes its system calls on to this machine, so answers are those
of the other processor while times and memory are those of the emulator.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.errors import UsageError
from pi import distribution, tools
from pi.cache import kept
from pi.processors import Processor
from pi.systems import System, extras, libraries, unpacked


@dataclass(frozen=True)
class Guest:
    """What is emulated; `name` is for people."""

    system: System
    processor: Processor
    runtime: str

    def __post_init__(self) -> None:
        """Refuse a processor of another width than the system's."""
        if self.system.bits != self.processor.bits:
            raise UsageError(
                f"{self.system.name} has {self.system.bits} bits, {self.processor.qemu} is emulated with {self.processor.bits}"
            )

    @property
    def name(self) -> str:
        """System, processor and runtime."""
        return f"{self.system.name} on {self.processor.qemu} (emulated), {self.runtime}"

    def paths(self) -> list[Path]:
        """Return the folders of Python packages: the runtime and numpy, what steps need, and tandem-edge.

        Raises:
            SetupError: Something cannot be downloaded or built.
        """
        return [libraries(self.system, self.runtime), extras(self.system.machine), distribution.edge()]

    def python(self, words: Sequence[str]) -> list[str]:
        """Return the command that runs the guest's Python on `words`; everything it needs is made first.

        Raises:
            SetupError: A tool is missing, or something cannot be downloaded.
        """
        tools.require(self.system.emulator, "mmdebstrap")
        root = self._machine(unpacked(self.system))
        path = os.pathsep.join(map(str, self.paths()))
        settings = {"PYTHONHOME": f"{root}/usr", "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
        if self.system.libraries:  # the linker asks for folders by a call that the emulator does not turn to the root
            settings["LD_LIBRARY_PATH"] = ":".join(f"{root}/{folder}" for folder in self.system.libraries)
        command = [self.system.emulator, "-L", str(root), "-cpu", self.processor.qemu]
        for key, value in settings.items():
            command += ["-E", f"{key}={value}"]
        return [*command, f"{root}/usr/bin/python{self.system.python}", *words]

    def _machine(self, system: Path) -> Path:
        """Return a root with this processor's `/proc/cpuinfo`; the rest of it points into the system's own root."""
        recipe = {"system": system.name, "cpuinfo": self.processor.cpuinfo()}
        return kept("machines", f"{self.system.name}-{self.processor.name}", recipe, lambda folder: self._lay_out(system, folder))

    def _lay_out(self, system: Path, folder: Path) -> None:
        for entry in system.iterdir():
            if entry.name != "proc":
                (folder / entry.name).symlink_to(Path("../..") / "systems" / system.name / entry.name)
        (folder / "proc").mkdir()
        (folder / "proc" / "cpuinfo").write_text(self.processor.cpuinfo(), encoding="ascii")
