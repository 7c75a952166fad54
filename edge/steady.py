"""A model under steady load: latency, temperature, clock rate and throttling over time.

A board that is fast for ten seconds may be slow after ten minutes, when it is hot. Inferences follow one another without a
pause; at the end of each window the sensors are read, which takes no time from what is measured.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Callable, Optional

import numpy as np

from edge.sensors import REMEDIES, Sensors, Throttling
from edge.timing import Rows, Run

WINDOWS, SHORTEST_S = 600, 0.25
_ENDS = 0.1  # of the windows: what is compared, the first against the last


@dataclass(frozen=True)
class Window:
    """What one window of time saw: `at_s` is its end, `bits` are those of `edge.sensors.Throttling`; None is what no sensor tells."""

    at_s: float
    runs: int
    p50_ms: float
    p95_ms: float
    temperature_c: Optional[float]
    clock_mhz: Optional[float]
    bits: Optional[int]


def run_steadily(
    run: Run,
    rows: Rows,
    seconds: float,
    sensors: Sensors,
    told: Callable[[Window], object] = id,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Window]:
    """Run one inference after the other for a while.

    Args:
        run: Answers one row.
        rows: Taken in turns.
        seconds: For how long; it is divided into at most `WINDOWS` windows of `SHORTEST_S` or longer.
        sensors: Read after each window.
        told: Is given each window when it ends.
        clock: Gives seconds.
    """
    length = max(SHORTEST_S, seconds / WINDOWS)
    windows: list[Window] = []
    begun = clock()
    number = 0
    while clock() - begun < seconds:
        times: list[float] = []
        opened = clock()
        until = min(opened + length, begun + seconds)
        before = opened
        while not times or before < until:
            run(rows[number % len(rows)])
            number += 1
            after = clock()
            times.append(after - before)
            before = after
        throttling = sensors.throttling()
        p50, p95 = (float(x) for x in np.percentile(np.array(times) * 1000, (50, 95)))
        bits = None if throttling is None else throttling.bits
        windows.append(Window(before - begun, len(times), p50, p95, sensors.temperature_c(), sensors.clock_mhz(), bits))
        told(windows[-1])
    return windows


def summary(windows: Sequence[Window]) -> dict[str, Any]:
    """Sum up a steady run: how much slower it ended than it began, how hot it got, and what held it back for how long."""
    part = max(1, round(len(windows) * _ENDS))
    begun = float(np.median([window.p50_ms for window in windows[:part]]))
    ended = float(np.median([window.p50_ms for window in windows[-part:]]))
    heat = [window.temperature_c for window in windows if window.temperature_c is not None]
    rates = [window.clock_mhz for window in windows if window.clock_mhz is not None]
    return {
        "seconds": windows[-1].at_s,
        "runs": sum(window.runs for window in windows),
        "begun_p50_ms": begun,
        "ended_p50_ms": ended,
        "slowdown": ended / begun,
        "temperature_first_c": heat[0] if heat else None,
        "temperature_highest_c": max(heat, default=None),
        "clock_lowest_mhz": min(rates, default=None),
        "throttled_s": throttled_seconds(windows),
        "throttled_before": _happened(windows[0]) if windows else [],
        "windows": [asdict(window) for window in windows],
    }


def throttled_seconds(windows: Sequence[Window]) -> Optional[dict[str, float]]:
    """Sum up for how many seconds each thing held the board back; None where no firmware tells."""
    if all(window.bits is None for window in windows):
        return None
    found = dict.fromkeys(REMEDIES, 0.0)
    before = 0.0
    for window in windows:
        for words in Throttling(window.bits or 0).now:
            found[words] += window.at_s - before
        before = window.at_s
    return {words: seconds for words, seconds in found.items() if seconds}


def _happened(window: Window) -> list[str]:
    return list(Throttling(window.bits or 0).happened)
