"""Child processes for what may crash, hang or fill memory: converters, quantizers and runtimes.

A converter that dies of a segmentation fault takes its own process with it and becomes an error with an exit code.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import ConversionError, GateError, SetupError, TandemError

QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "CUDA_VISIBLE_DEVICES": "",
    "PYTHONHASHSEED": "0",
    "PYTHONWARNINGS": "ignore",
}
KINDS: Mapping[int, type[TandemError]] = {4: GateError, 6: SetupError}


@dataclass(frozen=True)
class Sandbox:
    """Where children write, and how long one may take (seconds)."""

    folder: Path
    logs: Path
    limit_s: float = 600.0

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
        return self._child([sys.executable, "-m", "export.convert", step], step, request, ConversionError)

    def infer(self, python: str, label: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Run samples through a file on a runtime (`edge.runtimes.worker`), maybe of another environment.

        Raises:
            GateError: The runtime refuses the file, crashes or hangs on it.
            SetupError: The environment or the runtime is missing.
        """
        if not Path(python).exists():
            raise SetupError(f"no environment with {request['runtime']}: {python} does not exist; 'make install' makes it")
        return self._child([python, "-m", "edge.runtimes.worker"], label, request, GateError)

    def _child(self, command: list[str], label: str, request: Mapping[str, Any], failure: type[TandemError]) -> dict[str, Any]:
        asked = self.folder / f"{label}.request.json"
        asked.write_text(json.dumps(request), encoding="utf-8")
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f"{label}.log"
        with log.open("wb") as errors:
            try:
                child = subprocess.Popen([*command, str(asked)], stdout=subprocess.PIPE, stderr=errors, env={**os.environ, **QUIET})
            except OSError as error:
                raise SetupError(f"{label}: {command[0]} cannot be started ({error.strerror})") from None
            with child:
                try:
                    output, _ = child.communicate(timeout=self.limit_s)
                except subprocess.TimeoutExpired:
                    raise failure(f"{label}: no answer after {self.limit_s:g} s, stopped; raise --time-limit or see {log}") from None
                finally:
                    child.kill()
        return _report(label, output, child.returncode, log, failure)


def _report(label: str, output: bytes, code: int, log: Path, failure: type[TandemError]) -> dict[str, Any]:
    """Read the child's last line, or say how it ended."""
    lines = output.decode("utf-8", "replace").strip().splitlines()
    try:
        report = json.loads(lines[-1]) if lines else {}
    except ValueError:
        report = {}
    if code == 0 and isinstance(report, dict) and report and "error" not in report:
        return report
    if isinstance(report, dict) and "error" in report:
        raise KINDS.get(code, failure)(f"{label}: {report['error']}")
    ended = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    raise failure(f"{label}: the process ended without an answer ({ended}); see {log}")
