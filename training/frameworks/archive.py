"""Zip archives whose bytes depend on their content alone, so that the same training gives the same file."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

_DATE = (1980, 1, 1, 0, 0, 0)


def settle(path: Path, edit: Callable[[dict[str, bytes]], dict[str, bytes]]) -> None:
    """Write an archive anew: members by name, of one date, stored as they are.

    Args:
        path: The archive.
        edit: Takes the content of each member by name and returns it without what differs from save to save.
    """
    with zipfile.ZipFile(path) as archive:
        members = edit({name: archive.read(name) for name in archive.namelist()})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            archive.writestr(zipfile.ZipInfo(name, date_time=_DATE), members[name])
