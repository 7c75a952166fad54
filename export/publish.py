"""Write what came of an export: the bundle at once and whole, or the reports of a refusal; then the index over all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from edge import variants
from edge.storage import atomic_directory, write_atomic, write_sums
from export import card, junit, markdown, provenance, report, sbom
from export import index as index_page
from export.explain import Key
from export.report_rows import Findings

PAGES = (".html", ".md", ".junit.xml", ".json")


def publish(target: Path, findings: Findings, key: Key) -> Path:
    """Write a released bundle, or the reports of what was refused or built in part.

    Args:
        target: `bundles/<name>/<version>`; only a whole, unrefused export touches it.
        findings: What came of the export.
        key: What it was made from.

    Returns:
        The path of the HTML report.

    Raises:
        SetupError: The disk is full or the place cannot be written; what was there is untouched.
    """
    refused = _refusal(target)
    if findings.verdict == "released":
        _bundle(target, findings, key)
        _remove(refused)
        return target / "report.html"
    beside = refused if findings.problem else target.parent / f"partial-{target.name}"
    if findings.problem is None:
        _remove(beside)
    for suffix, text in pages(findings, beside.name).items():
        write_atomic(beside.with_name(beside.name + suffix), text.encode())
    return beside.with_name(f"{beside.name}.html")


def keep(target: Path, bundles: Path) -> None:
    """Take away the reports of an earlier refusal where the released bundle is what the hand-over gives now.

    Raises:
        SetupError: The index cannot be written.
    """
    if any(map(Path.exists, _pages_of(_refusal(target)))):
        _remove(_refusal(target))
        index(bundles)


def pages(findings: Findings, stem: str) -> dict[str, str]:
    """Make the reports: for people, for a pull request, for a build server and for the index, by suffix."""
    return {
        ".html": report.render(findings),
        ".md": markdown.render(findings, f"{stem}.html"),
        ".junit.xml": junit.render(findings),
        ".json": _dumps(index_page.facts(findings)),
    }


def index(bundles: Path) -> None:
    """Write `index.html` over all bundles anew."""
    write_atomic(bundles / "index.html", index_page.render(bundles).encode())


def _bundle(target: Path, findings: Findings, key: Key) -> None:
    """Write the bundle beside its place, then put it there at once."""
    handover = findings.handover
    with atomic_directory(target) as folder:
        (folder / "contract.json").write_text(handover.contract.dumps(), encoding="utf-8")
        (folder / "variants.json").write_text(variants.dumps(findings.released), encoding="utf-8")
        shutil.copyfile(handover.folder / "golden.npz", folder / "golden.npz")
        names = ["contract.json", "variants.json", "golden.npz"]
        released = {variant.file for variant in findings.released}
        for candidate in findings.candidates:
            if candidate.plan.file in released:
                shutil.copyfile(candidate.path, folder / candidate.plan.file)
                names.append(candidate.plan.file)
        for asset in handover.contract.assets.values():
            (folder / "assets" / asset).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(handover.folder / "assets" / asset, folder / "assets" / asset)
            names.append(f"assets/{asset}")
        write_sums(folder, names)
        for name, text in _unlisted(folder, findings, key).items():
            (folder / name).write_text(text, encoding="utf-8")


def _unlisted(folder: Path, findings: Findings, key: Key) -> dict[str, str]:
    """Make the files that may differ next time and that SHA256SUMS therefore does not list."""
    written = pages(findings, "report")
    return {
        "provenance.json": _dumps(provenance.provenance(findings.handover, key.digest, key.parts)),
        "measurements.json": _dumps(provenance.measurements(findings)),
        "report.html": written[".html"],
        "report.md": written[".md"],
        "report.junit.xml": written[".junit.xml"],
        "README.md": card.render(findings),
        "sbom.cdx.json": _dumps(sbom.document(folder, findings)),
    }


def _refusal(target: Path) -> Path:
    """Give the stem of a refusal's reports."""
    return target.parent / f"rejected-{target.name}"


def _pages_of(stem: Path) -> list[Path]:
    return [stem.with_name(stem.name + suffix) for suffix in PAGES]


def _remove(stem: Path) -> None:
    for page in _pages_of(stem):
        page.unlink(missing_ok=True)


def _dumps(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
