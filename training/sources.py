"""Which source files a training depends on, so that it is repeated when one of them changes and only then."""

from __future__ import annotations

import ast
import importlib.metadata
from pathlib import Path

import edge.contract
import edge.steps
from edge.storage import fingerprint

_ROOT = Path(__file__).parent


def of_model(path: Path) -> list[Path]:
    """Return the files of `training` that a model file's training runs: its own, the stage's, and all that they import.

    Other model files and other data sets do not count, so adding one leaves finished trainings valid.
    """
    found: set[Path] = set()
    waiting = [path, _ROOT / "train.py"]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting.extend(_imports(file))
    return sorted(found)


def training_fingerprint(path: Path, *extra: str) -> str:
    """Return one hash over everything that decides the outcome of training the model in `path`.

    Args:
        path: The model's file.
        extra: Further words: settings from the command line, the hash of the data.
    """
    versions = [f"{name}=={_version(name)}" for name in ("torch", "numpy")]
    edge_sources = [Path(edge.contract.__file__), *(Path(folder) for folder in edge.steps.__path__)]
    return fingerprint([*of_model(path), *edge_sources], *versions, *extra)


def _imports(file: Path) -> list[Path]:
    """Return the files of `training` that a file imports."""
    modules: list[str] = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.append(node.module)
            modules.extend(f"{node.module}.{alias.name}" for alias in node.names)
    paths = [_ROOT.joinpath(*module.split(".")[1:]) for module in modules if module.split(".")[0] == _ROOT.name]
    candidates = [candidate for path in paths for candidate in (path.with_suffix(".py"), path / "__init__.py")]
    return [candidate for candidate in candidates if candidate.is_file()]


def _version(name: str) -> str:
    """Return an installed distribution's version without importing it."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "none"
