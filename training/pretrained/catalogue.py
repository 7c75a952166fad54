"""Pretrained sources are found by listing the folder `training/pretrained`; nothing registers itself."""

from __future__ import annotations

import importlib
from pathlib import Path

import training.pretrained
from edge.errors import ContractError
from training.data.catalogue import assigns
from training.pretrained import Pretrained

_CONSTANT = "SOURCE"


def names() -> tuple[str, ...]:
    """Return the names of all sources, sorted; no source's file is imported for it."""
    paths = {path.stem: path for folder in training.pretrained.__path__ for path in Path(folder).glob("[a-z]*.py")}
    return tuple(stem for stem, path in sorted(paths.items()) if assigns(path, _CONSTANT))


def find(name: str) -> Pretrained:
    """Return the source of a name of `names`.

    Raises:
        ContractError: Its file exposes something else, or a source of another name.
    """
    found = getattr(importlib.import_module(f"training.pretrained.{name}"), _CONSTANT, None)
    if not isinstance(found, Pretrained):
        raise ContractError(f"{name}.py: {_CONSTANT} is {type(found).__name__}, expected a Pretrained")
    if found.name != name:
        raise ContractError(f"{name}.py: {_CONSTANT} is named {found.name!r}, expected {name!r}")
    return found


def every() -> tuple[Pretrained, ...]:
    """Return all sources, by name; see `find`."""
    return tuple(find(name) for name in names())
