"""Samples as a person can read them: pictures as pictures, token ids and numbers as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge import detection
from edge.contract import Contract
from edge.steps.judged import judged
from export import pictures, report_answers
from export.report_rows import Findings

Array = np.ndarray[Any, Any]
MOST_SHOWN = 24
MOST_VALUES = 40


@dataclass(frozen=True)
class Shown:
    """A sample, with what was answered: its pictures, and what is no picture as text; `large` where there is something to read in them."""

    pictures: tuple[str, ...]
    texts: tuple[str, ...]
    caption: str
    wrong: bool = False
    large: bool = False


@dataclass(frozen=True)
class Disagreement:
    """The samples on which a file differs from the trainer: how many, or None where answers are no classes, and some of them."""

    title: str
    count: int | None
    shown: tuple[Shown, ...]


def present(inputs: Mapping[str, Array], row: int, caption: str, wrong: bool = False) -> Shown:
    """Show one sample of (N, …) inputs by tensor name."""
    found, texts = [], []
    for name, array in inputs.items():
        picture = pictures.sample(array[row])
        if picture:
            found.append(picture)
        else:
            texts.append((f"{name}: " if len(inputs) > 1 else "") + _text(array[row]))
    return Shown(tuple(found), tuple(texts), caption, wrong)


def golden(findings: Findings) -> list[Shown]:
    """Show the golden inputs with the trainer's answers."""
    stored = findings.handover.golden
    first = judged(findings.contract, stored.outputs)
    shown = []
    for i in range(min(stored.count, MOST_SHOWN)):
        drawn = _drawn(findings.contract, stored.inputs, i, {"": first[i]})
        caption = stored.labels[i] if stored.labels else _answer(findings.contract, first[i])
        shown.append(drawn or present(stored.inputs, i, caption))
    return shown


def disagreements(findings: Findings) -> list[Disagreement]:
    """Show test samples to which a file gives another answer than the trainer, for every file on every runtime."""
    if findings.bench is None:
        return []
    reference = judged(findings.contract, findings.bench.reference)[: findings.samples]
    found = []
    for candidate in findings.candidates:
        for trial in candidate.trials:
            title = f"{candidate.plan.file} on {trial.runtime}"
            if classes(reference, findings.bench.target):
                found.append(_classes(findings, title, trial.scores, reference))
            elif any(step.name in detection.DECODERS for step in findings.contract.postprocess):
                found.append(_boxes(findings, title, trial.scores, reference))
            elif candidate.plan.quantized:
                found.append(_values(findings, title, trial.scores, reference))
    return found


def classes(scores: Array, target: Array | None) -> bool:
    """Tell whether answers are (N, C) scores of classes, and targets (N,) classes."""
    return target is not None and scores.ndim == 2 and scores.shape[1] > 1 and target.ndim == 1 and target.dtype.kind in "iu"


def _classes(findings: Findings, title: str, scores: Array, reference: Array) -> Disagreement:
    """Take the samples whose highest score is another class."""
    known = findings.bench.target if findings.bench else None
    target = np.zeros(0, np.int64) if known is None else known
    trainer, here = reference.argmax(axis=1), scores.argmax(axis=1)
    where = np.flatnonzero(trainer != here)
    shown = []
    for i in where[:MOST_SHOWN]:
        true, said, now = (_label(findings.contract, int(k)) for k in (target[i], trainer[i], here[i]))
        shown.append(present(findings.handover.evaluation, int(i), f"true {true}, trainer {said}, here {now}", bool(here[i] != target[i])))
    return Disagreement(title, len(where), tuple(shown))


def _boxes(findings: Findings, title: str, scores: Array, reference: Array) -> Disagreement:
    """Take the samples in which a box is another one, or is missing; those first whose raw answers moved furthest."""
    alike = detection.bound("map50", findings.contract).agree(scores, reference)
    where = [i for i in _furthest(scores, reference) if not alike[i]]
    evaluation = findings.handover.evaluation
    shown = (_drawn(findings.contract, evaluation, int(i), {"trainer": reference[i], "here": scores[i]}) for i in where[:MOST_SHOWN])
    return Disagreement(title, len(where), tuple(one for one in shown if one))


def _furthest(scores: Array, reference: Array) -> Array:
    return np.argsort(-_moved(scores, reference), kind="stable")


def _moved(scores: Array, reference: Array) -> Array:
    """Return by how much each answer differs at most, (N,)."""
    moved: Array = np.abs(scores.astype(np.float64) - reference).reshape(len(scores), -1).max(axis=1)
    return moved


def _drawn(contract: Contract, inputs: Mapping[str, Array], row: int, outputs: Mapping[str, Array], said: str = "") -> Shown | None:
    """Show a sample whose answers are pictures, or boxes in one; None where they are neither. Outputs are by what is said of each."""
    one = {name: array[row] for name, array in inputs.items()}
    read = {whose: report_answers.read(contract, one, output) for whose, output in outputs.items()}
    answers = {whose: answer for whose, answer in read.items() if answer is not None and answer.picture is not None}
    if len(answers) < len(outputs):
        return None
    boxes = any(answer.words for answer in answers.values())
    before = [] if boxes else [picture for array in one.values() if (picture := pictures.sample(array))]
    after = [picture for answer in answers.values() if answer.picture is not None and (picture := pictures.sample(answer.picture))]
    named = [f"{whose}: {answer.words}" if whose else answer.words for whose, answer in answers.items()]
    order = [*("sample" for _ in before), *(whose or "answer" for whose in answers)]
    return Shown((*before, *after), (), ("; ".join(named) if boxes else ", ".join(order)) + said, large=boxes)


def _values(findings: Findings, title: str, scores: Array, reference: Array) -> Disagreement:
    """Take the samples whose answers moved furthest."""
    moved, evaluation, shown = _moved(scores, reference), findings.handover.evaluation, []
    for i in map(int, _furthest(scores, reference)[: MOST_SHOWN // 2]):
        both = {"trainer": reference[i], "here": scores[i]}
        drawn = _drawn(findings.contract, evaluation, i, both, f"; moved {moved[i]:.3g}")
        caption = f"trainer {_text(reference[i], 4)}, here {_text(scores[i], 4)}, moved {moved[i]:.3g}"
        shown.append(drawn or present(evaluation, i, caption))
    return Disagreement(title, None, tuple(shown))


def _answer(contract: Contract, output: Array) -> str:
    if output.ndim == 1 and 1 < len(contract.labels) == output.size:
        return _label(contract, int(output.argmax()))
    return _text(output, 4)


def _label(contract: Contract, number: int) -> str:
    return contract.labels[number] if 0 <= number < len(contract.labels) else str(number)


def _text(values: Array, most: int = MOST_VALUES) -> str:
    """Write numbers: ids without the padding at their end, reals with three digits, the shape where it is not one row."""
    flat = values.reshape(-1)
    if values.dtype.kind in "iu" and flat.any():
        flat = flat[: int(np.flatnonzero(flat)[-1]) + 1]
    words = [f"{value:.3g}" if values.dtype.kind == "f" else str(value) for value in flat[:most].tolist()]
    shape = f"{' × '.join(map(str, values.shape))}: " if values.ndim > 1 else ""
    rest = f" … ({values.size} values)" if len(flat) > most else ""
    return shape + " ".join(words) + rest
