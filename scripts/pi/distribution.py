"""What a device gets of this repository: the edge package, installed by pip or as a wheel, from a clean copy of the working tree."""

from __future__ import annotations

import functools
import shutil
import sys
import tempfile
from pathlib import Path

from edge.storage import fingerprint
from pi import tools
from pi.cache import kept
from pi.systems import PIP

EDGE = Path(__file__).resolve().parents[2] / "edge"
_LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build")


@functools.cache  # one process tests one state of the package, whatever is written meanwhile
def edge() -> Path:
    """Return a folder with tandem-edge installed, made anew where the package changed.

    Raises:
        SetupError: It cannot be built.
    """
    with tempfile.TemporaryDirectory() as name:
        copy = shutil.copytree(EDGE, Path(name) / "edge", ignore=_LEFT_OUT)
        return kept("edge", "tandem-edge", {"content": fingerprint([copy])}, lambda folder: _install(copy, folder))


@functools.cache
def wheel() -> Path:
    """Return the wheel of tandem-edge, in a folder of its own, built anew where the package changed.

    Raises:
        SetupError: It cannot be built.
    """
    with tempfile.TemporaryDirectory() as name:
        copy = shutil.copytree(EDGE, Path(name) / "edge", ignore=_LEFT_OUT)
        return next(kept("edge", "wheel", {"content": fingerprint([copy])}, lambda folder: _pack(copy, folder)).glob("*.whl"))


def _pack(project: Path, folder: Path) -> None:
    words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder), str(project)]
    tools.run(words, "the wheel of tandem-edge")


def _install(project: Path, folder: Path) -> None:
    tools.run([*PIP, "--no-build-isolation", "--target", str(folder), str(project)], "tandem-edge")
