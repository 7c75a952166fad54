"""Pictures of a report, drawn into the page itself: samples as PNG, figures as SVG in the page's own colours."""

from __future__ import annotations

import base64
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup, escape

Array = np.ndarray[Any, Any]
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 480, 300, 68, 16, 14, 46
TICKS, RADIUS = 5, 10


@dataclass(frozen=True)
class Point:
    """A file in the picture of size against the metric; `low` and `high` are the ends of its whisker."""

    number: int
    kilobytes: float
    value: float
    low: float
    high: float
    kind: str


def sample(row: Array) -> str | None:
    """Show one input that is a picture; None where it is not.

    Args:
        row: (H, W, 1) or (H, W, 3) uint8.

    Returns:
        A `data:` address.
    """
    if row.dtype != np.uint8 or row.ndim != 3 or row.shape[2] not in (1, 3):
        return None
    return "data:image/png;base64," + base64.b64encode(_png(row)).decode()


def sizes(points: list[Point], metric: str) -> Markup:
    """Draw size against the metric, one numbered point a file."""
    right = 1.12 * max(point.kilobytes for point in points)
    low, high = min(point.low for point in points), max(point.high for point in points)
    reach = max(high - low, 1e-6)
    low, high = low - 0.1 * reach, high + 0.1 * reach

    def x(kilobytes: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * kilobytes / right

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - low) / (high - low)

    parts = [f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="size against {escape(metric)}">']
    for step in range(TICKS):
        kilobytes, value = right * step / (TICKS - 1), low + (high - low) * step / (TICKS - 1)
        end = "end" if step == TICKS - 1 else "middle"
        parts.append(f'<text x="{x(kilobytes):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="{end}">{_short(kilobytes)}</text>')
        parts.append(f'<text x="{LEFT - 8}" y="{y(value) + 5:.1f}" text-anchor="end">{value:.4g}</text>')
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>')
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">size (kB)</text>')
    placed: list[tuple[float, float]] = []
    for point in points:
        at, height = x(point.kilobytes), y(point.value)
        aside = at
        while any(abs(aside - other) < 2 * RADIUS and abs(height - level) < 2 * RADIUS for other, level in placed):
            aside -= 2 * RADIUS + 1  # beside the whisker, so that no number hides another
        placed.append((aside, height))
        parts.append(_point(point, at, aside, height, y(point.low), y(point.high)))
    return Markup("".join(parts) + "</svg>")  # noqa: S704 - numbers, and one escaped word


def _short(kilobytes: float) -> str:
    """Write kilobytes with three digits, and whole where these are not enough."""
    return f"{kilobytes:.3g}" if kilobytes < 999.5 else f"{kilobytes:,.0f}"


def _point(point: Point, x: float, aside: float, y: float, low: float, high: float) -> str:
    whisker = f'<path class="whisker {point.kind}" d="M{x:.1f} {low:.1f}V{high:.1f}M{x - 6:.1f} {low:.1f}h12M{x - 6:.1f} {high:.1f}h12"/>'
    circle = f'<circle class="{point.kind}" cx="{aside:.1f}" cy="{y:.1f}" r="{RADIUS}"/>'
    return f'{whisker}{circle}<text class="on" x="{aside:.1f}" y="{y + 5:.1f}" text-anchor="middle">{point.number}</text>'


def _png(pixels: Array) -> bytes:
    """Write an 8-bit PNG, grey or RGB. Source: PNG (Portable Network Graphics) Specification, W3C."""
    height, width, channels = pixels.shape
    lines = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, width * channels)], axis=1)  # each with filter 0
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if channels == 1 else 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
