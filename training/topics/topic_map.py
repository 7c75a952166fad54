"""A map of topics: every text a point, near what means nearly the same; as a picture, and as a page that can be zoomed and asked."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.recipe import Array

LONGEST = 240  # characters of a text that the page shows
_PALETTE = "tab20"
_SHOWN = 14  # topics that the picture names


@dataclass(frozen=True)
class Mapped:
    """What a map shows.

    Attributes:
        title: Of what it is.
        texts: N texts.
        where: (N, 2), their places.
        labels: (N,) int64, their topics, -1 for none.
        names: Of the topics.
    """

    title: str
    texts: Sequence[str]
    where: Array
    labels: Array
    names: Sequence[str]


def picture(shown: Mapped) -> bytes:
    """Draw the map as PNG: topics in colours, their numbers in their middle, the largest named beside it; what has none in grey."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"text.parse_math": False}):
        figure = Figure(figsize=(10.5, 6.5), dpi=100, layout="constrained")
        axes = figure.subplots()
        rest = shown.labels < 0
        axes.scatter(shown.where[rest, 0], shown.where[rest, 1], s=4, c="#c9ccd1", linewidths=0)
        for topic, name in enumerate(shown.names):
            own = shown.where[shown.labels == topic]
            label = f"{topic + 1}  {_drawable(name)} ({len(own):,})" if topic < _SHOWN else None
            axes.scatter(own[:, 0], own[:, 1], s=7, color=_colour(topic), linewidths=0, label=label)
            middle = np.median(own, axis=0)
            badge = {"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.75}
            axes.annotate(str(topic + 1), middle, fontsize=9, ha="center", va="center", color="#2f3437", bbox=badge)
        axes.set_title(f"{shown.title}: {len(shown.names)} topics, {float(rest.mean()):.0%} of {len(rest):,} texts in none", fontsize=11)
        axes.set_axis_off()
        figure.legend(loc="outside right upper", frameon=False, fontsize=9, markerscale=2.5)
        buffer = io.BytesIO()
        figure.savefig(buffer, metadata={"Software": None})
    return buffer.getvalue()


def page(shown: Mapped) -> bytes:
    """Write the map as one HTML file that needs no network: drag and zoom, point at a text to read it, click a topic, look for a word."""
    import jinja2

    environment = jinja2.Environment(loader=jinja2.PackageLoader("training"), autoescape=True, undefined=jinja2.StrictUndefined)
    counts = np.bincount(shown.labels[shown.labels >= 0], minlength=len(shown.names))
    low, high = shown.where.min(axis=0), shown.where.max(axis=0)
    unit = (shown.where - low) / max(float((high - low).max()), 1e-12)
    told = {
        "texts": [_short(text) for text in shown.texts],
        "x": [round(float(value), 4) for value in unit[:, 0]],
        "y": [round(float(value), 4) for value in unit[:, 1]],
        "topic": shown.labels.tolist(),
        "topics": [{"name": name, "count": int(count)} for name, count in zip(shown.names, counts, strict=True)],
        "colours": [_hex(topic) for topic in range(len(shown.names))],
    }
    return environment.get_template("topic_map.html.j2").render(title=shown.title, data=_inside_script(told)).encode()


def _inside_script(told: dict[str, Any]) -> str:
    """Write JSON that no text in it can end the script with."""
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c").replace("\u2028", " ").replace("\u2029", " ")


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 1] + "…"


def _colour(topic: int) -> Any:
    from matplotlib import colormaps

    return colormaps[_PALETTE]((2 * topic + topic // 10) % 20)  # the ten strong colours first


def _hex(topic: int) -> str:
    from matplotlib.colors import to_hex

    return to_hex(_colour(topic))


def _drawable(name: str) -> str:
    """Return a name that the picture's font can show; another script's is left to the page, where the browser has fonts."""
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    return name if all(ord(sign) < 0x2000 for sign in name) else ""
