"""The export stage: from `runs/<name>/<version>` to a released `bundles/<name>/<version>`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge.bundle import open_bundle, versions
from edge.errors import BudgetError, ConversionError, GateError, SetupError, TandemError
from edge.variants import Variant
from export import publish
from export.build import build
from export.cache import Cache
from export.candidate import Candidate
from export.choose import select
from export.explain import Explanation, Key, explain, key, recorded
from export.gate import verdict
from export.handover import Handover, open_handover
from export.parity import interpreters, require
from export.report_rows import Findings, Row, rows
from export.sandbox import Sandbox


@dataclass(frozen=True)
class Options:
    """How to export.

    `limit_s` is how long one child may take, `memory_bytes` how much address space it may have, `jobs` how many run at
    once. `only` builds and proves one format or recipe and releases nothing. `force` exports again though nothing changed.
    `repair` mends quantized files that fail, where that is possible.
    """

    runs: Path = Path("runs")
    bundles: Path = Path("bundles")
    limit_s: float = 600.0
    force: bool = False
    only: str | None = None
    jobs: int = 2
    memory_bytes: int | None = None
    repair: bool = True


@dataclass(frozen=True)
class Outcome:
    """What became of an export: the bundle, whether an earlier one was kept, the released variants, and the report.

    `parity_only` says that files were held against the given model's own answers alone.
    """

    folder: Path
    skipped: bool
    variants: tuple[Variant, ...]
    report: Path
    rows: tuple[Row, ...] = ()
    only: str | None = None
    parity_only: bool = False


def export(name: str, options: Options) -> Outcome:
    """Release one trained model, or refuse it and leave the earlier bundle untouched.

    A refused model leaves its reports at `bundles/<name>/rejected-<version>.*`, a model of which a part was built at
    `bundles/<name>/partial-<version>.*`. `bundles/index.html` is written anew.

    Args:
        name: The recipe's name; its hand-over is `runs/<name>`.
        options: See `Options`.

    Raises:
        BundleError: The hand-over is incomplete or altered.
        ConversionError: A converter failed.
        GateError: A file missed what the contract promises, or a runtime refuses it.
        BudgetError: A file is too large.
        SetupError: A tool, a runtime or disk space is missing.
        UsageError: `options.only` names nothing that the contract asks for.
    """
    with _disk():
        handover, at_hand, now = _open(name, options)
        target = _target(handover, options)
        kept = None if options.force or options.only else _unchanged(target, now)
        if kept is not None:
            publish.keep(target, options.bundles)
            return Outcome(target, True, kept, target / "report.html", parity_only=handover.contract.parity_only)
        with tempfile.TemporaryDirectory(prefix="tandem-export-") as work:
            cache = Cache(target.parent / ".cache", now.environment)
            sandbox = Sandbox(Path(work), target.parent / ".logs", options.limit_s, options.memory_bytes, cache)
            findings = _findings(handover, sandbox, at_hand, options)
            report = publish.publish(target, findings, now)
            publish.index(options.bundles)
            table = tuple(rows(findings))
        if findings.problem is not None:
            raise type(findings.problem)(f"{findings.problem}; see {report}") from None
    if options.only is None:
        open_bundle(target)
    return Outcome(target, False, findings.released, report, table, options.only, handover.contract.parity_only)


def why(name: str, options: Options) -> Explanation:
    """Say why a model would be exported again, or why not; nothing is converted.

    Raises:
        BundleError: The hand-over is incomplete or altered.
        SetupError: A runtime that the contract requires is not on this machine.
    """
    handover, _, now = _open(name, options)
    target = _target(handover, options)
    return explain(handover, target, now, _whole(target) is not None, Cache(target.parent / ".cache", now.environment))


def handed_over(runs: Path) -> list[str]:
    """List the models whose training has finished, by name."""
    folders = sorted(path for path in runs.iterdir() if path.is_dir()) if runs.is_dir() else []
    return [path.name for path in folders if any((version / "contract.json").exists() for version in versions(path))]


def _open(name: str, options: Options) -> tuple[Handover, Mapping[str, str], Key]:
    handover = open_handover(options.runs / name)
    at_hand = interpreters()
    require(handover.contract, at_hand)
    return handover, at_hand, key(handover, at_hand, {"repair": str(options.repair)})


def _target(handover: Handover, options: Options) -> Path:
    return options.bundles / handover.contract.name / handover.contract.version


def _unchanged(target: Path, now: Key) -> tuple[Variant, ...] | None:
    """Give the released variants where the bundle is whole and came from the same content."""
    before = recorded(target)
    return _whole(target) if before is not None and before.digest == now.digest else None


def _whole(target: Path) -> tuple[Variant, ...] | None:
    try:
        return open_bundle(target).variants
    except TandemError:
        return None


def _findings(handover: Handover, sandbox: Sandbox, at_hand: Mapping[str, str], options: Options) -> Findings:
    """Build, try and judge; what speaks against the model is in the findings, what speaks against the machine is raised."""
    try:
        built = build(handover, sandbox, at_hand, options.only, options.jobs, options.repair)
    except (ConversionError, GateError, BudgetError) as error:
        return Findings(handover, problem=error, only=options.only)
    selection = select(handover.contract, built.candidates, built.left)
    released, problem = _judge(handover, selection.candidates)
    problem = problem or selection.problem
    repairs = {c.plan.file: c.repair for c in built.candidates if c.repair}
    blame = tuple(row for file, repair in repairs.items() for row in repair.rows(file))
    notes = (*selection.notes(built.candidates), *(f"{file}: {repair.story}" for file, repair in repairs.items()))
    files = tuple(built.candidates)
    return Findings(handover, files, built.bench, released, problem, blame, notes, options.only, selection.choices)


def _judge(handover: Handover, candidates: list[Candidate]) -> tuple[tuple[Variant, ...], TandemError | None]:
    """Judge every file; give the released ones and the first refusal."""
    released, problem = [], None
    for candidate in candidates:
        variant, error = verdict(handover.contract, candidate)
        problem = problem or error
        if variant is not None:
            released.append(variant)
    return tuple(released), problem


@contextmanager
def _disk() -> Iterator[None]:
    """Turn what the system says of a full disk or a place without rights into one line with its remedy."""
    try:
        yield
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        remedy = f"free some space or mend the rights of the bundles' folder and of {tempfile.gettempdir()}, then run it again"
        raise SetupError(f"{where}the export could not be written ({error.strerror or error}); {remedy}") from None
