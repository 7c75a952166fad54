"""Where this machine gets Debian packages from: its own apt sources, asked for another release or architecture."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.errors import SetupError

APT = Path("/etc/apt")
RELEASE = Path("/etc/os-release")


@dataclass(frozen=True)
class Source:
    """One archive as apt knows it: its address, its releases, its components, and who signs it (empty where apt's default does)."""

    address: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str = ""

    def line(self, suite: str) -> str:
        """Return apt's line for another release of the same archive."""
        options = f"[signed-by={self.signed_by}] " if self.signed_by else ""
        return f"deb {options}{self.address} {suite} main"


def debian(apt: Path = APT, release: Path = RELEASE) -> Source:
    """Return the archive that this machine's own release comes from.

    Raises:
        SetupError: This is no Debian, or its sources do not name its release.
    """
    words = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', release.read_text(encoding="utf-8"), re.MULTILINE)) if release.is_file() else {}
    own = words.get("VERSION_CODENAME", "")
    if words.get("ID") != "debian":
        raise SetupError(f"systems of a Pi are made from Debian's archive through this machine's apt sources, but this is {_named(words)}")
    for source in listed(apt):
        if own in source.suites and "main" in source.components:
            return source
    raise SetupError(f"{apt}: no source has the component main of {own}; add Debian's archive to sources.list.d")


def listed(apt: Path = APT) -> Iterator[Source]:
    """Yield the sources of binary packages that apt would use, of both notations."""
    for path in sorted(apt.glob("sources.list.d/*.sources")):
        yield from _stanzas(path.read_text(encoding="utf-8", errors="replace"))
    for path in [apt / "sources.list", *sorted(apt.glob("sources.list.d/*.list"))]:
        if path.is_file():
            yield from _lines(path.read_text(encoding="utf-8", errors="replace"))


def _stanzas(text: str) -> Iterator[Source]:
    """Read `Types: deb`, `URIs: …`, `Suites: …` stanzas. Source: sources.list(5), deb822 style."""
    for stanza in re.split(r"\n\s*\n", "\n".join(line for line in text.splitlines() if not line.startswith("#"))):
        fields = {key.lower(): value.split() for key, value in re.findall(r"^([\w-]+):[ \t]*(.*)$", stanza, re.MULTILINE)}
        if "deb" in fields.get("types", []) and fields.get("enabled", ["yes"]) != ["no"]:
            for address in fields.get("uris", []):
                signed = " ".join(fields.get("signed-by", [])[:1])
                yield Source(address, tuple(fields.get("suites", [])), tuple(fields.get("components", [])), signed)


def _lines(text: str) -> Iterator[Source]:
    """Read `deb [signed-by=…] address suite components…` lines."""
    for line in text.splitlines():
        match = re.match(r"deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]+)", line.strip())
        if match is not None:
            signed = re.search(r"signed-by=(\S+)", match[1] or "")
            yield Source(match[2], (match[3],), tuple(match[4].split()), signed[1] if signed else "")


def _named(words: dict[str, str]) -> str:
    return words.get("PRETTY_NAME") or "of unknown kind"
