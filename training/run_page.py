"""The page of a training: one HTML file with what was trained, on what, how it went and where it fails; no network needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jinja2

from edge.contract import Contract
from training import panels
from training.fit import Fitted
from training.tasks import Examined

NAME = "run.html"


def render(contract: Contract, fitted: Fitted, examined: Examined, record: Mapping[str, Any]) -> str:
    """Make the page.

    Args:
        contract: The trained model's, with what its answers taught.
        fitted: How training went.
        examined: What came of the answers.
        record: What `training.json` says.

    Returns:
        Self-contained HTML.
    """
    environment = jinja2.Environment(loader=jinja2.PackageLoader("training"), autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.get_template("run.html.j2").render(
        contract=contract,
        record=record,
        fitted=fitted,
        best=fitted.history[fitted.best_epoch - 1],
        last=fitted.history[-1],
        test=examined.figures["test"],
        curves=panels.curves(fitted, contract.metric.name),
        part=examined.TEMPLATE,
        **examined.page(contract),
    )
