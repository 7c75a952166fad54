"""Settings given by name, such as `learning_rate=1e-3 width=32`: those of the fit, and the arguments of the recipe's `build`.

What `build` and `load_data` both have an argument for, such as the folder of a pretrained model, goes to both.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

from edge.errors import UsageError
from training.recipe import FitSettings, Recipe

SHORT: Mapping[str, str] = {"lr": "learning_rate", "bs": "batch_size", "wd": "weight_decay"}
_WORDS: Mapping[str, Any] = {"true": True, "false": False, "none": None}


def assignment(text: str, option: str) -> tuple[str, str]:
    """Split `name=value`; a short name such as `lr` becomes the whole one.

    Raises:
        UsageError: It is none.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier() or not value:
        raise UsageError(f"{option} got {text!r}, expected NAME=VALUE, such as learning_rate=1e-3")
    return SHORT.get(name, name), value


def apply(recipe: Recipe, settings: Mapping[str, str]) -> Recipe:
    """Return the recipe with other settings.

    Args:
        recipe: What is changed.
        settings: Values as written, by name: a field of `FitSettings`, or an argument of `build` that has a default.

    Raises:
        UsageError: A name is neither, or a value cannot be used; the message lists the names that can be set.
    """
    own = {field.name for field in fields(FitSettings)}
    builds = arguments(recipe)
    for name in settings:
        if name not in own and name not in builds:
            known = ", ".join([*sorted(own), *(f"{one} (of build)" for one in builds)])
            raise UsageError(f"{recipe.contract.name} has no setting {name!r}; there are: {known}")
    fit = replace(recipe.fit, **{name: value(text) for name, text in settings.items() if name in own})
    chosen = {name: value(text) for name, text in settings.items() if name in builds}
    if not chosen:
        return replace(recipe, fit=fit)
    told = {name: one for name, one in chosen.items() if name in _parameters(recipe.load_data)}
    load_data = functools.partial(recipe.load_data, **told) if told else recipe.load_data
    return replace(recipe, fit=fit, build=functools.partial(recipe.build, **chosen), load_data=load_data)


def arguments(recipe: Recipe) -> dict[str, Any]:
    """Return the arguments of `build` that a user may set, with their defaults."""
    return {name: one.default for name, one in _parameters(recipe.build).items() if one.default is not one.empty}


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # a callable without a signature takes none
        return {}


def value(text: str) -> Any:
    """Read a value as written: a whole number, a number, true, false, none, else the text itself."""
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
