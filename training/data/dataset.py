"""The description of a data set, which its file exposes as `DATASET`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from edge.errors import ContractError, UsageError
from training.data.packages import Package
from training.recipe import SOURCES, DataOptions, Splits


@dataclass(frozen=True)
class DataSet:
    """What a data set is, where it comes from and how it is loaded.

    Attributes:
        name: As commands spell it; the name of its file.
        title: What it is, in one line.
        licence: Under which terms the content may be used.
        origin: Who made it.
        packages: The packages that each source needs, the best source first; sources are named as in `--source`.
        loader: Loads the splits.
        files: The SHA-256 of each genuine file by name, or its MD5, for those who have them in a folder; empty: there is no such way.
    """

    name: str
    title: str
    licence: str
    origin: str
    packages: Mapping[str, tuple[Package, ...]]
    loader: Callable[[DataOptions], Splits]
    files: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a name that no command could spell, empty words and unknown sources."""
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.name):
            raise ContractError(f"data set {self.name!r}: expected a name of small letters, digits and _")
        for attribute in ("title", "licence", "origin"):
            if not getattr(self, attribute).strip():
                raise ContractError(f"data set {self.name!r}: {attribute} is empty, expected words")
        stray = sorted(set(self.packages) - set(SOURCES[1:]))
        if stray or not self.packages:
            raise ContractError(f"data set {self.name!r}: sources are {stray or 'none'}, expected one or more of {', '.join(SOURCES[1:])}")

    def of_source(self, source: str) -> tuple[Package, ...]:
        """Return the packages of a source; `auto` is the best.

        Raises:
            UsageError: The data set has no such source.
        """
        wanted = next(iter(self.packages)) if source == "auto" else source
        if wanted not in self.packages:
            raise UsageError(f"{self.name}: has no source {source!r}, expected one of auto, {', '.join(self.packages)}")
        return self.packages[wanted]

    def load(self, options: DataOptions) -> Splits:
        """Load the splits.

        Raises:
            UsageError: The data set has no such source, or cannot be read from a folder.
            SetupError: It is not in the cache and cannot be fetched.
            InputError: Its content is not what it should be.
        """
        if options.folder is not None and not self.files:
            raise UsageError(f"{self.name}: cannot be read from a folder; leave --data-dir out")
        self.of_source(options.source)
        return self.loader(options)
