"""Models that others trained, as data: the package that each lies in, pinned by hash, and the terms that it may be used under.

A file here that assigns `SOURCE` is such a source; it imports no framework, so that listing is quick. The weights are never
committed: they come out of the package, which is fetched once, verified, and kept in the cache.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from edge.errors import ContractError, InputError
from training.data import packages
from training.data.packages import Package


@dataclass(frozen=True)
class Member:
    """One file inside a package, or a part of one: bytes `part[0]` to `part[1]`; `sha256` is of what is given."""

    path: str
    sha256: str
    part: tuple[int, int] | None = None


@dataclass(frozen=True)
class Pretrained:
    """Where a pretrained model comes from.

    Attributes:
        name: As commands spell it; the name of its file.
        title: What it is, in one line.
        licence: Under which terms it may be used.
        origin: Who trained it, and on what, as far as it is known.
        package: What holds it.
        members: What is read of the package, by a name of our own, such as `model` or `labels`.
    """

    name: str
    title: str
    licence: str
    origin: str
    package: Package
    members: Mapping[str, Member]

    def __post_init__(self) -> None:
        """Refuse a name that no command could spell, empty words and a part that is none."""
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.name):
            raise ContractError(f"pretrained source {self.name!r}: expected a name of small letters, digits and _")
        for attribute in ("title", "licence", "origin", "members"):
            if not getattr(self, attribute):
                raise ContractError(f"pretrained source {self.name!r}: {attribute} is empty, expected something")
        for key, member in self.members.items():
            if member.part is not None and not 0 <= member.part[0] < member.part[1]:
                raise ContractError(f"pretrained source {self.name!r}: {key} is bytes {member.part}, expected a beginning before its end")

    def read(self, key: str) -> bytes:
        """Return a member's content; the package is fetched where the cache lacks it.

        Raises:
            SetupError: The package is not cached and cannot be fetched.
            InputError: The package, or the member in it, holds something else than what is pinned.
        """
        return self.read_all(key)[key]

    def read_all(self, *keys: str) -> dict[str, bytes]:
        """Return several members, of no names all of them, in one pass through the package; see `read`."""
        wanted = {key: self.members[key] for key in keys or self.members}
        found = packages.read_members(packages.fetch(self.package), [member.path for member in wanted.values()])
        return {key: self._held(key, found[member.path]) for key, member in wanted.items()}

    def _held(self, key: str, content: bytes) -> bytes:
        """Return the part that is meant; refuse another content than the pinned one."""
        member = self.members[key]
        part = content if member.part is None else content[slice(*member.part)]
        actual = hashlib.sha256(part).hexdigest()
        if actual != member.sha256:
            raise InputError(
                f"{self.package}: {member.path} ({key} of {self.name}) has SHA-256 {actual[:12]}…, expected {member.sha256[:12]}…; "
                "the source in training/pretrained pins another content: correct its member, part or hash"
            )
        return part
