"""What `tandem tune` found best on this device, remembered for the next opening that asks for it.

A choice holds for one bundle, the installed runtimes with their versions, this edge and this processor; any other of them asks
for another tuning. It only says which of the released files to take: they are verified and replayed as always.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Optional

from edge import __version__, cpu, runtimes
from edge.bundle import Bundle
from edge.errors import SetupError, UsageError
from edge.storage import write_atomic

VARIABLE = "TANDEM_TUNED"
MAX_BYTES = 16 << 10


@dataclass(frozen=True)
class Choice:
    """What to run, and what it took when it was measured."""

    file: str
    runtime: str
    threads: int
    p50_ms: float


def place() -> Optional[Path]:
    """Give the folder of choices: TANDEM_TUNED, else below XDG_CACHE_HOME or ~/.cache; None where the user has no home."""
    named = os.environ.get(VARIABLE, "")
    if named:
        return Path(named).expanduser()
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tandem" / "tuned"
    except RuntimeError:  # no HOME, and no entry for the user
        return None


def path_of(bundle: Bundle) -> Optional[Path]:
    """Give the file in which the choice for a bundle is kept on this device; None where there is no place for it."""
    folder = place()
    processor = cpu.read()
    facts = {
        "edge": __version__,
        "bundle": dict(bundle.sums),
        "runtimes": runtimes.installed(),
        "machine": [sys.platform, processor.architecture, processor.board, processor.model, processor.usable, *processor.features],
    }
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]
    return None if folder is None else folder / f"{bundle.contract.name}-{bundle.contract.version}-{key}.json"


def remember(bundle: Bundle, choice: Choice) -> Path:
    """Keep a choice; give the file in which it is kept.

    Raises:
        SetupError: There is no place that can be written.
    """
    path = path_of(bundle)
    if path is None:
        raise SetupError(f"the choice cannot be remembered: this user has no home; set {VARIABLE} to a folder")
    write_atomic(path, (json.dumps(asdict(choice), indent=2) + "\n").encode())
    return path


def forget(bundle: Bundle) -> bool:
    """Let a choice go; tell whether there was one.

    Raises:
        SetupError: It is there and cannot be removed.
    """
    path = path_of(bundle)
    if path is None or not path.exists():
        return False
    try:
        path.unlink()
    except OSError as error:
        raise SetupError(f"{path}: cannot be removed ({error.strerror}); mend its rights") from None
    return True


def recall(bundle: Bundle) -> Optional[Choice]:
    """Read the choice for a bundle; None where there is none, or it is damaged, or does not fit what is released and installed."""
    path = path_of(bundle)
    if path is None:
        return None
    with contextlib.suppress(OSError, ValueError, TypeError, RecursionError):
        if path.stat().st_size > MAX_BYTES:
            return None
        choice = Choice(**json.loads(path.read_text(encoding="utf-8")))
        released = {v.file: v.passed for v in bundle.variants}
        usual = type(choice.threads) is int and 1 <= choice.threads <= runtimes.MOST_THREADS
        fits = usual and choice.runtime in released.get(choice.file, ())
        return choice if fits else None
    return None


def as_tuned(bundle: Bundle, variant: Optional[str], runtime: Optional[str], threads: int) -> tuple[Optional[str], Optional[str], int]:
    """Give file, runtime and threads as they were tuned; where nothing is remembered, a warning is logged and the usual choice stays.

    Raises:
        UsageError: A file or a runtime is asked for as well.
    """
    if variant or runtime:
        raise UsageError("a tuned model brings its own file and runtime; leave out variant and runtime, or tuned")
    choice = recall(bundle)
    if choice is None:
        logging.getLogger(__name__).warning(
            "%s %s has not been tuned on this device as it is now; run 'tandem tune %s' (the usual file is taken)",
            *(bundle.contract.name, bundle.contract.version, bundle.folder),
        )
        return variant, runtime, threads
    return choice.file, choice.runtime, choice.threads
