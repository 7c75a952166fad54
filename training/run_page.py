"""The page of a training: one HTML file with what was trained, on what, how it went and where it fails; no network needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jinja2

from training import panels
from training.fit import Fitted
from training.recipe import Recipe
from training.tasks import Examined

NAME = "run.html"
_PAGE = ".html"  # of a recipe's own: it is linked to, and not shown in the page


def render(recipe: Recipe, fitted: Fitted, examined: Examined, record: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    """Make the page.

    Args:
        recipe: What was trained; its contract holds what the answers taught.
        fitted: How training went.
        examined: What came of the answers.
        record: What `training.json` says.
        pictures: The recipe's own, by file name.

    Returns:
        Self-contained HTML.
    """
    environment = jinja2.Environment(loader=jinja2.PackageLoader("training"), autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.get_template("run.html.j2").render(
        contract=recipe.contract,
        watched=recipe.objective.metric,
        pictures={name: panels.file(name, content) for name, content in pictures.items() if not name.endswith(_PAGE)},
        pages=[name for name in pictures if name.endswith(_PAGE)],
        record=record,
        fitted=fitted,
        best=fitted.history[fitted.best_epoch - 1],
        last=fitted.history[-1],
        test=examined.figures["test"],
        curves=panels.curves(fitted, recipe.objective.metric),
        part=examined.TEMPLATE,
        **examined.page(recipe.contract),
    )
