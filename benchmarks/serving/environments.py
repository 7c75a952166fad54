"""An environment for each peer under `.venv-bench/`, installed with pip from its pinned requirements when it is first needed.

Nothing is resolved anew: every requirement, the indirect ones too, is pinned, and pip installs exactly those (`--no-deps`).
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".venv-bench"
PEERS = Path(__file__).resolve().parent / "peers"
INSTALL_S = 900
RUNTIME = {"cpu": ("onnxruntime==1.31.1",), "cuda": ("onnxruntime-gpu==1.31.1",)}
CUDA_LIBRARIES = ("onnxruntime-gpu[cuda,cudnn]==1.31.1",)


class NotInstalledError(Exception):
    """A peer's environment could not be made; the message is pip's last line."""


def python_of(name: str, device: str) -> Path:
    """Give the interpreter of a peer's environment, which is installed where it is missing or its pins have changed.

    Args:
        name: The peer; `peers/<name>.txt` holds its pins.
        device: `cpu` or `cuda`, which have a build of onnxruntime each.

    Raises:
        NotInstalledError: pip failed.
    """
    pins = PEERS / f"{name}.txt"
    folder = HOME / (name if device == "cpu" else f"{name}-{device}")
    stamp, wanted = folder / ".installed", pins.read_text(encoding="utf-8") + "".join(RUNTIME[device])
    python = folder / "bin" / "python"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    print(f"installing {name} into {folder.relative_to(ROOT)}", file=sys.stderr, flush=True)
    venv.EnvBuilder(clear=True, with_pip=True, symlinks=True).create(folder)
    _pip(python, "--no-deps", "-r", str(pins), *RUNTIME[device])
    if device == "cuda":
        _pip(python, *CUDA_LIBRARIES)
    stamp.write_text(wanted, encoding="utf-8")
    return python


def _pip(python: Path, *arguments: str) -> None:
    """Run pip in an environment.

    Raises:
        NotInstalledError: It failed, or took too long.
    """
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "-qq", "--no-input", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    except subprocess.TimeoutExpired:
        raise NotInstalledError(f"pip did not finish in {INSTALL_S} s") from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        raise NotInstalledError(said[-1] if said else f"pip ended with {done.returncode}")
