"""Pictures of a run's page, as text that stands inside the page: drawings as SVG in the page's own colours, samples as PNG."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable

import matplotlib as mpl
import numpy as np
from matplotlib import image
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training import plots
from training.calibration import Calibration
from training.fit import Fitted
from training.recipe import Array

_LARGE = 96  # pixels of the longer side of a sample that is shown
_PAGE_BLUE = "rgb(var(--hit))"  # lighter on a dark page


def curves(fitted: Fitted, metric: str) -> dict[str, str]:
    """Draw loss and metric by epoch, one drawing each, so that a narrow screen can stack them.

    Returns:
        `loss` and `metric`, each an `<svg>` element.
    """

    def curve(name: str, part: str) -> Callable[[Figure], None]:
        return lambda figure: plots.draw_curve(_axes(figure), name, fitted, part)

    return {"loss": _svg("loss", curve("loss", "loss"), 3.2), "metric": _svg("metric", curve(metric, "metric"), 3.2)}


def reliabilities(calibration: Calibration) -> dict[str, str]:
    """Draw the reliability on the test split without and with the temperature.

    Returns:
        `before` and `after`, each an `<svg>` element.
    """

    def reliability(name: str, part: str) -> Callable[[Figure], None]:
        measured = getattr(calibration, part)["test"]
        return lambda figure: plots.draw_reliability(figure.subplots(2, 1, sharex=True, height_ratios=(3, 1)), name, measured)

    return {
        "before": _svg("before", reliability("as trained", "before"), 4.2),
        "after": _svg("after", reliability(f"temperature {calibration.temperature:g}", "after"), 4.2),
    }


def values(targets: Array, outputs: Array) -> str:
    """Draw values (N, …) that came against those that were right, as an `<svg>` element."""
    return _svg("values", lambda figure: plots.draw_values(_axes(figure), targets, outputs), 4.2)


def sample(row: Array) -> str | None:
    """Show one input that is a picture as a `data:` address; None where it is not.

    Args:
        row: (H, W, 1) or (H, W, 3) uint8; a large one is thinned out.
    """
    if row.dtype != np.uint8 or row.ndim != 3 or row.shape[2] not in (1, 3) or min(row.shape) == 0:
        return None
    step = max(1, -(-max(row.shape[:2]) // _LARGE))
    pixels = np.repeat(row[::step, ::step], 3 // row.shape[2], axis=2)
    buffer = io.BytesIO()
    image.imsave(buffer, np.ascontiguousarray(pixels), format="png")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def file(name: str, content: bytes) -> str:
    """Give a picture's file, PNG, GIF or SVG by its name, as a `data:` address."""
    kind = name.rsplit(".", 1)[-1].replace("svg", "svg+xml")
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _axes(figure: Figure) -> Axes:
    axes: Axes = figure.subplots()
    return axes


def _svg(salt: str, draw: Callable[[Figure], None], height: float) -> str:
    """Draw into an `<svg>` without background whose ink is the page's; `salt` keeps the names inside it its own."""
    with mpl.rc_context({"text.parse_math": False, "svg.fonttype": "none", "svg.hashsalt": salt}):
        figure = Figure(figsize=(5.2, height), layout="constrained")
        draw(figure)
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Type": None, "Format": None})
    drawing = text.getvalue()
    drawing = re.sub(r"<metadata>.*?</metadata>", "", drawing[drawing.index("<svg") :], flags=re.DOTALL)
    drawing = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", drawing, count=1), count=1)
    drawing = re.sub(r"#2f3437|#000000", "currentColor", drawing).replace("#0b6e99", _PAGE_BLUE)
    return re.sub(r'\bid="(?!p[0-9a-f]{10}|m[0-9a-f]{10})', f'id="{salt}_', drawing)
