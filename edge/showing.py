"""Answers as people see them: one line for a terminal, a small table or the picture itself for a notebook."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from typing import Any, Optional

import numpy as np

from edge import png
from edge.steps.boxes import Box
from edge.steps.scores import Ranked

Array = np.ndarray[Any, Any]
SHOWN, SMALL = 5, 8  # rows of a list that a line repeats; values of an array that are written out


def line(kind: str, result: Any) -> str:
    """Say an answer in a few words; `kind` is that of the prediction."""
    if kind == "ranking" and result:
        return f"label={result[0].label!r}, score={result[0].score:.4f}"
    if kind == "boxes":
        found = [f"{item.label} {item.score:.2f}" for item in result.items[:SHOWN]]
        return f"boxes={len(result.items)}: {', '.join(found)}{', …' if len(result.items) > SHOWN else ''}".rstrip(": ")
    if kind == "picture":
        return f"image={result.shape[1]}×{result.shape[0]}"
    if isinstance(result, np.ndarray) and result.size > SMALL:
        return f"result={result.dtype} {result.shape}, {result.min():.4g} to {result.max():.4g}"
    return f"result={result.tolist() if isinstance(result, np.ndarray) else result!r}"


def ranking(items: Sequence[Ranked]) -> str:
    """Make a table of classes, a bar behind each score that is a share."""
    rows = []
    for item in items:
        share = 100 * min(max(item.score, 0.0), 1.0)
        bar = f"background:linear-gradient(90deg,#8ab4f866 {share:.1f}%,transparent {share:.1f}%)"
        rows.append(f'<tr><td>{escape(item.label)}</td><td style="min-width:10em;text-align:right;{bar}">{item.score:.4f}</td></tr>')
    return f"<table><tr><th>label</th><th>score</th></tr>{''.join(rows)}</table>"


def boxes(items: Sequence[Box], image: Optional[Array] = None) -> str:
    """Make a table of what was found where, below its picture."""
    rows = []
    for item in items:
        place = ", ".join(f"{corner:.0f}" for corner in item.box)
        rows.append(f"<tr><td>{escape(item.label)}</td><td>{item.score:.4f}</td><td>{place}</td></tr>")
    head = "<tr><th>label</th><th>score</th><th>left, top, right, bottom</th></tr>"
    return f"{'' if image is None else picture(image)}<table>{head}{''.join(rows)}</table>"


def picture(pixels: Array) -> str:
    """Put a picture into the page; small ones are shown larger, pixel by pixel."""
    content = base64.b64encode(png.encode(pixels)).decode("ascii")
    height, width = pixels.shape[:2]
    times = max(1, 160 // max(height, width))
    size = f'width="{width * times}" height="{height * times}" style="image-rendering:{"pixelated" if times > 1 else "auto"}"'
    return f'<img alt="picture of {width}×{height}" {size} src="data:{png.MEDIA_TYPE};base64,{content}">'
