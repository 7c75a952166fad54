"""Too much load, and for long: Tandem at twice its peak with deadlines, and under steady load for as long as is asked for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.serving import servers
from benchmarks.serving.contenders import CONTENDERS, TANDEM
from benchmarks.serving.figures import percentile, slope
from benchmarks.serving.load import closed_loop, open_loop
from benchmarks.serving.measure import Run, log_of, say
from benchmarks.serving.models import Bundle
from benchmarks.serving.questions import RAW, Body, request
from benchmarks.serving.servers import Running
from edge.client import TIMEOUT_HEADER

TIMES_PEAK = 2
DEADLINE_MS = {"small": 100, "mobilenet": 1000}
PEAK_CONNECTIONS, MOST_CONNECTIONS = (32, 128), 1000
SOAK_CONNECTIONS, SOAK_STEPS = 8, 60


@contextmanager
def _tandem(run: Run, bundle: Bundle) -> Iterator[tuple[Running, Body]]:
    """Run Tandem over one model; it has answered some requests."""
    contender, port = CONTENDERS[TANDEM], servers.free_port()
    body = contender.dialect(bundle.question, RAW)
    start = contender.start(bundle, run.device, port)
    with servers.running(start, port, run.server, body, contender.ready_s, log_of(contender, bundle)) as server:
        yield server, body


def overload(run: Run, bundle: Bundle, seconds: float) -> dict[str, Any]:
    """Ask at twice the peak, on schedule, with a deadline on each request.

    Args:
        run: Where servers and client stand.
        bundle: The model.
        seconds: How long; each measurement of the peak takes a quarter of it.

    Returns:
        Rates per second, shares and counts, as they are kept in the results.
    """
    say(f"overload: Tandem, {bundle.name}")
    deadline = DEADLINE_MS[bundle.name] / 1000
    with _tandem(run, bundle) as (server, body):
        loads = [closed_loop(server.port, request(body), count, seconds / 4) for count in PEAK_CONNECTIONS]
        peak = max(load.rate for load in loads)
        before = server.memory().resident
        question = request(body, **{TIMEOUT_HEADER: str(DEADLINE_MS[bundle.name])})
        load = open_loop(server.port, question, TIMES_PEAK * peak, seconds, MOST_CONNECTIONS)
        after = server.memory().resident
    good = sum(latency <= deadline for latency in load.latencies)
    ordered = sorted(load.latencies)
    offered = sum(load.statuses.values()) + load.unsent
    return {
        "seconds": seconds,
        "deadline_ms": DEADLINE_MS[bundle.name],
        "peak": peak,
        "offered": offered / load.seconds,
        "goodput": good / load.seconds,
        "late": len(ordered) - good,
        "unsent": load.unsent,
        "statuses": {str(status): count for status, count in sorted(load.statuses.items())},
        "p50": percentile(ordered, 0.5),
        "p99": percentile(ordered, 0.99),
        "resident_before": before,
        "resident_after": after,
    }


def soak(run: Run, bundle: Bundle, seconds: float) -> dict[str, Any]:
    """Ask steadily, and weigh the server again and again; the first fifth is left out of the slope."""
    say(f"soak: Tandem, {bundle.name}, {seconds:g} s")
    times, weights, answers, refused = [], [], 0, 0
    with _tandem(run, bundle) as (server, body):
        start = time.monotonic()
        while (now := time.monotonic() - start) < seconds:
            load = closed_loop(server.port, request(body), SOAK_CONNECTIONS, max(seconds / SOAK_STEPS, 0.5), settle=0.0)
            answers, refused = answers + len(load.latencies), refused + load.refused
            times.append(now)
            weights.append(server.memory().resident)
    skip = len(times) // 5
    per_hour = slope(times[skip:], weights[skip:]) * 3600
    return {"seconds": seconds, "answers": answers, "refused": refused, "times": times, "resident": weights, "bytes_per_hour": per_hour}
