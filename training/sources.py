"""Which source files a training depends on, so that it is repeated when one of them changes and only then."""

from __future__ import annotations

import ast
import importlib.metadata
from collections.abc import Callable, Mapping
from pathlib import Path

import edge.contract
import edge.steps
from edge.storage import fingerprint

_ROOT = Path(__file__).parent
# What a model file imports tells its library: the adapters in `training/frameworks` and the distributions that decide the outcome.
_LIBRARIES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "torch": ("pytorch", ("torch",)),
    "keras": ("keras", ("keras", "tensorflow-cpu")),
    "sklearn": ("estimators", ("scikit-learn", "skops")),
    "xgboost": ("estimators", ("scikit-learn", "skops", "xgboost-cpu")),
}
_GIVEN = "ai-edge-litert"  # which answers for published files


def of_model(path: Path) -> list[Path]:
    """Return the files of `training` that a model file's training runs: its own, the stage's, and all that they import.

    A model file outside this package also brings its neighbours: the modules in its folder that it imports. Other model
    files and other data sets do not count, so adding one leaves finished trainings valid.
    """
    adapters = [_ROOT / "frameworks" / f"{_LIBRARIES[name][0]}.py" for name in _libraries(path)]
    own = _own(path)
    stage = _closure([*own, _ROOT / "train.py", *adapters], _imports)
    return [*own, *sorted(stage - set(own))]  # the user's first, so that the order does not depend on where they lie


def training_fingerprint(path: Path, *extra: str) -> str:
    """Return one hash over everything that decides the outcome of training the model in `path`.

    Args:
        path: The model's file.
        extra: Further words: settings from the command line, the hash of the data.
    """
    sources = of_model(path)
    packages = {"numpy", *(package for name in _libraries(path) for package in _LIBRARIES[name][1])}
    packages |= {_GIVEN} if _ROOT / "frameworks" / "given.py" in sources else set()
    versions = [f"{name}=={version(name)}" for name in sorted(packages)]
    edge_sources = [Path(edge.contract.__file__), *(Path(folder) for folder in edge.steps.__path__)]
    return fingerprint([*sources, *edge_sources], *versions, *extra)


def _libraries(path: Path) -> list[str]:
    """Return the names in `_LIBRARIES` that a model file imports, itself or through its neighbours."""
    return sorted({module.split(".")[0] for file in _own(path) for module in _modules(file)} & set(_LIBRARIES))


def _own(path: Path) -> list[Path]:
    """Return a model file and, where it lies outside this package, the modules in its folder that it imports."""
    path = path.resolve()
    if _ROOT.resolve() in path.parents:
        return [path]
    return sorted(_closure([path], lambda file: _neighbours(file, path.parent)))


def _closure(start: list[Path], following: Callable[[Path], list[Path]]) -> set[Path]:
    found: set[Path] = set()
    waiting = list(start)
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting.extend(following(file))
    return found


def _neighbours(file: Path, folder: Path) -> list[Path]:
    """Return the files below a folder that a file there imports; the parents of a module within a package run too."""
    places = [folder.joinpath(*words[:end]) for words in (m.split(".") for m in _modules(file)) for end in range(1, len(words) + 1)]
    places += [file.parent.joinpath(*module.split(".")) for module in _modules(file, relative=True)]
    return [candidate for place in places for candidate in (place.with_suffix(".py"), place / "__init__.py") if candidate.is_file()]


def _imports(file: Path) -> list[Path]:
    """Return the files of `training` that a file imports."""
    paths = [_ROOT.joinpath(*module.split(".")[1:]) for module in _modules(file) if module.split(".")[0] == _ROOT.name]
    candidates = [candidate for path in paths for candidate in (path.with_suffix(".py"), path / "__init__.py")]
    return [candidate for candidate in candidates if candidate.is_file()]


def _modules(file: Path, relative: bool = False) -> list[str]:
    """Return the modules that a file imports, and the names that it takes from them, which may be modules too.

    Args:
        file: A Python file; one that cannot be read as Python imports nothing, and whoever loads it says what is wrong.
        relative: Give those that are named from the file's own package (`from .layers import Block`) instead.
    """
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return []
    modules: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and not relative:
            modules.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.level == 1 if relative else node.level == 0):
            begin = [node.module] if node.module else []
            modules.extend(begin)
            modules.extend(".".join([*begin, alias.name]) for alias in node.names)
    return modules


def version(name: str) -> str:
    """Return an installed distribution's version without importing it."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "none"
