"""One server at a time: started on its processor, awaited until it gives a right answer, weighed, and ended with all its processes."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.contenders import Start
from benchmarks.serving.questions import Body

PORTS_IN_A_ROW = 3
STOP_S = 10.0
POLL_S = 0.02


class NotServingError(Exception):
    """A server did not start, or answered wrongly; the message says which."""


@dataclass(frozen=True)
class Memory:
    """Bytes of a process tree: pages in use, and the same with shared ones divided among those who share them."""

    resident: int
    proportional: int


@dataclass(frozen=True)
class Running:
    """A server that answers, and the seconds from its start to its first right answer."""

    process: subprocess.Popen[bytes]
    port: int
    ready_s: float

    def processor_s(self) -> float:
        """Tell the processor time that the server has used, with all its processes."""
        return sum(_processor_s(pid) for pid in processes_of(self.process.pid))

    def memory(self) -> Memory:
        """Weigh the server with all its processes."""
        weights = [_weight(pid) for pid in processes_of(self.process.pid)]
        return Memory(sum(weight.resident for weight in weights), sum(weight.proportional for weight in weights))


def processors() -> tuple[set[int], set[int]]:
    """Divide the processors: the first is the servers', the last the client's; one processor is shared."""
    if not hasattr(os, "sched_getaffinity"):
        raise SystemExit("this benchmark needs Linux (epoll, processor affinity)")
    available = sorted(os.sched_getaffinity(0))
    return {available[0]}, {available[-1]}


def free_port() -> int:
    """Find a port that is free, with the next ones free too."""
    while True:
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            first = stack.enter_context(socket.socket())
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            for i in range(1, PORTS_IN_A_ROW):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port + i))
            return port


def run_there(start: Start, on: set[int], seconds: float) -> str:
    """Run a program to its end on a processor; gives what it printed.

    Raises:
        NotServingError: It failed.
    """
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, on)
    try:
        done = subprocess.run(
            start.command,
            cwd=start.folder,
            env={**os.environ, **start.environment},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    finally:
        os.sched_setaffinity(0, before)
    if done.returncode:
        raise NotServingError((done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1])
    return done.stdout


@contextlib.contextmanager
def running(start: Start, port: int, on: set[int], first: Body, ready_s: float, log: Path) -> Iterator[Running]:
    """Run a server; inside, it has answered.

    Args:
        start: What to start.
        port: Where it will listen.
        on: Its processors.
        first: A question to ask until it is answered with 200.
        ready_s: How long that may take.
        log: Where its output goes.

    Raises:
        NotServingError: It did not come to answer.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    before = os.sched_getaffinity(0)
    with log.open("wb") as output:
        os.sched_setaffinity(0, on)  # children take it over from the start
        try:
            begun = time.perf_counter()
            process = subprocess.Popen(
                start.command,
                cwd=start.folder,
                env={**os.environ, **start.environment},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        finally:
            os.sched_setaffinity(0, before)
        try:
            _await_answer(process, port, first, ready_s)
            yield Running(process, port, time.perf_counter() - begun)
        finally:
            stop(process)


def ask(port: int, body: Body, timeout: float = 30.0) -> tuple[int, bytes]:
    """Ask once; gives the status and the body of the answer."""
    path, content, headers = body
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("POST", path, content, dict(headers))
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _await_answer(process: subprocess.Popen[bytes], port: int, body: Body, ready_s: float) -> None:
    until, last = time.monotonic() + ready_s, "nothing listened"
    while time.monotonic() < until:
        if process.poll() is not None:
            raise NotServingError(f"the server ended with {process.returncode}")
        with contextlib.suppress(OSError, http.client.HTTPException):
            status, content = ask(port, body)
            if status == 200:
                return
            last = f"it answered {status} {content[:120]!r}"
        time.sleep(POLL_S)
    raise NotServingError(f"not ready in {ready_s:g} s: {last}")


def processes_of(pid: int) -> list[int]:
    """List a process and all its descendants."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError, ValueError):
                after_name = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
                parents.setdefault(int(after_name.split()[1]), []).append(int(folder.name))
    found = [pid]
    for known in found:  # it grows while it is read
        found += parents.get(known, [])
    return found


def _weight(pid: int) -> Memory:
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
        sizes = {name: int(rest.split()[0]) << 10 for name, _, rest in (line.partition(":") for line in lines[1:])}
        return Memory(sizes.get("Rss", 0), sizes.get("Pss", 0))
    return Memory(0, 0)


def _processor_s(pid: int) -> float:
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a server and every process that it has started."""
    tree = processes_of(process.pid)
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_S)
    for pid in tree:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
