"""The child that reads mutants, many of them: `python -m fuzzing.child REQUEST.json`.

One line of JSON for each case as soon as it is known, so that the parent can name the case of which the child died. The
child watches itself: memory is limited and its peak is taken for each case, and whatever writes outside of its folder,
starts a program or opens a connection is reported as a defect.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import sys
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import TandemError

MEMORY_BYTES = 8 << 30  # of address space, as `tandem export --program` gives a reader
CHANGES = frozenset(("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.symlink", "os.link", "os.chmod", "os.truncate"))
STARTS = frozenset(("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect", "pty.spawn"))


@dataclass
class Watch:
    """What Python is about to do to the machine, by its audit events, while `folder` is set. Source: PEP 578."""

    folder: str = ""
    seen: list[str] = field(default_factory=list)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Note an event that no reader of a model should cause."""
        if not self.folder:
            return
        if event in STARTS:
            self.seen.append(f"{event} {arguments[0]!r}"[:200])
        elif event in CHANGES or (event == "open" and _writes(arguments)):
            self._hold(event, arguments[0])

    def _hold(self, event: str, path: object) -> None:
        if not isinstance(path, (str, bytes)):
            return
        text = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 a Path would cause events of its own
        if not text.startswith(self.folder + "/") and text != os.devnull:
            self.seen.append(f"{event} {text}"[:200])


def _writes(arguments: tuple[Any, ...]) -> bool:
    _, mode, flags = arguments
    return any(letter in str(mode or "") for letter in "wax+") or bool(int(flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def main(path: str) -> None:
    """Read the cases of a request and report each."""
    from fuzzing.kinds import KINDS

    request = json.loads(Path(path).read_text(encoding="utf-8"))
    work, seeds, watch = Path(request["work"]), Path(request["seeds"]), Watch()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what libraries say of each file is of no use here
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    os.chdir(work / "here")
    sys.addaudithook(watch)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    for kind in dict.fromkeys(kind for kind, _ in request["cases"]):
        seed = _case(work, seeds, kind, (seeds / KINDS[kind].file).read_bytes(), Watch())  # imports what the others need, too
        answers.write(json.dumps({"seed": kind, **seed}) + "\n")
        answers.flush()
        for _, number in (case for case in request["cases"] if case[0] == kind):
            content = Path(number).read_bytes() if isinstance(number, str) else mutant(request["seed"], kind, number, seeds)
            verdict = _case(work, seeds, kind, content, watch)
            answers.write(json.dumps({"kind": kind, "case": number, **verdict}) + "\n")
            answers.flush()


def mutant(seed: int, kind: str, number: int, seeds: Path) -> bytes:
    """Make one case (again)."""
    from fuzzing.kinds import KINDS
    from fuzzing.mutations import mutate

    random = np.random.default_rng([seed, zlib.crc32(kind.encode()), number])
    donors = [(seeds / other.file).read_bytes() for other in KINDS.values()]
    return mutate((seeds / KINDS[kind].file).read_bytes(), random, donors)


def _case(work: Path, seeds: Path, kind: str, content: bytes, watch: Watch) -> dict[str, Any]:
    """Read one file; say what became of it, how long it took and what memory."""
    from fuzzing.kinds import KINDS

    for folder in (work / "given", work / "tmp"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    (work / "given" / "taken").mkdir()
    path = work / "given" / KINDS[kind].file
    path.write_bytes(content)
    _forget_peak()
    watch.folder, watch.seen, started = str(work), [], time.perf_counter()
    verdict, words = _verdict(kind, path, seeds)
    watch.folder = ""
    if watch.seen or any((work / "here").iterdir()):
        verdict, words = "defect", "; ".join(watch.seen) or "a file was written to the current folder"
    return {"verdict": verdict, "words": words[:300], "seconds": time.perf_counter() - started, "peak_kb": _peak_kb()}


def _verdict(kind: str, path: Path, seeds: Path) -> tuple[str, str]:
    from fuzzing.kinds import BORDER, KINDS

    try:
        KINDS[kind].read(path, seeds)
    except TandemError as error:
        words = str(error)
        return ("defect" if "\n" in words or "Traceback" in words else "unforeseen" if BORDER in words else "refused"), words
    except BaseException as error:  # whatever it is, a person would have seen a traceback
        return "defect", f"{type(error).__name__}: {error}"
    return "taken", ""


def _forget_peak() -> None:
    """Let the peak of resident memory begin anew. Source: proc(5), clear_refs."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak_kb() -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1])


if __name__ == "__main__":
    main(sys.argv[1])
