"""The picture of a steady run as SVG, drawn with nothing but the standard library: latency, temperature, throttling over time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Optional

from edge.sensors import BITS
from edge.steady import Window

WIDTH, LEFT, RIGHT = 900, 76, 24
_PANEL, _LANE, _TOP, _GAP = 190, 20, 84, 46
_INK, _FAINT = "#24292f", "#d8dee4"
_P50, _P95, _HEAT, _LANES = "#0969da", "#b6c9e8", "#cf222e", ("#9a6700", "#bc4c00", "#a40e26", "#8250df")
Points = list[tuple[float, float]]


def picture(windows: Sequence[Window], title: str, subtitle: str) -> str:
    """Draw a steady run.

    Args:
        windows: One or more, in the order of time.
        title: Model and file.
        subtitle: What ran it, and what the machine does not tell.

    Returns:
        SVG: latency above, temperature below it, and one lane for each thing that can hold a Raspberry Pi back.
    """
    end = windows[-1].at_s
    parts = [_text(LEFT, 26, title, size=17, weight="600"), _text(LEFT, 45, subtitle, size=12)]
    y = _TOP
    p50 = [(window.at_s, window.p50_ms) for window in windows]
    p95 = [(window.at_s, window.p95_ms) for window in windows]
    parts += _panel(y, end, "latency, ms", [("p95", _P95, p95), ("p50", _P50, p50)], "")
    y += _PANEL + _GAP
    heat = [(window.at_s, window.temperature_c) for window in windows if window.temperature_c is not None]
    parts += _panel(y, end, "temperature, °C", [("temperature", _HEAT, heat)] if heat else [], "this machine tells no temperature")
    y += _PANEL + _GAP
    parts += _lanes(y, end, windows)
    y += _LANE * len(BITS)
    parts += [_text(_x(at, end), y + 18, _seconds(at), anchor="middle") for at in ticks(0, end, 8)]
    parts.append(_text(LEFT + (WIDTH - LEFT - RIGHT) / 2, y + 38, "seconds since the beginning", anchor="middle"))
    height = y + 52
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">'
    body = "\n".join(parts)
    return f'{head}\n<title>{escape(title)}</title>\n<rect width="100%" height="100%" fill="#ffffff"/>\n{body}\n</svg>\n'


def ticks(low: float, high: float, most: int) -> list[float]:
    """Give round values from low to high, at most about `most` of them: steps of 1, 2 or 5 times a power of ten."""
    span = max(high - low, 1e-9)
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next((factor * power for factor in (1, 2, 5, 10) if span / (factor * power) <= most), 10 * power)
    first = math.ceil(low / step - 1e-9)
    return [round(number * step, 10) for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _panel(top: float, end: float, name: str, lines: list[tuple[str, str, Points]], absent: str) -> list[str]:
    """Draw one panel: frame, grid, lines and legend; or the words for what is absent."""
    frame = f'<rect x="{LEFT}" y="{top}" width="{WIDTH - LEFT - RIGHT}" height="{_PANEL}" fill="none" stroke="{_FAINT}"/>'
    parts = [frame, _text(LEFT, top - 8, name, weight="600")]
    if not lines:
        return [*parts, _text(WIDTH / 2, top + _PANEL / 2, absent, anchor="middle", size=14)]
    values = [value for _, _, points in lines for _, value in points]
    low, high = _range(min(values), max(values), from_zero=len(lines) > 1)
    for value in ticks(low, high, 5):
        at = _y(value, low, high, top)
        parts.append(f'<line x1="{LEFT}" y1="{at:.1f}" x2="{WIDTH - RIGHT}" y2="{at:.1f}" stroke="{_FAINT}"/>')
        parts.append(_text(LEFT - 8, at + 4, f"{value:g}", anchor="end"))
    for number, (label, colour, points) in enumerate(lines):
        places = " ".join(f"{_x(at, end):.1f},{_y(value, low, high, top):.1f}" for at, value in points)
        parts.append(f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="1.6" stroke-linejoin="round"/>')
        if len(points) == 1:
            parts.append(f'<circle cx="{_x(points[0][0], end):.1f}" cy="{_y(points[0][1], low, high, top):.1f}" r="3" fill="{colour}"/>')
        x = WIDTH - RIGHT - 100 * (number + 1)
        parts.append(f'<line x1="{x}" y1="{top - 12}" x2="{x + 18}" y2="{top - 12}" stroke="{colour}" stroke-width="3"/>')
        parts.append(_text(x + 24, top - 8, label))
    return parts


def _lanes(top: float, end: float, windows: Sequence[Window]) -> list[str]:
    """Draw one lane for each bit of the firmware, coloured while it was set."""
    parts = [_text(LEFT, top - 8, "held back", weight="600")]
    if all(window.bits is None for window in windows):
        frame = f'<rect x="{LEFT}" y="{top}" width="{WIDTH - LEFT - RIGHT}" height="{_LANE * len(BITS)}" fill="none" stroke="{_FAINT}"/>'
        return [*parts, frame, _text(WIDTH / 2, top + _LANE * 2 + 4, "this machine tells no throttling", anchor="middle", size=14)]
    for number, (bit, words) in enumerate(BITS.items()):
        y = top + number * _LANE
        parts.append(f'<rect x="{LEFT}" y="{y}" width="{WIDTH - LEFT - RIGHT}" height="{_LANE}" fill="none" stroke="{_FAINT}"/>')
        spans = _spans(windows, bit)
        for start, stop in spans:
            left, width = _x(start, end), _x(stop, end) - _x(start, end)
            parts.append(f'<rect x="{left:.1f}" y="{y + 3}" width="{width:.1f}" height="{_LANE - 6}" fill="{_LANES[number]}"/>')
        on_colour = bool(spans) and spans[0][0] == 0
        parts.append(_text(LEFT + 6, y + 14, words, size=11, fill="#ffffff" if on_colour else _INK))
    return parts


def _spans(windows: Sequence[Window], bit: int) -> list[tuple[float, float]]:
    """List from when to when a bit was set; a window tells of the time since the one before it."""
    found: list[tuple[float, float]] = []
    before = 0.0
    for window in windows:
        if (window.bits or 0) >> bit & 1:
            start = found.pop()[0] if found and found[-1][1] == before else before
            found.append((start, window.at_s))
        before = window.at_s
    return found


def _range(low: float, high: float, from_zero: bool) -> tuple[float, float]:
    """Give the ends of an axis with a little room; latency begins at zero, so that its height tells the truth."""
    room = max((high - low) * 0.08, abs(high) * 0.02, 1e-6)
    return (0.0 if from_zero else math.floor(low - room)), high + room


def _x(at: float, end: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * at / end


def _y(value: float, low: float, high: float, top: float) -> float:
    return top + _PANEL * (1 - (value - low) / (high - low))


def _seconds(value: float) -> str:
    return f"{value:g}"


def _text(x: float, y: float, words: str, *, anchor: str = "start", size: int = 12, weight: Optional[str] = None, fill: str = _INK) -> str:
    heavy = f' font-weight="{weight}"' if weight else ""
    style = f'font-family="sans-serif" font-size="{size}" text-anchor="{anchor}" fill="{fill}"{heavy}'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(words)}</text>'
