"""`make zoo`: docs/zoo.md, every model with what was measured of it; `make train-all` trains and exports them before.

The figures come from `runs/` and `bundles/` alone and are kept in docs/zoo.json, a row a model, so that one machine may
measure some models and another the rest. Training and exporting skip what has not changed, so a run that was
interrupted goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import zoo_page

from edge.bundle import versions
from training import discover

TABLE, PAGE, REFERENCES = Path("docs/zoo.json"), Path("docs/zoo.md"), Path(__file__).with_name("zoo_references.json")


def main(words: Sequence[str] | None = None) -> int:
    """Train and export where that is asked for, then bring the table and the page up to date; give the worst exit code."""
    parser = argparse.ArgumentParser(prog="scripts/zoo.py", description="Write docs/zoo.md from what was measured of every model.")
    parser.add_argument("models", nargs="*", metavar="MODEL", help="only these models; all where none is named")
    parser.add_argument("--train", action="store_true", help="train and export them first; what has not changed is skipped")
    asked = parser.parse_args(words)
    if unknown := set(asked.models) - set(discover.names()):
        parser.error(f"{', '.join(sorted(unknown))}: no recipe is called so; 'tandem train --list' names them")
    ours = [name for name in discover.names() if name not in zoo_page.OWN_DATA]
    models = asked.models or ours
    failed = {model: code for model in models if asked.train and (code := make(model))}
    table = json.loads(TABLE.read_text(encoding="utf-8")) if TABLE.exists() else {}
    table |= {model: row for model in models if (row := measured(model, Path("runs"), Path("bundles"))) is not None}
    TABLE.write_text(json.dumps(dict(sorted(table.items())), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    references = json.loads(REFERENCES.read_text(encoding="utf-8"))
    PAGE.write_text(zoo_page.render(ours, table, references), encoding="utf-8")
    print(f"{PAGE}: {len(table)} of {len(ours)} models measured")
    for model, code in failed.items():
        print(f"{model}: failed with exit code {code}; its messages stand above", file=sys.stderr)
    return max(failed.values(), default=0)


def measured(model: str, runs: Path, bundles: Path) -> dict[str, Any] | None:
    """Return a model's row.

    Args:
        model: The recipe's name.
        runs: Where trainings lie.
        bundles: Where released models lie.

    Returns:
        What was measured of its newest released version, as `zoo_page` shows it; None where nothing was released here.
    """
    released = versions(bundles / model)
    if not released:
        return None
    folder = released[-1]
    training = read(folder / "provenance.json")["training"]
    files = read(folder / "variants.json")
    trials = {file["file"]: file["trials"] for file in read(folder / "measurements.json")["files"]}
    pages = runs / model / folder.name
    return {
        "version": folder.name,
        "metric": training["metric"],
        "data": {key: training["data"][key] for key in ("name", "note", "stand_in", "train", "test")},
        "parameters": training["parameters"],
        "fit_seconds": training["fit_seconds"],
        "processes": training.get("processes", 1),
        "figures": _own(read(pages / "training.json") if (pages / "training.json").exists() else training),
        "files": [_file(file, trials[file["file"]]) for file in files],
        "commit": training["commit"],
        "finished": training["finished"],
    }


def _file(file: Mapping[str, Any], trials: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what a released file costs and keeps, the worst over the runtimes that it passed on."""
    losses = [trial["metric_loss"] for trial in trials if trial["runtime"] in file["passed"] and _known(trial["metric_loss"])]
    return {
        "recipe": file["recipe"],
        "format": file["format"],
        "size_bytes": file["size_bytes"],
        "runtimes": file["passed"],
        "metric": file["metric"],
        "loss": max(losses, default=None),
        "agreement": file["agreement"],
    }


def _own(record: Mapping[str, Any]) -> dict[str, float]:
    """Return the further figures of a task, such as the error of a rule that has learned nothing."""
    return {name: value for name, value in record.get("measured", {}).items() if _known(value)}


def _known(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def make(model: str) -> int:
    """Train and export a model, what has not changed skipped; return the exit code of the stage that failed, else 0."""
    for stage in ("train", "export"):
        print(f"{stage} {model}", file=sys.stderr)
        code = subprocess.run([sys.executable, "-m", "edge", stage, model], check=False).returncode
        if code:
            return code
    return 0


def read(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    raise SystemExit(main())
