"""A first contract for a model from elsewhere: what its own file says, and marks where nobody but its owner can know."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from edge.contract import SCHEMA, Contract
from edge.errors import ContractError

MARK = "FILL IN"
ASKED: Mapping[str, str] = {
    "task": "what the model does, such as image-classification, text-classification, regression",
    "licence": "the licence of the model and of its data, such as Apache-2.0",
    "source": "where the model and its data come from",
}
METRIC = "the metric and the worst value that may be released, such as accuracy and 0.9; used with --eval alone"
LABELS = "the names of the classes, in the order of the scores; remove the line where answers are no classes"


def draft(name: str, facts: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Make a contract out of what a file says.

    Args:
        name: The file's name without its suffix.
        facts: What the step `signature` reports: `inputs` and `outputs` (name, dtype, shape, layout, …), `targets`, and where
            known `labels`, `description`, `licence`, `source`, `classes` (whether the answers are scores of such), and `contract`
            and `asked`, further fields and lines as they shall stand.

    Returns:
        The content of `contract.json`, and what is asked for, one line a field.
    """
    asked = {key: words for key, words in ASKED.items() if not facts.get(key)}
    labels = list(facts.get("labels") or ())
    outputs = list(facts["outputs"])
    classes = facts["classes"] if "classes" in facts else _has_classes(outputs)
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "name": plain_name(name),
        "version": "1.0.0",
        "task": facts.get("task") or f"{MARK}: {ASKED['task']}",
        "description": str(facts.get("description") or ""),
        "graphs": [{"name": "main", "inputs": _tensors(facts["inputs"]), "outputs": _tensors(outputs)}],
        "metric": {"name": "accuracy" if classes else "rmse", "direction": "higher" if classes else "lower", "floor": None},
        "targets": list(facts["targets"]),
        "recipes": "auto",
        "requires_runtimes": ["onnxruntime"] * ("server" in facts["targets"]) + ["ai-edge-litert"] * ("device" in facts["targets"]),
        "licence": facts.get("licence") or f"{MARK}: {ASKED['licence']}",
        "source": facts.get("source") or f"{MARK}: {ASKED['source']}",
    }
    lines = [f"{key}: {words}" for key, words in asked.items()]
    lines.append(f"metric: {METRIC}")
    if labels or classes:
        content["labels"] = labels or [f"{MARK}: {LABELS}"]
    if not labels and classes:
        lines.append(f"labels: {outputs[0]['shape'][1]} of them, {LABELS}")
    return {**content, **facts.get("contract", {})}, [*lines, *facts.get("asked", ())]


def _has_classes(outputs: Sequence[Mapping[str, Any]]) -> bool:
    """Guess whether the answers are scores of classes: one output, two axes, more than one number."""
    shape = outputs[0]["shape"]
    return len(outputs) == 1 and len(shape) == 2 and isinstance(shape[1], int) and shape[1] > 1


def unfilled(promise: Contract, where: str) -> None:
    """Refuse a contract in which a mark is left.

    Raises:
        ContractError: The message lists the fields.
    """
    left = [key for key in ASKED if str(getattr(promise, key)).startswith(MARK)]
    left += ["labels"] if any(label.startswith(MARK) for label in promise.labels) else []
    if left:
        raise ContractError(f"{where}: {', '.join(left)} still to be filled in (they say {MARK!r}); write what only you can know")


def plain_name(text: str) -> str:
    """Make a model's name of any text: lower-case words joined by `_`."""
    words = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text).lower())
    name = "_".join(words)
    return name if re.match(r"[a-z]", name) else f"model_{name}".rstrip("_")


def _tensors(own: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Write tensors as a contract does; the first axis is the batch, and others of any size get names."""
    found = []
    for place, tensor in enumerate(own):
        row = [axis if isinstance(axis, int) else _axis(axis, i) for i, axis in enumerate(tensor["shape"][1:], 1)]
        shape = ["batch", *row]
        known = {key: tensor[key] for key in ("range", "meaning") if tensor.get(key)}
        name = str(tensor["name"]).removesuffix(":0") or f"tensor_{place}"
        found.append({"name": name, "dtype": tensor["dtype"], "shape": shape, "layout": tensor.get("layout") or layout(shape), **known})
    return found


def _axis(name: str | None, place: int) -> str:
    plain = re.sub(r"\W+", "_", name or "").strip("_")
    return plain if plain and plain != "batch" and not plain.isdigit() else f"axis_{place}"


def layout(shape: Sequence[int | str]) -> str:
    """Guess how axes are laid out: pictures by their small axis, everything else by its number of axes."""
    if len(shape) == 4:
        return "NCHW" if shape[1] in (1, 3) and shape[3] not in (1, 3) else "NHWC" if shape[3] in (1, 3) else "NABC"
    return {1: "N", 2: "NC", 3: "NTC"}.get(len(shape), "N" + "ABCDEFGH"[: len(shape) - 1])
