"""Which source files a training depends on, so that it is repeated when one of them changes and only then."""

from __future__ import annotations

import ast
import importlib.metadata
from collections.abc import Mapping
from pathlib import Path

import edge.contract
import edge.steps
from edge.storage import fingerprint

_ROOT = Path(__file__).parent
# What a model file imports tells its library: the adapters in `training/frameworks` and the distributions that decide the outcome.
_LIBRARIES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "torch": ("pytorch", ("torch",)),
    "keras": ("keras", ("keras", "tensorflow-cpu")),
    "sklearn": ("estimators", ("scikit-learn",)),
    "xgboost": ("estimators", ("scikit-learn", "xgboost-cpu")),
}


def of_model(path: Path) -> list[Path]:
    """Return the files of `training` that a model file's training runs: its own, the stage's, and all that they import.

    Other model files and other data sets do not count, so adding one leaves finished trainings valid.
    """
    found: set[Path] = set()
    adapters = [_ROOT / "frameworks" / f"{_LIBRARIES[name][0]}.py" for name in _libraries(path)]
    waiting = [path, _ROOT / "train.py", *adapters]
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
    packages = sorted({"numpy", *(package for name in _libraries(path) for package in _LIBRARIES[name][1])})
    versions = [f"{name}=={version(name)}" for name in packages]
    edge_sources = [Path(edge.contract.__file__), *(Path(folder) for folder in edge.steps.__path__)]
    return fingerprint([*of_model(path), *edge_sources], *versions, *extra)


def _libraries(path: Path) -> list[str]:
    """Return the names in `_LIBRARIES` that a model file imports."""
    return sorted({module.split(".")[0] for module in _modules(path)} & set(_LIBRARIES))


def _imports(file: Path) -> list[Path]:
    """Return the files of `training` that a file imports."""
    paths = [_ROOT.joinpath(*module.split(".")[1:]) for module in _modules(file) if module.split(".")[0] == _ROOT.name]
    candidates = [candidate for path in paths for candidate in (path.with_suffix(".py"), path / "__init__.py")]
    return [candidate for candidate in candidates if candidate.is_file()]


def _modules(file: Path) -> list[str]:
    """Return the modules that a file imports, and the names that it takes from them, which may be modules too."""
    modules: list[str] = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.append(node.module)
            modules.extend(f"{node.module}.{alias.name}" for alias in node.names)
    return modules


def version(name: str) -> str:
    """Return an installed distribution's version without importing it."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "none"
