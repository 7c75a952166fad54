"""Bars as SVG, written by hand: small files that a browser and a code host show in light and in dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LABEL, VALUE, BAR, GAP, TOP = 760, 210, 90, 16, 6, 34
OURS, THEIRS = "#1f6feb", "#8b949e"
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#57606a}.t{font-size:14px;font-weight:600}"
    "@media(prefers-color-scheme:dark){text{fill:#adbac7}}"
)


@dataclass(frozen=True)
class Bar:
    """One bar, with its smallest and largest value over the rounds as a thin line."""

    label: str
    value: float
    low: float
    high: float
    ours: bool = False


def bars(title: str, unit: str, rows: Sequence[Bar]) -> str:
    """Draw horizontal bars, the longest first.

    Args:
        title: Stands above.
        unit: Stands behind each value.
        rows: At least one.
    """
    ordered = sorted(rows, key=lambda row: -row.value)
    longest = max((row.high for row in ordered), default=1.0) or 1.0
    scale = (WIDTH - LABEL - VALUE) / longest
    height = TOP + len(ordered) * (BAR + GAP) + GAP
    parts = [_text(8, 20, title, "t")]
    for i, row in enumerate(ordered):
        parts += _row(row, TOP + i * (BAR + GAP), scale, unit)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title, quote=True)}">'
    return "\n".join([head, f"<style>{STYLE}</style>", *parts, "</svg>", ""])


def _row(row: Bar, top: int, scale: float, unit: str) -> list[str]:
    middle = top + BAR / 2
    low, high = LABEL + row.low * scale, LABEL + row.high * scale
    colour = OURS if row.ours else THEIRS
    return [
        f'<text x="{LABEL - 8}" y="{top + 12}" text-anchor="end">{escape(row.label)}</text>',
        f'<rect x="{LABEL}" y="{top}" width="{max(row.value * scale, 1):.1f}" height="{BAR}" rx="2" fill="{colour}"/>',
        f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}" stroke="#d29922" stroke-width="2"/>',
        _text(high + 6, top + 12, f"{row.value:,.0f} {unit}"),
    ]


def _text(x: float, y: int, words: str, kind: str = "") -> str:
    marked = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y}"{marked}>{escape(words)}</text>'
