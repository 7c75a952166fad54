r"""Where a model's bare name is looked up: `Model.open("mnist_cnn")` finds its bundle without a path.

The places, in this order; the first that holds a model of the name wins, and of it the newest version is taken:

1. `bundles` in the working directory, where `tandem export` writes;
2. each folder that the environment variable TANDEM_BUNDLES names, separated as in PATH;
3. the user's own data: `~/.local/share/tandem/bundles` on Linux (or below XDG_DATA_HOME), `~/Library/Application Support/tandem/bundles`
   on macOS, `%LOCALAPPDATA%\tandem\bundles` on Windows.

A folder of that name in the working directory that is itself a bundle, or holds versions, comes before all of them.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Optional, Union

VARIABLE = "TANDEM_BUNDLES"
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*(/(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*))?")


def is_name(path: Union[str, Path]) -> bool:
    """Tell whether this is a model's bare name, `mnist_cnn` or `mnist_cnn/1.0.0`; a `Path` never is."""
    return isinstance(path, str) and _NAME.fullmatch(path) is not None


def places() -> list[Path]:
    """Give the folders in which names are looked up, whether or not they exist."""
    named = [Path(part).expanduser() for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part]
    return [Path("bundles"), *named, *user_bundles()]


def user_bundles() -> list[Path]:
    """Give the folder of the user's own bundles; none where the user has no home."""
    try:
        home = Path.home()
    except RuntimeError:  # no HOME, and no entry for the user
        return []
    if sys.platform == "darwin":
        return [home / "Library" / "Application Support" / "tandem" / "bundles"]
    if sys.platform == "win32":
        return [Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "tandem" / "bundles"]
    return [Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "tandem" / "bundles"]


def find(name: str) -> Optional[Path]:
    """Look a bare name up; give the folder of the model, or of its version, or None where no place has it."""
    for place in places():
        found = place / name
        if found.is_dir():
            return found
    return None
