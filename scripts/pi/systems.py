"""The systems of Raspberry Pis: Debian's releases, unpacked and not booted, and the libraries on top, by version and hash."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from edge.errors import SetupError
from pi import sources, tools
from pi.cache import kept

REQUIREMENTS = Path(__file__).with_name("requirements")
PACKAGES = ("bash", "ca-certificates", "coreutils", "libc-bin", "libgomp1", "libstdc++6", "python3")
PIP = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-compile", "--no-deps")
RUNTIMES = ("ai-edge-litert", "tflite-runtime", "onnxruntime")


@dataclass(frozen=True)
class System:
    """One release for one architecture.

    Attributes:
        name: Short, as commands and files call it.
        suite: Debian's name of the release.
        architecture: Debian's: `arm64` or `armhf`.
        python: Its Python, `3.11`.
        glibc: Its C library; wheels for a newer one are refused, as pip refuses them there.
        packages: Debian's packages beside those that every system has.
        libraries: Folders of shared libraries that Debian's alternatives would have linked to, from the system's root.
    """

    name: str
    suite: str
    architecture: str
    python: str
    glibc: int
    packages: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()

    @property
    def bits(self) -> int:
        """Width of its addresses."""
        return 64 if self.architecture == "arm64" else 32

    @property
    def machine(self) -> str:
        """Its processors, as Python and wheels call them."""
        return "aarch64" if self.bits == 64 else "armv7l"

    @property
    def emulator(self) -> str:
        """QEMU's program for its architecture."""
        return "qemu-aarch64-static" if self.bits == 64 else "qemu-arm-static"

    def requirements(self, runtime: str) -> Path:
        """Return the file that pins a runtime and its numpy for this system; it does not exist where there is no wheel."""
        return REQUIREMENTS / f"{runtime}-{self.name}.txt"

    def pins(self, runtime: str) -> list[str]:
        """Return what a runtime is installed with, as `name==version`, itself first."""
        return [line.split()[0] for line in self.requirements(runtime).read_text(encoding="utf-8").splitlines()]

    def version(self, runtime: str) -> str:
        """Return the version of a runtime that is pinned for it."""
        return self.pins(runtime)[0].split("==")[1]

    @property
    def runtimes(self) -> tuple[str, ...]:
        """Names of the runtimes that have a wheel for it."""
        return tuple(runtime for runtime in RUNTIMES if self.requirements(runtime).is_file())


SYSTEMS = {
    system.name: system
    for system in (
        System("bookworm", "bookworm", "arm64", "3.11", 36),
        System("trixie", "trixie", "arm64", "3.13", 41),
        System("bullseye", "bullseye", "arm64", "3.9", 31),
        System(
            "bookworm-32",
            "bookworm",
            "armhf",
            "3.11",
            36,
            packages=("python3-numpy",),
            libraries=("usr/lib/arm-linux-gnueabihf/blas", "usr/lib/arm-linux-gnueabihf/lapack"),
        ),
    )
}


def unpacked(system: System) -> Path:
    """Return the root folder of a system, made from Debian's archive where it is not there yet.

    Raises:
        SetupError: A tool is missing, or the archive cannot be had.
    """
    tools.require("mmdebstrap")
    packages = [*PACKAGES, *system.packages]
    recipe = {"suite": system.suite, "architecture": system.architecture, "packages": packages, "variant": "extract"}
    return kept("systems", system.name, recipe, lambda folder: _extract(system, packages, folder))


def _extract(system: System, packages: list[str], folder: Path) -> None:
    """Download and unpack; nothing of the other architecture is run."""
    line = sources.debian().line(system.suite)
    words = ["mmdebstrap", "--quiet", f"--arch={system.architecture}", "--variant=extract", f"--include={','.join(packages)}"]
    tools.run([*words, system.suite, str(folder), line], f"{system.name}: Debian {system.suite} for {system.architecture}")


def libraries(system: System, runtime: str) -> Path:
    """Return the folder with a runtime and its numpy for a system, downloaded by pip where it is not there yet.

    Raises:
        SetupError: There is no wheel, it cannot be had, or it is not the one whose hash is pinned.
    """
    pins = system.requirements(runtime)
    if not pins.is_file():
        have = ", ".join(system.runtimes)
        raise SetupError(f"{runtime} has no wheel for {system.name} (Python {system.python}, {system.architecture}); take {have}")
    recipe = {"pins": pins.read_text(encoding="utf-8"), "python": system.python, "architecture": system.architecture}
    return kept("libraries", f"{system.name}-{runtime}", recipe, lambda folder: _download(system, pins, folder))


def extras(machine: str) -> Path:
    """Return the folder with what some models' steps import beside a runtime; the same for every Python from 3.9 on.

    Args:
        machine: The processors that it is for, as Python calls them: `aarch64`, `armv7l`, `x86_64`.

    Raises:
        SetupError: It cannot be had, or is not what is pinned.
    """
    pins = REQUIREMENTS / "extras.txt"
    words = [*PIP, "--no-build-isolation", "--implementation=cp", "--python-version=3.9", "--abi=abi3", "--abi=none", "--platform=any"]
    words += [f"--platform=manylinux_2_17_{machine}", "--require-hashes", "-r", str(pins), "--target"]
    recipe = {"pins": pins.read_text(encoding="utf-8"), "machine": machine}
    return kept("libraries", f"extras-{machine}", recipe, lambda folder: tools.run([*words, str(folder)], f"extras for {machine}"))


def _download(system: System, pins: Path, folder: Path) -> None:
    """Have pip fetch, verify and unpack wheels for another machine than this one.

    Dependencies that a runtime names and does not import to answer are left out, as the pins have it.
    """
    machine = system.machine
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(system.glibc, 16, -1)] + [f"manylinux2014_{machine}"]
    abi = "cp" + system.python.replace(".", "")
    words = [
        *PIP,
        "--only-binary=:all:",
        "--implementation=cp",
        f"--python-version={system.python}",
        f"--abi={abi}",
        "--abi=abi3",
        "--abi=none",
    ]
    words += [f"--platform={platform}" for platform in platforms]
    tools.run([*words, "--require-hashes", "-r", str(pins), "--target", str(folder)], f"{system.name}: {pins.stem}")
