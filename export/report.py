"""The report of an export: one HTML file with what every file proved, readable with no network, on a phone, by night."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jinja2
import numpy as np

from export import pictures, report_samples
from export.metric import confusion
from export.pictures import Point
from export.provenance import commit, now, processor, versions
from export.report_rows import Findings, Row, rows

Array = np.ndarray[Any, Any]
MOST_CLASSES = 20
MOST_BLAMED = 40


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix: cells (true class, answered class) as (count, share of the largest error)."""

    title: str
    errors: int
    cells: list[list[tuple[int, float]]]


@dataclass(frozen=True)
class Blame:
    """The drift of each tensor as a table."""

    columns: list[str]
    lines: list[list[str]]


def render(findings: Findings) -> str:
    """Make the page.

    Args:
        findings: What came of the export.

    Returns:
        Self-contained HTML.
    """
    environment = jinja2.Environment(loader=jinja2.PackageLoader("export"), autoescape=True, undefined=jinja2.StrictUndefined)
    table = rows(findings)
    points = _points(table)
    return environment.get_template("report.html.j2").render(
        findings=findings,
        contract=findings.contract,
        rows=table,
        tolerances={variant.file: variant.tolerance for variant in findings.released},
        sizes=pictures.sizes(points, findings.contract.metric.name) if points else None,
        numbered=[(point.number, file) for point, file in zip(points, _files(table), strict=bool(points))],
        matrices=_matrices(findings),
        blame=_blame(findings.blame),
        golden=report_samples.golden(findings),
        disagreements=report_samples.disagreements(findings),
        operators=[(candidate.plan.file, _count(candidate.operators)) for candidate in findings.candidates],
        date=now().strftime("%Y-%m-%d %H:%M UTC"),
        commit=commit(),
        versions=versions(),
        processor=processor(),
    )


def _files(table: list[Row]) -> list[str]:
    return list(dict.fromkeys(row.file for row in table))


def _points(table: list[Row]) -> list[Point]:
    """Give each file its place in the picture, with the figure of its worst runtime."""
    found = []
    for number, file in enumerate(_files(table), 1):
        row = max((row for row in table if row.file == file), key=lambda row: row.trial.harm)
        if row.trial.metric is None:
            return []
        low, high = row.interval or (row.trial.metric, row.trial.metric)
        kind = "onnx" if file.endswith(".onnx") else "tflite"
        found.append(Point(number, row.size_bytes / 1000, row.trial.metric, low, high, kind))
    return found


def _matrices(findings: Findings) -> list[Matrix]:
    """Put the trainer's confusion matrix beside that of the first quantized file."""
    count, bench = len(findings.contract.labels), findings.bench
    if bench is None or bench.target is None or not 2 <= count <= MOST_CLASSES:
        return []
    reference = bench.reference[findings.contract.main.outputs[0].name][: bench.count]
    if reference.ndim != 2 or reference.shape[1] != count or not report_samples.classes(reference, bench.target):
        return []
    found = [_matrix("trainer", confusion(reference, bench.target, count))]
    for candidate in findings.candidates:
        if candidate.plan.quantized and candidate.trials:
            trial = candidate.trials[0]
            return [*found, _matrix(f"{candidate.plan.file} on {trial.runtime}", confusion(trial.scores, bench.target, count))]
    return found


def _matrix(title: str, counts: Array) -> Matrix:
    errors = counts - np.diag(np.diag(counts))
    largest = max(1, int(errors.max()))
    cells = [[(int(n), float(e) / largest) for n, e in zip(line, wrong, strict=True)] for line, wrong in zip(counts, errors, strict=True)]
    return Matrix(title, int(errors.sum()), cells)


def _blame(found: tuple[Mapping[str, Any], ...]) -> Blame | None:
    """Lay out what is known of each tensor; the columns are those of the first row."""
    if not found:
        return None
    columns = list(found[0])
    return Blame([name.replace("_", " ") for name in columns], [[_cell(row.get(name)) for name in columns] for row in found[:MOST_BLAMED]])


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _count(operators: tuple[str, ...]) -> str:
    names = sorted(set(operators))
    return ", ".join(f"{operators.count(name)} {name}" for name in names)
