"""Recipes are found by listing folders, `training/models` and those of `TANDEM_RECIPES`, or by path; nothing registers itself.

Listing reads the files' text and imports none, so that it needs no framework. A file `mnist_cnn.py` exposes `RECIPE`,
whose contract is named `mnist_cnn`, and may expose `VARIANTS`, a tuple of recipes named `mnist_cnn_<variant>`; the
names are written as literals (`name="mnist_cnn_documents"`, or anywhere in `VARIANTS`), since that is what listing reads.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import os
import re
from pathlib import Path

import training.models
from edge.errors import ContractError, SetupError, UnknownModelError, UsageError
from training.outside import load
from training.recipe import Recipe

FOLDERS_VARIABLE = "TANDEM_RECIPES"
_NAME = r"[a-z][a-z0-9]*(_[a-z0-9]+)*"
_PATH = re.compile(rf"(?P<path>.+\.py)(:(?P<name>{_NAME}))?", re.DOTALL)


def folders() -> tuple[Path, ...]:
    """Return the folders of `TANDEM_RECIPES`, which are parted by colons as in PATH.

    Raises:
        UsageError: One of them is no folder.
    """
    named = [Path(word).expanduser() for word in os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep) if word]
    for folder in named:
        if not folder.is_dir():
            raise UsageError(
                f"{FOLDERS_VARIABLE} names {folder}, expected folders with recipes, parted by '{os.pathsep}'; correct or unset it"
            )
    return tuple(dict.fromkeys(folder.resolve() for folder in named))


def files() -> dict[str, Path]:
    """Return the model files by stem, sorted: all of `training/models`, and those of other folders that assign `RECIPE`.

    Raises:
        UsageError: Two files have one name, or a folder is none.
    """
    found = {path.stem: path for folder in training.models.__path__ for path in Path(folder).glob("[a-z]*.py")}
    for path in (path for folder in folders() for path in sorted(folder.glob("[a-z]*.py")) if _exposes(path)):
        other = found.setdefault(path.stem, path)
        if not other.samefile(path):
            raise UsageError(
                f"two files are called {path.stem!r}, {other} and {path}; rename one, or take its folder out of {FOLDERS_VARIABLE}"
            )
    return dict(sorted(found.items()))


def names() -> tuple[str, ...]:
    """Return the name of every recipe, each file's variants after it."""
    return tuple(name for stem, path in files().items() for name in _names_in(stem, path))


def name_of(model: str) -> str:
    """Return the name of a recipe that is asked for by name or by file.

    Args:
        model: `mnist_cnn`, or the path of a file, `./my_model.py`, with `:my_model_small` where a variant is meant.
            Whatever holds a slash or ends in `.py` is a path.
    """
    asked = _as_path(model)
    return model if asked is None else asked[1]


def file_of(model: str) -> Path:
    """Return the file that should hold a recipe: the one at its path, with its name, or with the longest beginning of it.

    Raises:
        UnknownModelError: There is no such file; the message lists what exists.
        ContractError: No model can have the file's name.
        UsageError: Two files have one name.
    """
    asked = _as_path(model)
    if asked is not None:
        return _existing(asked[0])
    candidates = [path for stem, path in files().items() if re.fullmatch(rf"{re.escape(stem)}(_[a-z0-9]+)*", model)]
    if not candidates:
        raise _unknown(model)
    return max(candidates, key=lambda path: len(path.stem))


def find(model: str) -> Recipe:
    """Return the recipe of that name, or of that file.

    A file from elsewhere is run as it stands: whoever names it trusts it.

    Raises:
        UnknownModelError: There is none; the message lists what exists and the closest names.
        ContractError: The file exposes no recipe, or one of another name.
        SetupError: The file needs a package that is not installed, is not valid Python, or fails; the message names the line.
    """
    path, name = file_of(model), name_of(model)
    recipes = _recipes_in(path)
    for recipe in recipes:
        if recipe.contract.name == name:
            return recipe
    if _as_path(model) is None:
        raise _unknown(name)
    raise UnknownModelError(f"{path}: holds no recipe {name!r}; it holds {', '.join(recipe.contract.name for recipe in recipes)}")


