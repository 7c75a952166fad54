"""Data sets are found by listing the folder `training/data`; nothing registers itself.

A file there is a data set if it assigns `DATASET`, as its text shows; the others carry the way to them.
"""

from __future__ import annotations

import ast
import difflib
import importlib
from pathlib import Path

import training.data
from edge.errors import ContractError, SetupError, UsageError
from training.data.dataset import DataSet

_CONSTANT = "DATASET"


def names() -> tuple[str, ...]:
    """Return the names of all data sets, sorted; no data set's file is imported for it."""
    paths = {path.stem: path for folder in training.data.__path__ for path in Path(folder).glob("[a-z]*.py")}
    return tuple(stem for stem, path in sorted(paths.items()) if assigns(path, _CONSTANT))


def find(name: str) -> DataSet:
    """Return the data set of that name.

    Raises:
        UsageError: There is none; the message lists what exists and the closest names.
        ContractError: Its file exposes something else, or a data set of another name.
        SetupError: Its file needs a package that is not installed, or is not valid Python.
    """
    known = names()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=2)
        hint = f" (did you mean {' or '.join(close)}?)" if close else ""
        raise UsageError(f"no data set is called {name!r}{hint}; there are: {', '.join(known)}")
    try:
        module = importlib.import_module(f"training.data.{name}")
    except ModuleNotFoundError as error:
        raise SetupError(f"{name}.py: needs {error.name}, which is not installed; install Tandem with the extra [train]") from None
    except SyntaxError as error:
        raise SetupError(f"{name}.py, line {error.lineno}: {error.msg}; correct the file") from None
    found = getattr(module, _CONSTANT, None)
    if not isinstance(found, DataSet):
        raise ContractError(f"{name}.py: DATASET is {type(found).__name__}, expected a DataSet")
    if found.name != name:
        raise ContractError(f"{name}.py: DATASET is named {found.name!r}, expected {name!r}")
    return found


def every() -> tuple[DataSet, ...]:
    """Return all data sets, by name.

    Raises:
        TandemError: The file of one is at fault; see `find`.
    """
    return tuple(find(name) for name in names())


def assigns(path: Path, constant: str) -> bool:
    """Tell whether a file assigns a constant; one that cannot be read as Python may, and whoever imports it says what is wrong."""
    try:
        body = ast.parse(path.read_text(encoding="utf-8")).body
    except (SyntaxError, ValueError):
        return True
    targets = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
    targets += [node.target for node in body if isinstance(node, ast.AnnAssign)]
    return any(isinstance(target, ast.Name) and target.id == constant for target in targets)
