"""Replay a file's golden inputs in a child process, so that a runtime that dies of it takes the child and not the caller.

A model file is read in place by the runtime, and a hostile or damaged one can end a process; so can a runtime that was built
for another processor. `replay` starts the child and turns whatever becomes of it into an error that says so.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Optional

from edge import child, contract, errors, golden, memory, runtimes
from edge.bundle import Bundle
from edge.errors import GateError, RuntimeMissingError, SetupError, TandemError
from edge.golden import replay_each
from edge.runtimes import Options
from edge.schema import decode, encode
from edge.variants import Variant
from edge.verdicts import Verdict

LIMIT_S = 120.0
LEAST_ADDRESSES = 4 << 30
READY = "ready"
PROGRAM = "from edge.runtimes.probe import main; sys.exit(main())"


def replay(bundle: Bundle, variant: Variant, runtime: str, version: str, options: Options) -> Optional[Verdict]:
    """Replay all golden inputs of a file in a child process.

    Returns:
        The verdict; None where no child can be started here, as inside a frozen program or a foreign processor's emulation.

    Raises:
        ParityError: The answers are not the stored ones.
        GateError: The runtime refuses the file, or its process died of it or gave no answer in time.
        RuntimeMissingError: The runtime cannot work as installed: it died of an instruction that this processor does not have.
        SetupError: The child was killed, as for want of memory.
    """
    if not sys.executable or getattr(sys, "frozen", False):
        return None
    request = {"folder": str(bundle.folder), "variant": encode(variant), "runtime": runtime, "threads": options.threads}
    try:
        done = subprocess.run(child.program(PROGRAM), input=json.dumps(request).encode(), capture_output=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        raise GateError(
            f"{variant.file}: {runtime} {version} gave no answer to the golden inputs in {LIMIT_S:g} s; use another variant"
        ) from None
    except OSError:
        return None
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    if READY not in lines:  # it did not come so far as to load the runtime: this says nothing of the file
        return None
    report = _report(lines[-1])
    if "drift" in report and done.returncode == 0:
        return Verdict(report["drift"], report["worst"])
    if "error" in report:
        raise _as_ours(report["kind"], report["error"])
    raise _died(f"{variant.file}: {runtime} {version}", done.returncode, done.stderr)


def main() -> int:
    """Answer the request on standard input by lines on standard output: `ready`, then the verdict or the error."""
    request = json.loads(sys.stdin.buffer.read())
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a runtime prints is not an answer
    _step_back()
    answers.write(f"{READY}\n")
    answers.flush()
    try:
        report: dict[str, Any] = _verdict(request)
    except TandemError as error:
        report = {"error": str(error), "kind": type(error).__name__}
    except MemoryError:
        report = {"error": f"{request['variant']['file']}: out of memory on {request['runtime']}", "kind": "SetupError"}
    answers.write(json.dumps(report) + "\n")
    answers.flush()
    return 0  # a runtime that dies while it is taken down dies here, and is told too


def _verdict(request: dict[str, Any]) -> dict[str, Any]:
    folder, variant = Path(request["folder"]), decode(Variant, request["variant"])
    promise = contract.load(folder / "contract.json")
    samples = golden.load(folder / "golden.npz", promise)
    options = Options(request["threads"])
    loaded = runtimes.load(request["runtime"], folder / variant.file, promise.main, variant, options)
    where = f"{promise.name} {promise.version}, {variant.file} on {loaded.name} {loaded.version} ({loaded.provider})"
    drift, worst = replay_each(samples, loaded.run, variant.tolerance, where)
    return {"drift": drift, "worst": worst}


def _step_back() -> None:
    """Write no core, be the first to go where memory runs out, and ask for no more addresses than any model needs."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        most = max(LEAST_ADDRESSES, 2 * (memory.read().total or 0))
        if sys.maxsize > most:
            resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _report(line: str) -> dict[str, Any]:
    try:
        report = json.loads(line)
    except ValueError:
        return {}
    return report if isinstance(report, dict) else {}


def _as_ours(kind: str, message: str) -> TandemError:
    """Make the child's error again."""
    found = getattr(errors, kind, None)
    return found(message) if isinstance(found, type) and issubclass(found, TandemError) else GateError(message)


def _died(what: str, code: int, spoken: bytes) -> TandemError:
    """Say of what a child died, and what to do."""
    last = next((line.strip() for line in reversed(spoken.decode("utf-8", "replace").splitlines()) if line.strip()), "")
    ended = _signal(-code) if code < 0 else f"exit code {code}"
    said = f": {last[:160]}" if last and not last.startswith("INFO") else ""
    if ended == "SIGILL":
        return RuntimeMissingError(
            f"{what} uses instructions that this processor does not have (SIGILL); install another version of it, or another runtime"
        )
    if ended == "SIGKILL":
        return SetupError(f"{what} was killed while it replayed the golden inputs (SIGKILL), most likely for want of memory; free some")
    if code > 0:
        return GateError(f"{what} could not be brought to prove this file ({ended}{said}); use another variant or another runtime")
    return GateError(f"{what} died of this file in a process of its own ({ended}{said}); do not use it: copy the bundle again")


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
