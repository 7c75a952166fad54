"""The rounds: each asks every contender in an order of its own, so that a disturbed minute disturbs nobody alone."""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving import plan, servers
from benchmarks.serving.contenders import Contender, limit_command
from benchmarks.serving.environments import NotInstalledError
from benchmarks.serving.load import SETTLE_S, closed_loop
from benchmarks.serving.models import CACHE, Bundle
from benchmarks.serving.plan import Case
from benchmarks.serving.questions import RAW, request
from benchmarks.serving.results import Results
from benchmarks.serving.servers import NotServingError, Running

WARM_S, LIMIT_S = 0.4, 0.7
WARM_CONNECTIONS = 8
CONNECT_S = 0.003  # for each connection, until servers have taken up all of them


@dataclass(frozen=True)
class Run:
    """What is fixed for a run: the device, the seconds of a case, and where servers and client stand."""

    device: str
    seconds: float
    server: set[int]
    client: set[int]


def measure(
    run: Run, contenders: Sequence[Contender], bundles: Sequence[Bundle], every: Sequence[Case], rounds: int, results: Results
) -> None:
    """Measure everything, round by round; a contender that fails is named in the results and left out from then on."""
    os.sched_setaffinity(0, run.client)
    for number in range(rounds):
        for bundle in bundles:
            _limit(run, bundle, results)
            order = [c for c in contenders if bundle.name in c.models and c.name not in results.missing and number < c.most_rounds]
            random.Random(f"{number} {bundle.name}").shuffle(order)
            for contender in order:
                say(f"round {number + 1}/{rounds}: {contender.title}, {bundle.name}")
                try:
                    _visit(run, contender, bundle, plan.asked(contender, every, bundle.name), results)
                except (NotServingError, NotInstalledError, OSError) as error:
                    results.missing[contender.name] = str(error)
                    say(f"{contender.title} is left out: {error}")


def _visit(run: Run, contender: Contender, bundle: Bundle, cases: Sequence[Case], results: Results) -> None:
    """Start a server, hold its answers against the right ones, measure its cases, and end it."""
    port = servers.free_port()
    first = contender.dialect(bundle.question, RAW)
    log = log_of(contender, bundle)
    start = contender.start(bundle, run.device, port)
    with servers.running(start, port, run.server, first, contender.ready_s, log) as server:
        loaded = server.memory()
        bodies = {kind: contender.dialect(bundle.question, kind) for kind in {case.kind for case in cases}}
        for kind, body in bodies.items():
            status, answer = servers.ask(port, body)
            if status != 200 or not bundle.question.answered_by(kind, answer):
                raise NotServingError(f"it answers {kind} wrongly: {status} {answer[:100]!r}")
            closed_loop(port, request(body), WARM_CONNECTIONS, WARM_S)
        for case in cases:
            _one(run, server, request(bodies[case.kind]), case, contender.name, results)
        after = server.memory()
    weights = {"resident": loaded.resident, "proportional": loaded.proportional, "resident_after": after.resident}
    results.add_server(contender.name, bundle.name, ready_s=server.ready_s, **weights)


def _one(run: Run, server: Running, question: bytes, case: Case, name: str, results: Results) -> None:
    before = server.processor_s()
    settle = max(SETTLE_S, CONNECT_S * case.connections)
    load = closed_loop(server.port, question, case.connections, run.seconds * case.weight, settle)
    results.add(name, case.key, load, server.processor_s() - before)


def _limit(run: Run, bundle: Bundle, results: Results) -> None:
    """Time the loop without a server, on the servers' processor."""
    pictures = [bundle.jpeg] if bundle.name != "small" else []
    try:
        said = servers.run_there(limit_command(bundle, run.device, LIMIT_S, pictures), run.server, 120)
    except (NotServingError, NotInstalledError, OSError) as error:
        results.missing["onnxruntime"] = str(error)
        return
    results.add_limit(bundle.name, json.loads(said.splitlines()[-1]))


def log_of(contender: Contender, bundle: Bundle) -> Path:
    """Tell where the output of a server goes."""
    return CACHE / "logs" / f"{contender.name}-{bundle.name}.log"


def say(text: str) -> None:
    """Tell a person how far it is."""
    print(text, file=sys.stderr, flush=True)
