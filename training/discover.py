"""Recipes are found by listing the folder `training/models`; nothing registers itself.

Listing reads the files' text and imports none, so that it needs no framework. A file `mnist_cnn.py` exposes `RECIPE`,
whose contract is named `mnist_cnn`, and may expose `VARIANTS`, a tuple of recipes named `mnist_cnn_<variant>`; the
names are written as literals (`name="mnist_cnn_documents"`), since that is what listing reads.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import re
from pathlib import Path

import training.models
from edge.errors import ContractError, SetupError, UnknownModelError
from training.recipe import Recipe


def files() -> dict[str, Path]:
    """Return the model files by stem, sorted."""
    found = {path.stem: path for folder in training.models.__path__ for path in Path(folder).glob("[a-z]*.py")}
    return dict(sorted(found.items()))


def names() -> tuple[str, ...]:
    """Return the name of every recipe, each file's variants after it."""
    return tuple(name for stem, path in files().items() for name in _names_in(stem, path))


def file_of(name: str) -> Path:
    """Return the file that should hold a recipe: the one with its name, or with the longest beginning of it.

    Raises:
        UnknownModelError: There is no such file; the message lists what exists.
    """
    candidates = [path for stem, path in files().items() if re.fullmatch(rf"{stem}(_[a-z0-9]+)*", name)]
    if not candidates:
        raise _unknown(name)
    return max(candidates, key=lambda path: len(path.stem))


def find(name: str) -> Recipe:
    """Return the recipe of that name.

    Raises:
        UnknownModelError: There is none; the message lists what exists and the closest names.
        ContractError: The file exposes no recipe, or one of another name.
        SetupError: The file needs a package that is not installed, or is not valid Python.
    """
    path = file_of(name)
    for recipe in _recipes_in(path):
        if recipe.contract.name == name:
            return recipe
    raise _unknown(name)


def _recipes_in(path: Path) -> tuple[Recipe, ...]:
    try:
        module = importlib.import_module(f"training.models.{path.stem}")
    except ModuleNotFoundError as error:
        raise SetupError(f"{path.name}: needs {error.name}, which is not installed; install Tandem with the extra [train]") from None
    except SyntaxError as error:
        raise SetupError(f"{path.name}, line {error.lineno}: {error.msg}; correct the file") from None
    recipes = (getattr(module, "RECIPE", None), *getattr(module, "VARIANTS", ()))
    for number, recipe in enumerate(recipes):
        where = f"{path.name}: {f'VARIANTS[{number - 1}]' if number else 'RECIPE'}"
        if not isinstance(recipe, Recipe):
            raise ContractError(f"{where} is {type(recipe).__name__}, expected a Recipe")
        given, expected = recipe.contract.name, path.stem
        if given != expected if number == 0 else not given.startswith(f"{expected}_"):
            raise ContractError(f"{where} is named {given!r}, expected {expected!r}{' and _<variant>' if number else ''}")
    return tuple(recipe for recipe in recipes if isinstance(recipe, Recipe))


def _names_in(stem: str, path: Path) -> list[str]:
    """Read a file's recipe names from its text: its stem, and every literal `name="<stem>_…"`."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError):
        return [stem]  # a broken file is still listed; `find` says what is wrong with it
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    literals = (
        keyword.value.value
        for call in calls
        for keyword in call.keywords
        if keyword.arg == "name" and isinstance(keyword.value, ast.Constant)
    )
    return [stem, *sorted({text for text in literals if isinstance(text, str) and text.startswith(f"{stem}_")})]


def _unknown(name: str) -> UnknownModelError:
    known = names()
    close = difflib.get_close_matches(name, known, n=2)
    hint = f" (did you mean {' or '.join(close)}?)" if close else ""
    return UnknownModelError(f"no model is called {name!r}{hint}; there are: {', '.join(known)}")
