"""What lies in the cache, and removing it: only files that Tandem put there, only in the cache's own folder."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edge.errors import SetupError
from training.data.cache import LOCK, PARTIAL, cache_folder, is_claimed
from training.data.packages import Package

_PACKAGE = re.compile(r"(npm|pypi|debian)-[^/]+\.(tgz|whl|sdist|deb)")
_HIDDEN = re.compile(rf"\.(?P<name>{_PACKAGE.pattern})(\.[^/]*{re.escape(PARTIAL)}|{re.escape(LOCK)})")


@dataclass(frozen=True)
class Removable:
    """A file or folder of the cache that may go, and the bytes that this would free."""

    path: Path
    size_bytes: int
    what: str


def removable(packages: Iterable[Package] | None = None) -> tuple[Removable, ...]:
    """List what may be removed: the packages given, or all; with what broken-off downloads of them left.

    Files of other names, which Tandem did not make, and what is being fetched at this moment are not listed.

    Raises:
        SetupError: The cache cannot be read.
    """
    folder = cache_folder()
    names = None if packages is None else {package.file_name for package in packages}
    try:
        paths = sorted(folder.iterdir()) if folder.is_dir() else []
        found = [item for path in paths if (item := _item(path, names)) is not None]
    except OSError as error:
        raise SetupError(f"{folder}: cannot be read ({error.strerror}); mend its rights") from None
    return tuple(found)


def remove(items: Iterable[Removable]) -> None:
    """Remove what `removable` listed.

    Raises:
        SetupError: Something cannot be removed; what was removed before it stays removed.
    """
    for item in items:
        try:
            if item.path.is_dir() and not item.path.is_symlink():
                shutil.rmtree(item.path)
            else:
                item.path.unlink(missing_ok=True)
        except OSError as error:
            raise SetupError(f"{item.path}: cannot be removed ({error.strerror}); mend the rights of its folder") from None


def _item(path: Path, names: set[str] | None) -> Removable | None:
    hidden = _HIDDEN.fullmatch(path.name)
    name = hidden["name"] if hidden else path.name
    if (names is not None and name not in names) or not _PACKAGE.fullmatch(name):
        return None
    if is_claimed(path.with_name(name)) or (path.is_dir() and not hidden):
        return None
    what = "left by a download that broke off" if hidden else "package"
    return Removable(path, _size(path), what)


def _size(path: Path) -> int:
    """Return the bytes of a file, or of all files under a folder; links count as themselves."""
    if path.is_dir() and not path.is_symlink():
        return sum(inner.lstat().st_size for inner in path.rglob("*") if not inner.is_dir())
    return path.lstat().st_size
