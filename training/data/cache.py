"""The folder of fetched packages: where it is, and who may put which file there.

One process at a time fetches a file; others wait for it and then find it there. What is being fetched lies in a folder
of its own within the cache, so that keeping it is one renaming on the same disk and leaving it is one removal.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.errors import SetupError
from training.progress import say

CACHE_VARIABLE = "TANDEM_CACHE"
PARTIAL, LOCK = ".partial", ".lock"
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)  # some network disks have none


def cache_folder() -> Path:
    """Return the folder that holds fetched packages: `$TANDEM_CACHE`, else `~/.cache/tandem`."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return (Path(chosen) if chosen else Path.home() / ".cache" / "tandem") / "packages"


@contextmanager
def claim(target: Path) -> Iterator[Path]:
    """Hold the right to fetch a file of the cache; wait while another process holds it.

    Args:
        target: The file, in the cache; the caller looks once more whether it is there now.

    Returns:
        An empty folder beside it, removed at the end with everything in it.

    Raises:
        SetupError: The cache cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _lock(target) as alone:
            if alone:
                _remove_partials(target)
            work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=PARTIAL, dir=target.parent))
            try:
                yield work
            finally:
                shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise SetupError(
            f"{target.parent}: the cache cannot be written ({error.strerror or error}); free some space or mend its rights, "
            f"or name another folder in {CACHE_VARIABLE}"
        ) from None


def is_claimed(target: Path) -> bool:
    """Tell whether a process is fetching a file of the cache at this moment."""
    try:
        descriptor = os.open(_lock_path(target), os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def _lock_path(target: Path) -> Path:
    return target.with_name(f".{target.name}{LOCK}")


def _remove_partials(target: Path) -> None:
    """Remove what a process that was killed in the middle left of this file."""
    for path in target.parent.glob(f".{target.name}.*{PARTIAL}"):
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _lock(target: Path) -> Iterator[bool]:
    """Hold the file's lock; yield False where this disk knows no locks, and two may then fetch the same, each whole."""
    path = _lock_path(target)
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            alone = _wait_for(descriptor, target)
            if _is_same(descriptor, path):
                try:
                    yield alone
                finally:
                    path.unlink(missing_ok=True)
                return
        finally:
            os.close(descriptor)


def _wait_for(descriptor: int, target: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say(f"another process is fetching {target.name}; waiting for it …")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False
    return True


def _is_same(descriptor: int, path: Path) -> bool:
    """Tell whether the lock is still the one that others find by name: its last holder may have removed it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
