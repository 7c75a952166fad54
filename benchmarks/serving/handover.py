"""`python -m benchmarks.serving.handover`: from how long a batch on is it better run on a thread than on the event loop?

Callers in a closed loop each cost the loop some time in Python, as a request does, and then a batch of a given length that
holds no lock, as inference does. Both ways are measured with `serving.threads`, on one processor and on two: answers per
second, and the processor time of one answer, which tells what handing over costs even on a busy machine. Medians of rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import statistics
import time

import uvloop

from serving.threads import Threads

Way = tuple[float, float]
LENGTHS_US = (25, 50, 100, 200, 400, 800, 1600, 3200)
PYTHON_US, CALLERS, SECONDS = 150, 8, 0.3


def _calibrated() -> int:
    """Count the bytes that are hashed in a microsecond, without the interpreter's lock."""
    block = bytes(1 << 20)
    hashlib.sha256(block).digest()
    start = time.process_time()
    for _ in range(20):
        hashlib.sha256(block).digest()
    return max(1, int(20 * len(block) / (time.process_time() - start) / 1e6))


def _in_python(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


async def _rate(length_us: int, per_us: int, inline: bool, callers: int, seconds: float) -> tuple[float, float]:
    """Give answers per second of callers in a closed loop, and processor microseconds of each."""
    loop, threads = asyncio.get_running_loop(), Threads(1)
    block, until, answers = bytes(length_us * per_us), time.perf_counter() + seconds, 0

    async def caller() -> None:
        nonlocal answers
        while time.perf_counter() < until:
            _in_python(PYTHON_US / 1e6)
            future = loop.create_future()
            threads.start(lambda: hashlib.sha256(block).digest(), future.set_result, 0.0 if inline else 1.0)
            await future
            answers += 1

    used = time.process_time()
    await asyncio.gather(*(caller() for _ in range(callers)))
    used = time.process_time() - used
    threads.close()
    return answers / seconds, used / answers * 1e6


def compare(processors: int, callers: int, rounds: int) -> list[tuple[int, Way, Way]]:
    """Measure every length on so many processors: microseconds, inline, and on a thread; the ways take turns."""
    available = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(available)[:processors])
    try:
        per_us, found = _calibrated(), []
        for length in LENGTHS_US:
            seen: tuple[list[Way], list[Way]] = ([], [])
            for _ in range(rounds):
                for inline, ways in zip((True, False), seen, strict=True):
                    ways.append(uvloop.run(_rate(length, per_us, inline, callers, SECONDS)))
            found.append((length, _middle(seen[0]), _middle(seen[1])))
        return found
    finally:
        os.sched_setaffinity(0, available)


def _middle(ways: list[Way]) -> Way:
    rates, used = zip(*ways, strict=True)
    return statistics.median(rates), statistics.median(used)


def main() -> None:
    """Print a table for one processor and for two."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.handover", description="Batches on the event loop or on a thread")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    print(
        f"{'processors':>10}{'callers':>8}{'batch µs':>10}{'inline /s':>11}{'thread /s':>11}{'gain':>7}{'inline µs':>11}{'thread µs':>11}"
    )
    for processors in (1, 2):
        for callers in (1, CALLERS):
            for length, (rate, used), (threaded, more) in compare(processors, callers, args.rounds):
                row = f"{processors:10}{callers:8}{length:10}{rate:11.0f}{threaded:11.0f}{threaded / rate - 1:7.0%}{used:11.0f}{more:11.0f}"
                print(row, flush=True)


if __name__ == "__main__":
    main()