def _as_path(model: str) -> tuple[Path, str] | None:
    """Take a path and the name that is meant out of a word; None where the word is a name."""
    match = _PATH.fullmatch(model)
    if match is not None:
        path = Path(match["path"]).expanduser()
        return path, match["name"] or path.stem
    return (Path(model).expanduser(), Path(model).stem) if "/" in model else None


def _existing(path: Path) -> Path:
    if not path.is_file():
        near = path.with_suffix(".py")
        hint = f"did you mean {near}?" if near != path and near.is_file() else "give the path of a model's file, such as ./my_model.py"
        raise UnknownModelError(f"{path}: {'is a folder' if path.is_dir() else 'there is no such file'}; {hint}")
    if not re.fullmatch(_NAME, path.stem):
        raise ContractError(f"{path}: no model can be called {path.stem!r}; expected lower-case words joined by '_', such as my_model.py")
    return path


def _recipes_in(path: Path) -> tuple[Recipe, ...]:
    module = _imported(path) if is_ours(path) else load(path)
    recipes = (getattr(module, "RECIPE", None), *getattr(module, "VARIANTS", ()))
    for number, recipe in enumerate(recipes):
        where = f"{path.name}: {f'VARIANTS[{number - 1}]' if number else 'RECIPE'}"
        if not isinstance(recipe, Recipe):
            raise ContractError(f"{where} is {type(recipe).__name__}, expected a Recipe")
        given, expected = recipe.contract.name, path.stem
        if given != expected if number == 0 else not given.startswith(f"{expected}_"):
            raise ContractError(f"{where} is named {given!r}, expected {expected!r}{' and _<variant>' if number else ''}")
    return tuple(recipe for recipe in recipes if isinstance(recipe, Recipe))


def is_ours(path: Path) -> bool:
    """Tell whether a file is a module of `training.models`."""
    return any(path.parent.resolve() == Path(folder).resolve() for folder in training.models.__path__)


def _imported(path: Path) -> object:
    try:
        return importlib.import_module(f"training.models.{path.stem}")
    except ModuleNotFoundError as error:
        raise SetupError(f"{path.name}: needs {error.name}, which is not installed; install Tandem with the extra [train]") from None
    except SyntaxError as error:
        raise SetupError(f"{path.name}, line {error.lineno}: {error.msg}; correct the file") from None


def _exposes(path: Path) -> bool:
    """Tell whether a file assigns `RECIPE`; a file that cannot be read as Python may, and `find` says what is wrong."""
    try:
        body = ast.parse(path.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return True
    targets = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
    targets += [node.target for node in body if isinstance(node, ast.AnnAssign)]
    return any(isinstance(target, ast.Name) and target.id == "RECIPE" for target in targets)


def _names_in(stem: str, path: Path) -> list[str]:
    """Read a file's recipe names from its text: its stem, and every name `<stem>_…` that a `name=` or `VARIANTS` gives as a literal."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return [stem]  # a broken file is still listed; `find` says what is wrong with it
    given: list[ast.AST] = [
        keyword.value for node in ast.walk(tree) if isinstance(node, ast.Call) for keyword in node.keywords if keyword.arg == "name"
    ]
    given += [node for value in _assigned(tree, "VARIANTS") for node in ast.walk(value)]
    texts = {node.value for node in given if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return [stem, *sorted(text for text in texts if text.startswith(f"{stem}_") and re.fullmatch(_NAME, text))]


def _assigned(tree: ast.Module, name: str) -> list[ast.expr]:
    """Return what is assigned to a name at the top of a file."""
    found: list[ast.expr] = []
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            found += [node.value for target in targets if isinstance(target, ast.Name) and target.id == name]
    return found


def _unknown(name: str) -> UnknownModelError:
    known = names()
    close = difflib.get_close_matches(name, known, n=2)
    hint = f" (did you mean {' or '.join(close)}?)" if close else ""
    return UnknownModelError(f"no model is called {name!r}{hint}; there are: {', '.join(known)}")
