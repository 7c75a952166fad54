"""Child processes for what may crash, hang or fill memory or disk: converters, quantizers and runtimes.

A converter that dies of a segmentation fault takes its own process with it and becomes an error with an exit code.
Each child leads a process group of its own, so that it can be ended with everything that it has started.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.errors import ConversionError, GateError, SetupError, TandemError
from export.cache import Cache

QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "CUDA_VISIBLE_DEVICES": "",
    "PYTHONHASHSEED": "0",
    "PYTHONWARNINGS": "ignore",
}
KINDS: Mapping[int, type[TandemError]] = {4: GateError, 6: SetupError}


# What libraries write when memory or the disk ran out; they have no common error.
NO_MEMORY = re.compile(
    r"MemoryError|bad_alloc|[Cc]an't allocate memory|[Cc]annot allocate memory|[Oo]ut of memory|Failed to allocate memory"
    r"|[Mm]emory allocation (still )?failed|failed to map segment|pthread_create failed|can't start new thread"
)
NO_SPACE = re.compile(r"No space left on device|File too large|Disk quota exceeded")
LOG_TAIL = 4000


@dataclass
class Running:
    """The children that run now; after `stop` none is started any more."""

    children: set[subprocess.Popen[bytes]] = field(default_factory=set)
    stopped: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True)
class Sandbox:
    """Where children write, how long one may take (seconds) and how many bytes of address space it may have."""

    folder: Path
    logs: Path
    limit_s: float = 600.0
    memory_bytes: int | None = None
    cache: Cache | None = None
    running: Running = field(default_factory=Running, repr=False, compare=False)

    def convert(self, step: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Run one conversion step (`export.convert`) in a child.

        Args:
            step: Its name in `export.convert.STEPS`.
            request: Its arguments; paths as strings.

        Returns:
            What the step reports.

        Raises:
            ConversionError: The step failed, crashed or took too long; the message names it and its log.
            SetupError: A package that it needs is missing.
        """

        def run(asked: Mapping[str, Any]) -> dict[str, Any]:
            label = f"{step}-{asked['recipe']}".replace(":", "-") if "recipe" in asked else step
            return self._child([sys.executable, "-m", "export.convert", step], label, asked, ConversionError)

        return run(request) if self.cache is None else self.cache.through(step, request, run)

    def infer(self, python: str, label: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Run samples through a file on a runtime (`edge.runtimes.worker`), maybe of another environment.

        Raises:
            GateError: The runtime refuses the file, crashes or hangs on it.
            SetupError: The environment or the runtime is missing.
        """
        if not Path(python).exists():
            raise SetupError(f"no environment with {request['runtime']}: {python} does not exist; 'make install' makes it")
        return self._child([python, "-m", "edge.runtimes.worker"], label, request, GateError)

    def stop(self) -> None:
        """End every child that runs and start none any more; callers that wait for one get an error."""
        with self.running.lock:
            self.running.stopped = True
            for child in self.running.children:
                _kill(child)

    def _child(self, command: list[str], label: str, request: Mapping[str, Any], failure: type[TandemError]) -> dict[str, Any]:
        descriptor, asked = tempfile.mkstemp(prefix=f"{label}.", suffix=".request.json", dir=self.folder)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(request, file)
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f"{label}.log"
        with log.open("wb") as errors:
            child = self._start([*command, asked], label, errors)
            with child:
                try:
                    output, _ = child.communicate(timeout=self.limit_s)
                except subprocess.TimeoutExpired:
                    raise failure(f"{label}: no answer after {self.limit_s:g} s, stopped; raise --time-limit or see {log}") from None
                finally:
                    _kill(child)
                    with self.running.lock:
                        self.running.children.discard(child)
        return _report(label, output, child.returncode, log, failure)

    def _start(self, command: list[str], label: str, errors: Any) -> subprocess.Popen[bytes]:
        """Start a child in a group of its own, with its share of memory, unless all were told to stop."""
        with self.running.lock:
            if self.running.stopped:
                raise ConversionError(f"{label}: not started, because the export was stopped")
            try:
                child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env={**os.environ, **QUIET}, process_group=0)
            except OSError as error:
                raise SetupError(f"{label}: {command[0]} cannot be started ({error.strerror})") from None
            self.running.children.add(child)
        if self.memory_bytes is not None:
            with contextlib.suppress(ProcessLookupError):  # it may have ended already
                resource.prlimit(child.pid, resource.RLIMIT_AS, (self.memory_bytes, self.memory_bytes))
        return child


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End a child and what it has started; nothing happens to one that has ended and left nothing."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def _report(label: str, output: bytes, code: int, log: Path, failure: type[TandemError]) -> dict[str, Any]:
    """Read the child's last line, or say how it ended."""
    lines = output.decode("utf-8", "replace").strip().splitlines()
    try:
        report = json.loads(lines[-1]) if lines else {}
    except ValueError:
        report = {}
    if code == 0 and isinstance(report, dict) and report and "error" not in report:
        return report
    told = str(report["error"]) if isinstance(report, dict) and "error" in report else ""
    _lacking(label, told + _tail(log), log, failure)
    if told:
        raise KINDS.get(code, failure)(f"{label}: {told}")
    ended = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    if code == -signal.SIGKILL:
        ended += ", as the system does when memory runs out"
    raise failure(f"{label}: the process ended without an answer ({ended}); see {log}")


def _lacking(label: str, words: str, log: Path, failure: type[TandemError]) -> None:
    """Raise where a child failed for want of disk or memory, whatever else it says."""
    if NO_SPACE.search(words):
        raise SetupError(f"{label}: the disk is full; free some space (children work below TMPDIR), then run it again; see {log}")
    if NO_MEMORY.search(words):
        raise failure(f"{label}: it ran out of memory; raise --memory-limit, lower --jobs or use a machine with more; see {log}")


def _tail(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - LOG_TAIL))
        return file.read().decode("utf-8", "replace")
