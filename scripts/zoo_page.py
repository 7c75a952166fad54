"""docs/zoo.md: every model with its figure, its reference, its data, its cost and what quantization took from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

OWN_DATA = ("cola_bert", "news_bert_fake_news")  # they learn from a user's files alone, and no stand-in is there
HEAD = """# The models

Written by `make zoo` from what lies in `runs/` and `bundles/`; `make train-all` trains and exports every model first.
Every figure is of a test split that training never saw, with its 95 % interval; the drop of a quantized file and the share
of equal answers are the worst over the runtimes that it passed on, against the trained model, on the whole test split.
Times are wall times of the machine that trained it (CPU), whatever else it did meanwhile, and differ from machine to machine.

## How good

| model | figure on the test split | samples | reference | data |
|---|---|--:|---|---|
"""
COST = """
## What it costs

| model | parameters | training | file | size | figure | drop | equal answers | runtimes |
|---|--:|--:|---|--:|--:|--:|--:|---|
"""
FIGURES = """
## Further figures

| model | what | figure |
|---|---|--:|
"""
ABSENT = """
## Not measured yet

{names}: no released bundle has been measured for this page; run `make train-all`.
"""


def render(names: Iterable[str], table: Mapping[str, Any], references: Mapping[str, Mapping[str, str]]) -> str:
    """Make the page.

    Args:
        names: All models, in their order.
        table: What was measured, by model, as `scripts/zoo.py` gives it.
        references: `figure` and `validity` of what is known from elsewhere, by model.
    """
    names = list(names)
    known = [name for name in names if name in table]
    parts = [HEAD, *(_good(name, table[name], references.get(name)) for name in known)]
    parts += [COST, *(line for name in known for line in _cost(name, table[name]))]
    own = [f"| `{name}` | {what} | {value:.4g} |\n" for name in known for what, value in table[name]["figures"].items()]
    parts += [FIGURES, *own] if own else []
    absent = [f"`{name}`" for name in names if name not in table]
    return "".join([*parts, ABSENT.format(names=", ".join(absent)) if absent else ""])


def _good(name: str, row: Mapping[str, Any], reference: Mapping[str, str] | None) -> str:
    metric, data = row["metric"], row["data"]
    low, high = metric["test_interval"]
    figure = f"{metric['name']} **{metric['test']:.4g}** ({low:.4g} to {high:.4g})"
    if metric["direction"] == "lower" and metric["test"] == 0:
        figure = "files are held against its own answers: see further figures"
    known = f"{reference['figure']} ({reference['validity']})" if reference else "none given"
    note = data["note"] + (" (**stand-in**)" if data["stand_in"] else "")
    return f"| `{name}` | {figure} | {metric['test_count']:,} | {known} | {note} |\n"


def _cost(name: str, row: Mapping[str, Any]) -> list[str]:
    first = [f"`{name}`", f"{row['parameters']:,}", f"{row['fit_seconds']:,.0f} s"]
    lines = []
    for file in row["files"]:
        drop = "–" if file["loss"] is None else f"{file['loss']:.4f}"
        metric = "–" if file["metric"] is None else f"{file['metric']:.4g}"
        cells = [file["format"] + " " + file["recipe"], _size(file["size_bytes"]), metric, drop]
        lines.append("| " + " | ".join([*first, *cells, f"{file['agreement']:.4f}", ", ".join(file["runtimes"])]) + " |\n")
        first = ["", "", ""]
    return lines


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"
