"""Where systems and libraries are kept: named by what they are made from, so that one is made again only when that changed."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from training.data.cache import cache_folder, claim
from training.progress import say


def kept(kind: str, name: str, recipe: Mapping[str, Any], make: Callable[[Path], None]) -> Path:
    """Return the folder that a recipe makes, made now where it is not there yet.

    Args:
        kind: A group of such folders, such as `systems`.
        name: What the folder is called, before the mark of its recipe.
        recipe: All that decides on the content, as JSON takes it.
        make: Fills the empty folder that it is given.

    Raises:
        SetupError: The cache cannot be written, or `make` failed; then nothing is kept.
    """
    mark = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16]
    target = cache_folder().parent / "pi" / kind / f"{name}-{mark}"
    if target.is_dir():
        return target
    with claim(target) as work:
        if not target.is_dir():  # another process may have made it meanwhile
            say(f"{name}: making it, once; it is kept in {target.parent}")
            begun = time.monotonic()
            content = work / "content"
            content.mkdir()
            make(content)
            content.rename(target)
            size = sum(path.lstat().st_size for path in target.rglob("*"))
            say(f"{name}: made in {time.monotonic() - begun:.0f} s, {size / 1e6:.0f} MB")
    return target
