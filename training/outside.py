"""Model files outside this package: the user's own code, run as it stands, whose faults are told with file and line.

While such a file is loaded, its folder stands last on `sys.path`, so that it may import its neighbours at its top; installed
packages go first. Afterwards the folder is taken off again: an import inside a function, later, does not find them.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from edge.errors import SetupError, TandemError

PREFIX = "tandem_recipe_"  # no path in it: a module's name stands in the programs that are exported from it


def load(path: Path) -> ModuleType:
    """Run a file as a module of its own.

    Raises:
        SetupError: It is not valid Python, needs what is not installed, or fails; the message names file and line.
        TandemError: As one of ours was raised in it, with file and line.
    """
    path = path.resolve()
    name = f"{PREFIX}{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SetupError(f"{path}: cannot be loaded as Python; expected a file that ends in .py")
    module = importlib.util.module_from_spec(spec)
    _forget()
    sys.modules[name] = module
    with _neighbours(path.parent):
        try:
            spec.loader.exec_module(module)
        except TandemError as error:
            raise type(error)(f"{_place(error, path)}: {error}") from None
        except SyntaxError as error:
            raise SetupError(f"{Path(error.filename or path).name}, line {error.lineno or 1}: {error.msg}; correct the file") from None
        except ModuleNotFoundError as error:
            raise SetupError(
                f"{_place(error, path)}: needs {error.name}, which is neither installed nor beside it; install it, or correct the import"
            ) from None
        except (Exception, SystemExit) as error:  # the border: this is not our code, and anything may be wrong with it
            raise SetupError(f"{_place(error, path)}: {_said(error)}; correct the file") from None
    return module


@contextmanager
def faults_told(path: Path) -> Iterator[None]:
    """Tell what fails later in a file from elsewhere, in its data, its model or its loss, as what fails while it is loaded.

    Raises:
        SetupError: An error went through the file or a neighbour of it; the message names the last line there.
    """
    try:
        yield
    except (TandemError, MemoryError):
        raise
    except Exception as error:  # the same border; what did not go through the user's files is a fault of ours
        place = _line(error, path.resolve())
        if place is None or os.environ.get("TANDEM_DEBUG"):
            raise
        raise SetupError(f"{place}: {_said(error)}; correct the file, or set TANDEM_DEBUG=1 to see how it came there") from None


def _said(error: BaseException) -> str:
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}{first and ': ' + first}"


@contextmanager
def _neighbours(folder: Path) -> Iterator[None]:
    """Let imports find the modules in a folder; nothing is written beside them."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.path.append(str(folder))
    importlib.invalidate_caches()
    known = set(sys.modules)
    try:
        yield
    finally:
        sys.dont_write_bytecode = before
        sys.path.remove(str(folder))
        _LOADED.update(name for name in set(sys.modules) - known if name.split(".")[0] not in known and _is_below(name, folder))


def _is_below(name: str, folder: Path) -> bool:
    """Tell whether a module's file is in a folder, and not in an environment with installed packages that lies there too."""
    file = getattr(sys.modules[name], "__file__", None)
    return file is not None and folder in Path(file).parents and "site-packages" not in Path(file).relative_to(folder).parts


_LOADED: set[str] = set()  # neighbours of the file loaded last


def _forget() -> None:
    """Drop the neighbours of another file, which may have the names of this one's."""
    for name in _LOADED:
        sys.modules.pop(name, None)
    _LOADED.clear()


def _place(error: BaseException, path: Path) -> str:
    """Name the last line of the user's files that an error went through, else the file."""
    return _line(error, path) or path.name


def _line(error: BaseException, path: Path) -> str | None:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).parent == path.parent]
    return f"{Path(own[-1].filename).name}, line {own[-1].lineno}" if own else None
