"""Python, how edge was installed, numpy, and the runtimes: each one tried in a process of its own, not only looked up."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Optional

import numpy as np

from edge import __version__, child, runtimes
from edge.doctor import Finding, fine, problem, warning
from edge.runtimes import xnnpack
from edge.runtimes.wheels import WHEELS, obstacle
from edge.variants import RUNTIMES_OF

DISTRIBUTION = "tandem-edge"
OLDEST_NUMPY = (1, 23)
_TRY = "import {module}; print('loaded')"
_TIMEOUT_S = 120
_TRIED_BY_CHECK = "'tandem check BUNDLE' tries it in its own process"
# Without XNNPACK files run several times slower, small int8 ones a hundred times and more.
_SLOW = {
    "ai-edge-litert": "mount /proc: XNNPACK reads the processor's features there, and is off where it finds none",
    "tflite-runtime": "take ai-edge-litert where it has a wheel; else 'tandem tune' tells whether float files are faster here",
}


def examine() -> list[Finding]:
    """Look at all of it."""
    installed = runtimes.installed()
    return [
        python(),
        edge(),
        numpy(np.__version__, installed),
        *(runtime(name, installed) for name in runtimes.KNOWN),
        any_runtime(installed),
    ]


def python(version: Optional[tuple[int, int]] = None, machine: Optional[str] = None) -> Finding:
    """Judge Python by whether any runtime has a wheel for it; a version and a machine other than these are for tests."""
    bits = 64 if sys.maxsize > 1 << 32 else 32
    shown = platform.python_version() if version is None else f"{version[0]}.{version[1]}"
    found = f"{platform.python_implementation()} {shown}, {bits} bit, on {machine or platform.machine()}"
    obstacles = [obstacle(name, version, machine) for name in WHEELS]
    if all(obstacles):
        return problem("Python", f"{found}: no runtime has a wheel for it", obstacles[0].rpartition(": ")[2])
    return fine("Python", found)


def edge() -> Finding:
    """Tell whether edge runs from a wheel, from a folder that may be edited, or from no installation at all."""
    try:
        distribution = importlib.metadata.distribution(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return warning(
            "tandem-edge", f"{__version__}, run from a folder, not installed", "install the wheel: pip install tandem_edge-….whl"
        )
    if distribution.version != __version__:
        return problem(
            "tandem-edge",
            f"the code is {__version__}, installed is {distribution.version}: two copies are in each other's way",
            "uninstall tandem-edge, then install it again",
        )
    return fine("tandem-edge", f"{__version__}, {_way(distribution)}")


def numpy(version: str, installed: Mapping[str, str]) -> Finding:
    """Judge numpy by what edge and the installed runtimes want."""
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < OLDEST_NUMPY:
        return problem("numpy", f"{version}, too old", "install numpy 1.23 or newer")
    if "tflite-runtime" in installed and numbers >= (2, 0):
        remedy = "install 'numpy<2', or uninstall tflite-runtime and take ai-edge-litert"
        return (warning if len(installed) > 1 else problem)("numpy", f"{version}, with which tflite-runtime crashes", remedy)
    return fine("numpy", version)


def runtime(name: str, installed: Mapping[str, str]) -> Finding:
    """Try a runtime; where it is missing, say whether it can be had for this Python and processor."""
    version = installed.get(name)
    if version is None:
        return _missing(name, installed)
    if name in RUNTIMES_OF["tflite"]:
        found = xnnpack.inspect(name)
        if found.state == "untried":  # as under the emulation of one program alone
            return warning(name, f"{version}, {found.words}", _TRIED_BY_CHECK)
        if found.state == "unknown":
            return _unusable(name, version, found.words.partition(": ")[2], installed)
        words = f"{version}, XNNPACK {found.words}"
        if found.state == "on":
            return fine(name, words)
        return warning(name, words, _SLOW[name])
    try:
        said = _load(runtimes.KNOWN[name].module)
    except OSError as error:
        return warning(name, f"{version}, not known: no process can be started here to try it ({error})", _TRIED_BY_CHECK)
    return _unusable(name, version, said, installed) if said else fine(name, f"{version}, its own kernels")


def any_runtime(installed: Mapping[str, str]) -> Finding:
    """Judge whether there is a runtime at all."""
    if installed:
        return fine("runtime", f"{next(iter(installed))} is taken first, where a file passed on it")
    usable = [name for name in runtimes.KNOWN if not obstacle(name)]
    remedy = runtimes.remedy(usable[0] if usable else next(iter(runtimes.KNOWN)))
    return problem("runtime", "none is installed: no model can be run", remedy)


def _missing(name: str, installed: Mapping[str, str]) -> Finding:
    """Say that a runtime is not there; that is fine as long as another one is, and `any_runtime` tells where none is."""
    hindrance = obstacle(name)
    how = (
        f"cannot be: {hindrance}"
        if hindrance
        else f"not needed as long as {next(iter(installed), 'another one')} is; {runtimes.remedy(name)}"
    )
    return fine(name, f"not installed, {how}" if hindrance or installed else f"not installed; {runtimes.remedy(name)}")


def _unusable(name: str, version: str, said: str, installed: Mapping[str, str]) -> Finding:
    """Say that a runtime is installed and does not work; with another one at hand models still run."""
    remedy = f"install it again, or another one; {runtimes.remedy(name)}"
    return (warning if len(installed) > 1 else problem)(name, f"{version}, cannot be used: {said}", remedy)


def _load(module: str) -> str:
    """Import a module in a process of its own; give what went wrong, empty where nothing did.

    Raises:
        OSError: No process can be started here.
    """
    command = child.program(_TRY.format(module=module))
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_S)
    except subprocess.SubprocessError as error:
        return f"it cannot be tried here ({error})"
    if xnnpack.not_started(done):
        raise OSError(f"exit code {done.returncode}")
    if done.returncode == 0 and "loaded" in done.stdout:
        return ""
    return (done.stderr.strip().splitlines() or [f"its process ended with {done.returncode}"])[-1]


def _way(distribution: importlib.metadata.Distribution) -> str:
    """Say how a distribution was installed. Source: PEP 610."""
    try:
        origin = json.loads(distribution.read_text("direct_url.json") or "{}")
        if origin.get("dir_info", {}).get("editable"):
            return "editable: the code is that of a working copy"
        if "archive_info" in origin:
            return f"from the file {Path(str(origin.get('url', ''))).name}"
        return "from a folder" if "dir_info" in origin else "from an index"
    except (ValueError, AttributeError):
        return "installed in a way that it does not tell"
