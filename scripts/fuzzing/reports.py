"""The lines that a child process writes, one JSON object each, awaited no longer than a patient person would."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Iterator
from typing import IO, Any


def reports(child: subprocess.Popen[bytes], start_s: float, case_s: float) -> Iterator[dict[str, Any]]:
    """Give what a child reports.

    Args:
        child: Its standard output is a pipe.
        start_s: Seconds until the first report.
        case_s: Seconds from one to the next.

    Raises:
        queue.Empty: None came in time.
    """
    lines: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_pump, args=(child.stdout, lines), daemon=True).start()
    patience = start_s
    while line := lines.get(timeout=patience):
        yield json.loads(line)
        patience = case_s


def _pump(source: IO[bytes] | None, lines: queue.Queue[bytes]) -> None:
    for line in source or ():
        lines.put(line)
    lines.put(b"")
