"""The export stage: from `runs/<name>/<version>` to a released `bundles/<name>/<version>`."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge import variants
from edge.bundle import open_bundle
from edge.errors import TandemError
from edge.storage import SUMS, atomic_directory, fingerprint, write_atomic, write_sums
from edge.variants import Variant
from export import provenance, report
from export.build import build
from export.candidate import Candidate
from export.gate import verdict
from export.handover import Handover, open_handover
from export.parity import Bench, interpreters, require
from export.sandbox import Sandbox


@dataclass(frozen=True)
class Options:
    """Where hand-overs and bundles lie, how long one child may take (seconds), and whether to skip nothing."""

    runs: Path = Path("runs")
    bundles: Path = Path("bundles")
    limit_s: float = 600.0
    force: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of an export: the bundle, whether an earlier one was kept, and the released variants."""

    folder: Path
    skipped: bool
    variants: tuple[Variant, ...]


def export(name: str, options: Options) -> Outcome:
    """Release one trained model, or refuse it and leave the earlier bundle untouched.

    A refused model leaves its report at `bundles/<name>/rejected-<version>.html`.

    Args:
        name: The recipe's name; its hand-over is `runs/<name>`.
        options: See `Options`.

    Raises:
        BundleError: The hand-over is incomplete or altered.
        ConversionError: A converter failed.
        GateError: A file missed what the contract promises, or a runtime refuses it.
        BudgetError: A file is too large.
        SetupError: A tool, a runtime or disk space is missing.
    """
    handover = open_handover(options.runs / name)
    at_hand = interpreters()
    require(handover.contract, at_hand)
    target = options.bundles / handover.contract.name / handover.contract.version
    mark = _mark(handover, at_hand)
    if not options.force:
        kept = _unchanged(target, mark)
        if kept is not None:
            return Outcome(target, True, kept)
    with tempfile.TemporaryDirectory(prefix="tandem-export-") as work:
        sandbox = Sandbox(Path(work), target.parent / ".logs", options.limit_s)
        candidates, bench = build(handover, sandbox, at_hand)
        released, problem = _judge(handover, candidates)
        page = report.render(handover, candidates, bench, released, problem)
        if problem is not None:
            rejected = target.parent / f"rejected-{handover.contract.version}.html"
            write_atomic(rejected, page.encode())
            raise type(problem)(f"{problem}; see {rejected}")
        _write(target, handover, candidates, bench, released, page, mark)
    open_bundle(target)
    return Outcome(target, False, released)


def _mark(handover: Handover, at_hand: dict[str, str]) -> str:
    """Hash everything that decides the result: the hand-over, our code, the tools' versions, the runtimes."""
    code = [Path(__file__).parent, Path(variants.__file__).parent]
    words = [f"{name} {version}" for name, version in provenance.versions().items()]
    return fingerprint([handover.folder / SUMS, *code], *words, *sorted(at_hand))


def _unchanged(target: Path, mark: str) -> tuple[Variant, ...] | None:
    """Give the released variants where the bundle is whole and came from the same content."""
    try:
        recorded = json.loads((target / "provenance.json").read_text(encoding="utf-8"))
        return open_bundle(target).variants if recorded.get("fingerprint") == mark else None
    except (OSError, ValueError, TandemError):
        return None


def _judge(handover: Handover, candidates: list[Candidate]) -> tuple[tuple[Variant, ...], TandemError | None]:
    """Judge every file; give the released ones and the first refusal."""
    released, problem = [], None
    for candidate in candidates:
        variant, error = verdict(handover.contract, candidate)
        problem = problem or error
        if variant is not None:
            released.append(variant)
    return tuple(released), problem


def _write(
    target: Path, handover: Handover, candidates: list[Candidate], bench: Bench, released: tuple[Variant, ...], page: str, mark: str
) -> None:
    """Write the bundle beside its place, then put it there at once."""
    with atomic_directory(target) as folder:
        (folder / "contract.json").write_text(handover.contract.dumps(), encoding="utf-8")
        (folder / "variants.json").write_text(variants.dumps(released), encoding="utf-8")
        shutil.copyfile(handover.folder / "golden.npz", folder / "golden.npz")
        names = ["contract.json", "variants.json", "golden.npz"]
        for candidate in candidates:
            shutil.copyfile(candidate.path, folder / candidate.plan.file)
            names.append(candidate.plan.file)
        for asset in handover.contract.assets.values():
            (folder / "assets" / asset).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(handover.folder / "assets" / asset, folder / "assets" / asset)
            names.append(f"assets/{asset}")
        write_sums(folder, names)
        _json(folder / "provenance.json", provenance.provenance(handover, mark))
        _json(folder / "measurements.json", provenance.measurements(candidates, bench))
        (folder / "report.html").write_text(page, encoding="utf-8")


def _json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
