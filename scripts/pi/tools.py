"""The programs that emulation needs, and what to type where one is missing."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence

from edge.errors import SetupError

PACKAGES = {
    "cpio": "cpio",
    "mke2fs": "e2fsprogs",
    "mmdebstrap": "mmdebstrap",
    "qemu-aarch64-static": "qemu-user-static",
    "qemu-arm-static": "qemu-user-static",
    "qemu-system-aarch64": "qemu-system-arm",
}


def require(*programs: str) -> None:
    """Make sure that programs are there.

    Raises:
        SetupError: One is missing; the message has the line that installs all that are.
    """
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        packages = " ".join(sorted({PACKAGES[program] for program in missing}))
        raise SetupError(
            f"emulating a Pi needs {', '.join(missing)}, not found here; on Debian: sudo apt install --no-install-recommends {packages}"
        )


def run(words: Sequence[str], what: str) -> None:
    """Run a program that makes something.

    Raises:
        SetupError: It failed; the message has the last lines that it wrote.
    """
    done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        said = "; ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
        raise SetupError(f"{what}: {words[0]} failed with exit code {done.returncode} ({said})")
