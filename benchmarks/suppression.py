"""How long non-maximum suppression takes on many candidates: numpy's here, and ONNX's operator on the same sets in the same run.

`python -m benchmarks.suppression` prints a table, `--json` the figures, `--page` writes them into docs/suppression.md. Every
set of candidates is drawn anew from a seed; numpy and the operator take turns on each, so that whatever slows the machine
slows both, and what they choose is compared before it is timed. Where other programs run, the processor time of this
thread says what the clock cannot.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.cpu import read as processor
from edge.steps.suppression import suppress

Array = np.ndarray[Any, Any]
Set = tuple[Array, Array, Array | None]
CANDIDATES, SIDE, OVERLAP, MOST = 10_000, 416.0, 0.5, 100
GOAL_MS = 5.0
PAGE = Path(__file__).resolve().parents[1] / "docs" / "suppression.md"


def clustered(random: np.random.Generator) -> Set:
    """20 things, 500 candidates for each: what a detector gives."""
    return (*_around(random, random.random((20, 2)) * SIDE, 3, 15), None)


def crowded(random: np.random.Generator) -> Set:
    """200 things that touch one another, 50 candidates for each."""
    return (*_around(random, random.random((200, 2)) * SIDE, 2, 12), None)


def spread(random: np.random.Generator) -> Set:
    """Candidates anywhere, hardly one like another."""
    return (*_around(random, random.random((CANDIDATES, 2)) * SIDE, 0, 15), None)


def overlapping(random: np.random.Generator) -> Set:
    """All around one thing: each covers every other."""
    return (*_around(random, np.full((1, 2), SIDE / 2), 1, 40), None)


def classes(random: np.random.Generator) -> Set:
    """20 things as in the first kind, and each candidate of one of 80 classes by chance."""
    boxes, scores, _ = clustered(random)
    return boxes, scores, random.integers(0, 80, CANDIDATES)


KINDS: dict[str, Callable[[np.random.Generator], Set]] = {
    "clustered": clustered,
    "crowded": crowded,
    "spread": spread,
    "all overlapping": overlapping,
    "80 classes": classes,
}


def _around(random: np.random.Generator, centres: Array, jitter: float, half: float) -> tuple[Array, Array]:
    """Draw boxes (N, 4) float32 xyxy around centres, of about the same size, and scores (N,) float32."""
    middles = centres[np.arange(CANDIDATES) % len(centres)] + random.normal(0, jitter, (CANDIDATES, 2))
    halves = half * np.exp(random.normal(0, 0.15, (CANDIDATES, 2)))
    boxes = np.concatenate([middles - halves, middles + halves], axis=1).astype(np.float32)
    return boxes, random.random(CANDIDATES).astype(np.float32)


@dataclass(frozen=True)
class Row:
    """One kind of candidates: how many sets were timed, and what numpy and the operator took.

    `clock_median_ms` is numpy's by the clock; all others are processor time of the thread, and `ratio` is that of the medians.
    """

    kind: str
    sets: int
    chosen: int
    clock_median_ms: float
    median_ms: float
    p95_ms: float
    onnx_median_ms: float
    ratio: float


def operator() -> Callable[[Array, Array], Array]:
    """Return ONNX's NonMaxSuppression for one picture and one class, on one thread."""
    import onnxruntime
    from onnx import TensorProto, helper

    kinds: dict[str, Any] = {"b": (TensorProto.FLOAT, [1, None, 4]), "s": (TensorProto.FLOAT, [1, 1, None])}
    kinds |= {"m": (TensorProto.INT64, [1]), "i": (TensorProto.FLOAT, [1])}
    values = [helper.make_tensor_value_info(name, *kind) for name, kind in kinds.items()]
    node = helper.make_node("NonMaxSuppression", list(kinds), ["o"])
    graph = helper.make_graph([node], "g", values, [helper.make_tensor_value_info("o", TensorProto.INT64, [None, 3])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def call(boxes: Array, scores: Array) -> Array:
        feed = {"b": boxes[None], "s": scores[None, None], "m": np.array([MOST]), "i": np.array([OVERLAP], np.float32)}
        chosen: Array = session.run(None, feed)[0][:, 2]
        return chosen

    return call


def measure(kind: str, sets: int, onnx: Callable[[Array, Array], Array]) -> Row:
    """Time one kind of candidates.

    Raises:
        ValueError: The two choose otherwise; then no time means anything.
    """
    ours, theirs, worked, chosen = [], [], [], []
    for number in range(sets):
        boxes, scores, kinds = KINDS[kind](np.random.default_rng([number, list(KINDS).index(kind)]))
        # The operator knows no class of a box: whole planes apart, boxes of two classes cannot meet.
        apart = boxes if kinds is None else boxes + np.float32(2048) * kinds[:, None].astype(np.float32)
        found, expected = suppress(boxes, scores, OVERLAP, MOST, kinds), onnx(apart, scores)
        if kinds is None and not np.array_equal(found, expected):
            raise ValueError(f"{kind}, set {number}: numpy and ONNX choose otherwise")
        begun, started = time.thread_time(), time.perf_counter()
        suppress(boxes, scores, OVERLAP, MOST, kinds)
        between, done = time.thread_time(), time.perf_counter()
        onnx(apart, scores)
        ours.append(done - started)
        worked.append(between - begun)
        theirs.append(time.thread_time() - between)
        chosen.append(len(found))
    figures = (np.median(ours), np.median(worked), np.percentile(worked, 95), np.median(theirs))
    clock, median, p95, other = (1000 * float(figure) for figure in figures)
    return Row(kind, sets, int(np.median(chosen)), clock, median, p95, other, median / other)


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a table in Markdown."""
    head = "| candidates | chosen | numpy, median ms | p95 ms | ONNX's operator, median ms | ratio | numpy by the clock, median ms |\n"
    line = "| {kind} | {chosen} | {median_ms:.2f} | {p95_ms:.2f} | {onnx_median_ms:.2f} | {ratio:.1f} | {clock_median_ms:.2f} |\n"
    head += "|---|--:|--:|--:|--:|--:|--:|\n"
    return head + "".join(line.format(**asdict(row)) for row in rows)


def page(rows: Sequence[Row]) -> str:
    """Return the page of docs that holds the rows."""
    kinds = "\n".join(f"- **{name}**: {(make.__doc__ or '').strip()}" for name, make in KINDS.items())
    worst = max(row.median_ms for row in rows)
    return f"""# Suppression of boxes

Written by `python -m benchmarks.suppression --page`: non-maximum suppression in numpy (`edge/steps/suppression.py`), and
ONNX's NonMaxSuppression of onnxruntime on the same candidates in turns, one thread each. What the two choose is compared
first, and is equal; classes are left out of that, since the operator gets them as boxes far apart, which rounds.

{CANDIDATES:,} candidates, {rows[0].sets} random sets of each kind, {MOST} chosen at most, overlap {OVERLAP}. The goal is a median below
{GOAL_MS:g} ms; the slowest kind takes {worst:.2f} ms of one processor. {processor().sentence()};
other programs ran beside it, so times are those of the processor, and what the clock says holds the turns of others too.

{table(rows)}
{kinds}
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and give 0 where every kind keeps to the goal."""
    parser = argparse.ArgumentParser(prog="suppression", description="Time non-maximum suppression on 10,000 candidates.")
    parser.add_argument("--sets", type=int, default=100, metavar="N", help="random sets of candidates of each kind (default: 100)")
    parser.add_argument("--json", action="store_true", help="print JSON for machines")
    parser.add_argument("--page", action="store_true", help=f"write docs/{PAGE.name}")
    args = parser.parse_args(argv)
    onnx = operator()
    rows = [measure(kind, args.sets, onnx) for kind in KINDS]
    print(json.dumps([asdict(row) for row in rows]) if args.json else table(rows), end="")
    if args.page:
        PAGE.write_text(page(rows), encoding="utf-8")
    return 0 if all(row.median_ms < GOAL_MS for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
