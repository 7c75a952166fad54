"""`python -m benchmarks.serving.path`: where the time of one small request goes inside Tandem, stage by stage, without sockets.

Each stage is repeated alone: parse the body, parse it where its JSON came before, queue it, run the model, encode the answer;
then all of it, from the bytes that a connection brings to those that go back, for 1, 8 and 32 connections that ask at once.
Times are processor times, which a busy machine changes little, and medians of the best half. Memory is what `tracemalloc` sees
in a separate pass: the peak of a stage, and the blocks that it leaves with its result.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import uvloop

from benchmarks.serving import connected, questions
from benchmarks.serving.models import SHAPES, Bundle, bundle
from benchmarks.serving.questions import JSON, RAW
from edge.layouts import Layouts
from edge.model import Model
from edge.protocol import HEADER_LENGTH
from serving import inference
from serving.batching import Job, Lane, Outcome, Scheduler
from serving.bodies import Body
from serving.latency import Latency

MAX_BATCH = 256
BLOCK, BLOCKS = 50, 40
FAR = 1e18


class Inline:
    """The scheduler's world without threads and without a clock: everything happens at once."""

    slots = 1

    def now(self) -> float:
        """Tell the time, which stands still."""
        return 0.0

    def defer(self, call: Callable[[], None]) -> None:
        """Call at once."""
        call()

    def call_at(self, when: float, call: Callable[[], None]) -> Callable[[], None]:
        """Never call: no deadline passes."""
        del when
        return call

    def start(self, work: Callable[[], Any], done: Callable[[Any], None], expected: float) -> None:
        """Run at once."""
        del expected
        done(work())


def measure(made: Bundle, *, quick: bool = False) -> dict[str, Any]:
    """Time the stages of a binary request and of one in JSON.

    Returns:
        By kind and stage: `us`, `peak_bytes` and `blocks`.
    """
    blocks = 4 if quick else BLOCKS
    model = Model.open(made.root / made.name / "1.0.0", target="server")
    found: dict[str, Any] = {}
    for kind in (RAW, JSON):
        stages = _stages(made, model, kind)
        found[kind] = {name: {"us": _microseconds(stage, blocks), **_memory(stage)} for name, stage in stages.items()}
        for count, taken in uvloop.run(connected.measure(made, kind, blocks)).items():
            found[kind][f"all, {count} at once"] = {"us": _best_half(taken) * 1e6}
    return found


def _stages(made: Bundle, model: Model, kind: str) -> dict[str, Callable[[], object]]:
    _, content, headers = questions.tandem(made.question, kind)
    media_type = headers.get("Content-Type", "")
    body, length = Body(content, media_type, media_type), headers.get(HEADER_LENGTH)
    work = inference.read_infer(model, body, length, MAX_BATCH)
    outputs = model.run(work.inputs)
    scheduler = Scheduler(Inline())
    lane = Lane(made.name, lambda _: outputs, Latency((1,), (1e-6,)), most_waiting=256)
    scheduler.lanes.append(lane)

    def queue() -> Outcome:
        outcomes: list[Outcome] = []
        scheduler.submit(lane, Job(work.inputs, work.samples, FAR, outcomes.append))
        return outcomes[0]

    layouts = Layouts()
    inference.read_infer(model, body, length, MAX_BATCH, layouts)
    return {
        "parse": lambda: inference.read_infer(model, body, length, MAX_BATCH),
        "parse again": lambda: inference.read_infer(model, body, length, MAX_BATCH, layouts),
        "queue": queue,
        "run": lambda: model.run(work.inputs),
        "encode": lambda: work.answer(outputs),
    }


def _microseconds(stage: Callable[[], object], blocks: int) -> float:
    stage()
    taken = []
    for _ in range(blocks):
        start = time.process_time()
        for _ in range(BLOCK):
            stage()
        taken.append((time.process_time() - start) / BLOCK)
    return _best_half(taken) * 1e6


def _best_half(taken: list[float]) -> float:
    return statistics.median(sorted(taken)[: max(1, len(taken) // 2)])


def _memory(stage: Callable[[], object]) -> dict[str, int]:
    """Count what one run of a stage allocates: the peak in bytes, and the blocks that are alive while its result is."""
    stage()
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        result = stage()
        _, peak = tracemalloc.get_traced_memory()
        blocks = len(tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(False, tracemalloc.__file__)]).traces)
    finally:
        tracemalloc.stop()
    del result
    return {"peak_bytes": peak - before, "blocks": blocks}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving.path", description=(__doc__ or "").partition(": ")[2].partition("\n")[0]
    )
    parser.add_argument("--model", choices=list(SHAPES), default="small")
    parser.add_argument("--quick", action="store_true", help="a tenth of the repeats")
    args = parser.parse_args()
    found = measure(bundle(args.model), quick=args.quick)
    print(f"{'':8}{'stage':17}{'µs':>9}{'peak bytes':>12}{'blocks':>8}")
    for kind, stages in found.items():
        for name, row in stages.items():
            print(f"{kind:8}{name:17}{row['us']:9.1f}{row.get('peak_bytes', ''):>12}{row.get('blocks', ''):>8}")


if __name__ == "__main__":
    main()
