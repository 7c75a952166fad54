"""The page over all bundles, read from what lies in them: released versions, refused ones and parts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from edge import contract, variants
from edge.bundle import versions
from edge.errors import TandemError
from export.provenance import now
from export.report_rows import Findings, rows, worst


@dataclass(frozen=True)
class Entry:
    """One line of the index; figures that are not known are None."""

    name: str
    version: str
    verdict: str
    link: str
    task: str = ""
    metric_name: str = ""
    metric: float | None = None
    loss: float | None = None
    size_bytes: int | None = None
    files: tuple[str, ...] = ()
    date: str = ""
    problem: str = ""


def facts(findings: Findings) -> dict[str, Any]:
    """Give what the index tells of an export that released nothing."""
    table = rows(findings)
    row = worst(table)
    return {
        "name": findings.contract.name,
        "version": findings.contract.version,
        "verdict": findings.verdict,
        "task": findings.contract.task,
        "metric_name": findings.contract.metric.name,
        "metric": row.trial.metric if row else None,
        "loss": row.trial.loss if row else None,
        "size_bytes": min((r.size_bytes for r in table), default=None),
        "files": list(dict.fromkeys(r.file for r in table)),
        "date": now().isoformat(),
        "problem": str(findings.problem or ""),
        "exit_code": findings.problem.exit_code if findings.problem else 0,
    }


def entries(bundles: Path) -> list[Entry]:
    """Read every released version, and after it what was refused or built in part, by name and the newest first."""
    found: list[Entry] = []
    for model in sorted(path for path in bundles.iterdir() if path.is_dir()) if bundles.is_dir() else []:
        found += [entry for entry in map(_released, reversed(versions(model))) if entry is not None]
        reports = sorted([*model.glob("rejected-*.json"), *model.glob("partial-*.json")], reverse=True)
        found += [entry for entry in map(_beside, reports) if entry is not None]
    return found


def render(bundles: Path) -> str:
    """Make the page; its links are relative to `bundles`."""
    environment = jinja2.Environment(loader=jinja2.PackageLoader("export"), autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.get_template("index.html.j2").render(entries=entries(bundles), date=now().strftime("%Y-%m-%d %H:%M UTC"))


def _released(folder: Path) -> Entry | None:
    try:
        promise = contract.load(folder / "contract.json")
        files = variants.loads((folder / "variants.json").read_bytes(), str(folder / "variants.json"))
    except (TandemError, OSError):
        return None
    measured, origin = _json(folder / "measurements.json"), _json(folder / "provenance.json")
    proved = {(variant.file, runtime) for variant in files for runtime in variant.passed}
    trials = [(file.get("file"), trial) for file in measured.get("files", []) for trial in file.get("trials", [])]
    drops = [trial.get("metric_loss") for file, trial in trials if (file, trial.get("runtime")) in proved]
    smallest = min(files, key=lambda variant: variant.size_bytes)
    return Entry(
        name=promise.name,
        version=promise.version,
        verdict="released",
        link=f"{folder.parent.name}/{folder.name}/report.html",
        task=promise.task,
        metric_name=promise.metric.name,
        metric=smallest.metric,
        loss=max((drop for drop in drops if isinstance(drop, (int, float))), default=None),
        size_bytes=smallest.size_bytes,
        files=tuple(variant.file for variant in files),
        date=str(origin.get("date", "")),
    )


def _beside(path: Path) -> Entry | None:
    told = _json(path)
    known = {name: told[name] for name in Entry.__dataclass_fields__ if name in told and name not in ("link", "files")}
    if not {"name", "version", "verdict"} <= set(known):
        return None
    return Entry(**known, files=tuple(told.get("files", ())), link=f"{path.parent.name}/{path.name.removesuffix('.json')}.html")


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
