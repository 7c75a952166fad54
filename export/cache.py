"""Conversions that need not be done twice: kept by the content of everything that they read."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge import contract
from edge.contract import Budget, Confidence, Contract, Tolerance
from edge.errors import SetupError
from edge.storage import atomic_directory, fingerprint, sha256_file

LIMIT_BYTES = 1 << 30
RESULTS = ("output", "outputs")
Run = Callable[[Mapping[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Kept:
    """One conversion that was kept: its step, the words of its request (a recipe), and the SHA-256 of what it read."""

    folder: Path
    step: str
    words: Mapping[str, Any]
    sources: Mapping[str, str]
    environment: str
    size_bytes: int


@dataclass(frozen=True)
class Cache:
    """A folder of conversions; `environment` is a hash over our code and the converters' versions.

    A step is asked by a request whose values are words or paths. A path that exists is read, and its content counts; those
    called `output` and `outputs` are written. Everything else counts as it stands, so a request that names anything of this
    run alone is never found again: that costs time and does no harm.
    """

    folder: Path
    environment: str
    limit_bytes: int = LIMIT_BYTES

    def through(self, step: str, request: Mapping[str, Any], run: Run) -> dict[str, Any]:
        """Give the kept result of a step, or run it and keep what it made.

        Args:
            step: The step's name.
            request: Its arguments.
            run: Does the work; it is given the request with a contract that holds only what conversions may read.

        Returns:
            The step's report; the files that the request calls `output` or `outputs` are there.
        """
        with tempfile.TemporaryDirectory(prefix="tandem-contract-") as work:
            asked = _essential_request(request, Path(work))
            sources = _sources(asked)
            words = {key: value for key, value in asked.items() if key not in sources and key not in RESULTS}
            results = {key: Path(asked[key]) for key in RESULTS if key in asked}
            facts = {"step": step, "words": words, "sources": sources, "environment": self.environment}
            place = self.folder / hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:40]
            report = _restore(place, results)
            if report is None:
                report = run(asked)
                self._keep(place, facts, results, report)
        return report

    def entries(self) -> list[Kept]:
        """List what is kept, the least recently used first."""
        return [entry for _, entry in sorted(self._entries(), key=lambda pair: pair[0])]

    def _entries(self) -> Iterator[tuple[float, Kept]]:
        """Give each entry with the time of its last use; those that another export takes away meanwhile are left out."""
        for place in self.folder.iterdir() if self.folder.is_dir() else []:
            facts = _facts(place)
            if facts is None:
                continue
            try:
                size, used = sum(path.stat().st_size for path in place.iterdir()), place.stat().st_mtime
            except FileNotFoundError:
                continue
            yield used, Kept(place, facts["step"], facts["words"], facts["sources"], facts["environment"], size)

    def _keep(self, place: Path, facts: dict[str, Any], results: Mapping[str, Path], report: dict[str, Any]) -> None:
        """Keep a result; where that is not possible, the export goes on without."""
        if not all(path.is_file() for path in results.values()) or sum(p.stat().st_size for p in results.values()) > self.limit_bytes:
            return
        try:
            with atomic_directory(place) as folder:
                hashes = {}
                for key, path in results.items():
                    shutil.copyfile(path, folder / key)
                    hashes[key] = sha256_file(path)
                (folder / "facts.json").write_text(json.dumps({**facts, "results": hashes, "report": report}), encoding="utf-8")
        except SetupError:
            return
        self._trim()

    def _trim(self) -> None:
        """Remove what was not used for longest until the rest is within bounds."""
        kept = self.entries()
        total = sum(entry.size_bytes for entry in kept)
        for entry in kept:
            if total <= self.limit_bytes:
                return
            shutil.rmtree(entry.folder, ignore_errors=True)
            total -= entry.size_bytes


def essential(promise: Contract) -> Contract:
    """Leave out of a contract what no conversion may depend on: bounds, budgets, and words for people."""
    return replace(
        promise,
        metric=replace(promise.metric, floor=None),
        tolerance=Tolerance(),
        budget=Budget(),
        confidence=Confidence(),
        companion=None,
        description="",
        licence="",
        source="",
    )


def _essential_request(request: Mapping[str, Any], work: Path) -> dict[str, Any]:
    if "contract_file" not in request:
        return dict(request)
    reduced = work / "contract.json"
    reduced.write_text(essential(contract.load(Path(request["contract_file"]))).dumps(), encoding="utf-8")
    return {**request, "contract_file": str(reduced)}


def _sources(request: Mapping[str, Any]) -> dict[str, str]:
    """Hash every file and folder that a request reads."""
    paths = {key: Path(value) for key, value in request.items() if isinstance(value, str) and key not in RESULTS and "/" in value}
    return {key: sha256_file(path) if path.is_file() else fingerprint([path]) for key, path in paths.items() if path.exists()}


def _facts(place: Path) -> dict[str, Any] | None:
    try:
        facts = json.loads((place / "facts.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    expected = {"step", "words", "sources", "environment", "results", "report"}
    return facts if isinstance(facts, dict) and expected <= set(facts) else None


def _restore(place: Path, results: Mapping[str, Path]) -> dict[str, Any] | None:
    """Copy what was kept to where it is wanted; None where nothing is kept or it was damaged."""
    facts = _facts(place)
    if facts is None or set(facts["results"]) != set(results):
        return None
    try:
        for key, path in results.items():
            if sha256_file(place / key) != facts["results"][key]:
                return None
            shutil.copyfile(place / key, path)
        place.touch()
    except OSError:
        return None
    report: dict[str, Any] = facts["report"]
    return report
