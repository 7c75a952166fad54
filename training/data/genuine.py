"""Genuine files of a data set from a folder of the user: each held against the known hash of its content."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Mapping
from pathlib import Path

from edge.errors import InputError

MAX_BYTES = 1 << 30


def read(folder: Path, files: Mapping[str, str]) -> dict[str, bytes]:
    """Read a data set's files, plain or as `<name>.gz`, and check that they are the genuine ones.

    Args:
        folder: Where they lie.
        files: The SHA-256 of each file's content, unpacked, by name, or the MD5 where its authors publish no other. A name
            with `-` before its kind may also be spelt with `.` there (`train-images.idx3-ubyte`), as some programs unpack it.

    Returns:
        The content of each, unpacked.

    Raises:
        InputError: The folder or a file is missing or cannot be read, or a file's content is another.
    """
    if not folder.is_dir():
        raise InputError(f"--data-dir {folder}: {'is no folder' if folder.exists() else 'there is no such folder'}")
    paths = {name: _path(folder, name) for name in files}
    missing = [name for name, path in paths.items() if path is None]
    if missing:
        raise InputError(
            f"--data-dir {folder}: {', '.join(missing)} missing, expected {', '.join(files)}, each plain or with .gz; add what is missing"
        )
    return {name: _verified(path, files[name]) for name, path in paths.items() if path is not None}


def _path(folder: Path, name: str) -> Path | None:
    head, _, kind = name.partition("-idx")
    spellings = (name, f"{head}.idx{kind}")
    return next((path for spelling in spellings for path in (folder / spelling, folder / f"{spelling}.gz") if path.is_file()), None)


def _verified(path: Path, expected: str) -> bytes:
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as file:
                content = file.read(MAX_BYTES + 1)
        else:
            with path.open("rb") as plain:
                content = plain.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}); copy the file again") from None
    kind = "SHA-256" if len(expected) == 64 else "MD5"
    actual = (hashlib.sha256(content) if kind == "SHA-256" else hashlib.md5(content, usedforsecurity=False)).hexdigest()
    if actual != expected:
        raise InputError(
            f"{path}: {kind} of {'the unpacked content' if path.suffix == '.gz' else 'the content'} is {actual[:12]}…, "
            f"expected {expected[:12]}…; it is not the genuine file or was altered; copy it again, or go on without --data-dir"
        )
    return content
