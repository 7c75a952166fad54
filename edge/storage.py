"""Files that are whole or not there: hashes, `SHA256SUMS`, atomic writing, and `.npz` read without trust.

A directory is written beside its final place, flushed to disk, then renamed over it, so that a reader, a
crash or a power cut sees the old content or the new one and never a mixture.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import re
import shutil
import stat
import struct
import sys
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Union

import numpy as np

from edge.errors import BundleError, InputError, SetupError

SUMS = "SHA256SUMS"
MAX_NPZ_BYTES = 4 << 30
MAX_NPZ_MEMBERS = 4096
# What numpy, zipfile and zlib raise on bytes that are no array or no archive: they do not wrap one another's errors.
UNREADABLE = (
    *(EOFError, LookupError, MemoryError, OverflowError, RuntimeError, SyntaxError, TypeError, ValueError),
    *(struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def fingerprint(paths: list[Path], *extra: str) -> str:
    """Return one SHA-256 over the content of files and folders and over further words.

    Folders count recursively, by relative name; byte-code caches do not count. Used to skip a stage whose inputs did
    not change.
    """
    digest = hashlib.sha256()
    for root in paths:
        files = [root] if root.is_file() else sorted(p for p in root.rglob("*") if p.is_file())
        for path in files:
            if "__pycache__" in path.parts:
                continue
            name = path.name if path == root else path.relative_to(root).as_posix()
            digest.update(f"{name}\0{sha256_file(path)}\0".encode())
    for word in extra:
        digest.update(f"{word}\0".encode())
    return digest.hexdigest()


def safe_relative(name: str) -> bool:
    """Tell whether a name stays inside its folder on every system: no root, drive, `..`, `.` or backslash."""
    parts = name.split("/")
    return bool(name) and "\\" not in name and ":" not in name and "\0" not in name and not any(p in ("", ".", "..") for p in parts)


def write_sums(folder: Path, names: list[str]) -> None:
    """Write `SHA256SUMS` over the named files, in the form that `sha256sum -c` reads."""
    lines = [f"{sha256_file(folder / name)}  {name}\n" for name in sorted(names)]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def read_sums(folder: Path) -> dict[str, str]:
    """Read `SHA256SUMS`.

    Returns:
        The hash of each file, by relative name.

    Raises:
        BundleError: The list is missing, malformed, names a file twice or a path outside the folder.
    """
    path = folder / SUMS
    if path.is_symlink() or not path.is_file():
        raise BundleError(f"{folder}: no {SUMS}; not a released directory, or the copy is incomplete")
    if path.stat().st_size > 1 << 20:
        raise BundleError(f"{path}: {path.stat().st_size} bytes, expected at most {1 << 20}")
    sums: dict[str, str] = {}
    text = path.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text[:-1].split("\n") if text.endswith("\n") else text.split("\n"), 1):
        match = _LINE.fullmatch(line)
        if match is None or not safe_relative(match[2]) or match[2] in sums or match[2] == SUMS:
            raise BundleError(f"{path}, line {number}: {line[:80]!r} is not '<sha256>  <path inside the folder>', each path once")
        sums[match[2]] = match[1]
    return sums


def verify(folder: Path, unlisted: frozenset[str] = frozenset(), max_bytes: int = 2 << 30) -> dict[str, str]:
    """Check a directory against its `SHA256SUMS`: nothing altered, missing, added, linked or oversized.

    Args:
        folder: The directory.
        unlisted: Names that may be present without being listed.
        max_bytes: The largest file that is read.

    Returns:
        The hash of each listed file, by relative name.

    Raises:
        BundleError: What is wrong with which file, and the remedy.
    """
    sums = read_sums(folder)
    present = dict(_walk(folder, max_bytes))
    for name, expected in sums.items():
        if name not in present:
            raise BundleError(f"{folder / name}: missing although {SUMS} lists it; copy the bundle again")
        actual = sha256_file(present[name])
        if actual != expected:
            raise BundleError(
                f"{folder / name}: SHA-256 is {actual[:12]}…, expected {expected[:12]}…; the file was altered or damaged, copy it again"
            )
    extra = sorted(set(present) - set(sums) - unlisted - {SUMS})
    if extra:
        raise BundleError(f"{folder / extra[0]}: not listed in {SUMS}; remove the file or release the bundle again")
    return sums


def _walk(folder: Path, max_bytes: int) -> Iterator[tuple[str, Path]]:
    """Yield (relative name, path) of every regular file; refuse anything else."""
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            continue
        if not stat.S_ISREG(mode):
            raise BundleError(f"{path}: a link or special file, expected plain files only; replace it by a copy")
        if path.lstat().st_size > max_bytes:
            raise BundleError(f"{path}: {path.lstat().st_size} bytes, expected at most {max_bytes}")
        yield path.relative_to(folder).as_posix(), path


@contextmanager
def atomic_directory(target: Path) -> Iterator[Path]:
    """Give an empty directory to fill; on success it takes the place of `target`, on an error nothing changes.

    Raises:
        SetupError: The disk is full or the place cannot be written; what was there is untouched.
    """
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise SetupError(f"{target}: a file or a link stands in the place of a directory; move it away")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
    except OSError as error:
        raise SetupError(f"{target.parent}: cannot be written ({error.strerror}); choose another folder or mend its rights") from None
    try:
        yield work
        work.chmod(0o755)
        for path in [*work.rglob("*"), work]:
            _flush(path)
        _swap(work, target)
        _flush(target.parent)
    except OSError as error:
        raise SetupError(
            f"{target}: could not be written ({error.strerror}); free some space or mend its rights, then run it again"
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def write_atomic(path: Path, content: bytes) -> None:
    """Write one file so that a reader sees the old content or the new one.

    Raises:
        SetupError: The disk is full or the place cannot be written; the old content is untouched.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
        _flush(path.parent)
    except OSError as error:
        raise SetupError(f"{path}: could not be written ({error.strerror}); free some space or mend its rights") from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def save_npz(path: Union[Path, IO[bytes]], arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Write arrays as a compressed `.npz` whose bytes depend on the arrays alone: sorted names, fixed dates."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(arrays):
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(info, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(arrays[name], order="C"), allow_pickle=False)


def load_npz(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Read an `.npz` of plain arrays; pickled objects, bombs and broken archives are refused.

    Raises:
        InputError: The file is not such an archive, or is larger than memory should bear.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            size = sum(member.file_size for member in members)
            if len(members) > MAX_NPZ_MEMBERS or size > MAX_NPZ_BYTES:
                raise InputError(f"{path}: {len(members)} arrays of {size} bytes, expected at most {MAX_NPZ_MEMBERS} and {MAX_NPZ_BYTES}")
            if any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in members):
                raise InputError(f"{path}: not an .npz of plain arrays (packed by an unusual method); write it with numpy.savez")
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    except UNREADABLE as error:
        raise InputError(f"{path}: not an .npz of plain arrays ({error}); write it with numpy.savez") from None
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):  # numpy gives a member without the mark of .npy as bytes
            raise InputError(f"{path}: not an .npz of plain arrays ({name!r} is none); write it with numpy.savez")
    return arrays


def _flush(path: Path) -> None:
    """Force one file or directory to disk; directories only where the system can."""
    if path.is_dir() and sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _swap(work: Path, target: Path) -> None:
    """Put `work` in the place of `target`: exchanged in one system call where Linux offers it, else by two renames."""
    if not target.exists():
        try:
            work.rename(target)
            return
        except OSError as error:  # another process may have put its own there meanwhile: then that is the earlier one
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
    if _exchange(work, target):
        return
    old = work.with_name(work.name + ".old")
    target.rename(old)
    try:
        work.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two directories atomically. Source: renameat2(2), RENAME_EXCHANGE."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    return bool(rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0)
