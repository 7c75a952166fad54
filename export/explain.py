"""What decides the result of an export, part by part, and why a model would, or would not, be exported again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import edge
from edge.storage import SUMS, fingerprint, read_sums, sha256_file
from export.cache import Cache, Kept
from export.handover import Handover
from export.parity import LEGACY
from export.provenance import versions

# What is only told of an export: these modules change reports and no released file. A new module counts until it is named here.
PAGES = frozenset(
    (
        *("card", "commands", "contract_commands", "explain", "first_contract", "given", "given_kinds", "given_samples", "index"),
        *("junit", "markdown", "pictures", "publish", "report", "report_rows", "report_samples", "sbom", "signature"),
    )
)

GRADES = (
    "kept, used again where its samples and its source file are the same",
    "kept, but made from another program",
    "kept, but made by other code or packages",
)

Parts = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Key:
    """Everything that decides the result: the hand-over's files, our code, the packages, the runtimes and the options."""

    parts: Parts

    @property
    def digest(self) -> str:
        """One SHA-256 over all parts."""
        return hashlib.sha256(json.dumps(self.parts, sort_keys=True).encode()).hexdigest()

    @property
    def environment(self) -> str:
        """One SHA-256 over what conversions depend on beside their files: the code without the reports', and the packages."""
        code = {name: digest for name, digest in self.parts["code"].items() if name != "export"}
        return hashlib.sha256(json.dumps([code, self.parts["packages"]], sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Explanation:
    """Whether a model would be exported again, the reasons, and which conversions are at hand."""

    name: str
    version: str
    again: bool
    reasons: tuple[str, ...]
    conversions: tuple[str, ...]


def key(handover: Handover, at_hand: Mapping[str, str], options: Mapping[str, str] | None = None) -> Key:
    """Compute the key of an export.

    Args:
        handover: What training handed over.
        at_hand: The Python of each runtime.
        options: Further words that change the result.
    """
    return Key(
        {
            "hand-over": {**read_sums(handover.folder), SUMS: sha256_file(handover.folder / SUMS)},
            "code": _code(),
            "packages": versions(),
            "runtimes": {name: _runtime_version(name, python) for name, python in sorted(at_hand.items())},
            "options": dict(options or {}),
        }
    )


def recorded(target: Path) -> Key | None:
    """Read the key of a released bundle, or None where there is none."""
    try:
        parts = json.loads((target / "provenance.json").read_text(encoding="utf-8"))["key"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Key(parts) if isinstance(parts, dict) and all(isinstance(part, dict) for part in parts.values()) else None


def changes(before: Key, now: Key) -> list[str]:
    """Say which parts of the key differ, one line a difference."""
    lines = []
    for part in dict.fromkeys((*before.parts, *now.parts)):
        old, new = before.parts.get(part, {}), now.parts.get(part, {})
        for name in dict.fromkeys((*old, *new)):
            if old.get(name) != new.get(name) and name != SUMS:
                lines.append(f"{part}: {name} {_change(old.get(name), new.get(name))}")
    return lines


def explain(handover: Handover, target: Path, now: Key, whole: bool, cache: Cache) -> Explanation:
    """Say why a model would be exported again, or why not.

    Args:
        handover: What training handed over.
        target: Where its bundle is, or would be.
        now: The key of today.
        whole: Whether the bundle that is there opens as it should.
        cache: The conversions that were kept.
    """
    before = recorded(target)
    if not target.exists():
        reasons = [f"{target}: not released yet"]
    elif before is None:
        reasons = [f"{target}: nothing says from what it was made"]
    else:
        reasons = changes(before, now) + ([] if whole else [f"{target}: damaged, or not as this version of Tandem reads it"])
    program = sha256_file(handover.program) if handover.program.is_file() else ""
    kept = _kept(cache, program)
    return Explanation(handover.contract.name, handover.contract.version, bool(reasons), tuple(reasons or ["nothing changed"]), tuple(kept))


def _code() -> dict[str, str]:
    """Hash the code: what runs everywhere, all of the export, and the part of it on which converted files depend."""
    folder = Path(__file__).parent
    converting = sorted(path for path in folder.glob("*.*") if path.is_file() and path.stem not in PAGES)
    return {"edge": fingerprint([Path(edge.__file__).parent]), "export": fingerprint([folder]), "conversions": fingerprint(converting)}


def _change(old: str | None, new: str | None) -> str:
    if old is None:
        return "is new" if len(str(new)) == 64 else f"{new} is new"
    if new is None:
        return "is gone"
    return "changed" if len(old) == 64 else f"{old} → {new}"


def _kept(cache: Cache, program: str) -> list[str]:
    """Tell for each kind of conversion how good the best one is that was kept."""
    best: dict[str, int] = {}
    for entry in cache.entries():
        grade = 2 if entry.environment != cache.environment else int(entry.sources.get("program", program) != program)
        best[_title(entry)] = min(grade, best.get(_title(entry), grade))
    return [f"{title}: {GRADES[grade]}" for title, grade in sorted(best.items())]


def _title(entry: Kept) -> str:
    recipe: Any = entry.words.get("recipe")
    return f"{entry.step} {recipe}" if recipe else entry.step


def _runtime_version(name: str, python: str) -> str:
    """Read the version of a runtime, in another environment by the folder that its installation left there."""
    if name != LEGACY:
        return "see packages"
    found = sorted(Path(python).parent.parent.glob("lib/python*/site-packages/tflite_runtime-*.dist-info"))
    return found[0].name.removeprefix("tflite_runtime-").removesuffix(".dist-info") if found else "unknown"
