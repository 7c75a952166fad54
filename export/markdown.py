"""The findings as a comment on a pull request: the verdict, one table, the worst loss, where to read on."""

from __future__ import annotations

from export.provenance import commit
from export.report_rows import Findings, Row, rows, worst

VERDICTS = {"released": "✅ released", "proved": "☑️ proved, not released", "refused": "❌ not released"}


def render(findings: Findings, page: str) -> str:
    """Make the text.

    Args:
        findings: What came of the export.
        page: The HTML report, relative to this text.
    """
    contract, table = findings.contract, rows(findings)
    parts = [f"### {contract.name} {contract.version}: {VERDICTS[findings.verdict]}"]
    if findings.problem is not None:
        parts.append(f"> {_cell(str(findings.problem))}")
    if findings.only is not None:
        parts.append(f"Only `{findings.only}` was built: this proves a part and releases nothing.")
    if table:
        parts += [_table(findings, table), _worst(findings, table)]
    said = [f"{file} on {runtime}: {words}" for file, runtime, words, required in findings.refusals if required]
    if said or findings.notes:
        parts.append("\n".join(f"- {_cell(sentence)}" for sentence in (*said, *findings.notes)))
    origin = commit()
    parts.append(f"[Whole report]({page})" + (f" · commit {origin[:12]}" if origin else ""))
    return "\n\n".join(parts) + "\n"


def _table(findings: Findings, table: list[Row]) -> str:
    head = f"| file | runtime | | kB | {_cell(findings.contract.metric.name)} | 95 % interval | loss | agreement | ms | MB |"
    lines = [head, "|---|---|:-:|--:|--:|--:|--:|--:|--:|--:|"]
    for row in table:
        sure = "–" if row.interval is None else f"{row.interval[0]:.4f}–{row.interval[1]:.4f}"
        memory = "–" if row.peak_mb is None else f"{row.peak_mb:.0f}"
        cells = (
            _cell(row.file),
            _cell(row.runtime),
            "✅" if row.passed else "❌",
            f"{row.size_bytes / 1000:.1f}",
            "–" if row.trial.metric is None else f"{row.trial.metric:.4f}",
            sure,
            "–" if row.trial.loss is None else f"{row.trial.loss:+.4f}",
            f"{row.trial.agreement:.4f}",
            f"{row.latency_ms:.3f}",
            memory,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _worst(findings: Findings, table: list[Row]) -> str:
    row = worst([each for each in table if each.passed] if findings.released else table)
    if row is None or row.trial.drop is None:
        return findings.proof
    drop, low, high = row.trial.drop
    bound = findings.contract.tolerance.metric_drop
    return (
        f"Worst loss of {findings.contract.metric.name} against the trainer: **{drop:+.4f}** [{low:+.4f}, {high:+.4f}], allowed {bound:g}, "
        f"by {row.file} on {row.runtime}, over {findings.samples} test samples."
    )


def _cell(text: str) -> str:
    """Keep a text within its table cell."""
    return text.replace("|", "\\|").replace("\n", " ")
