"""The report of a pair: one page, and the curve of how often it is right over how much it sends, as a picture of its own."""

from __future__ import annotations

import jinja2
from markupsafe import escape

from edge.pair import Pair
from export.provenance import commit, now

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 360, 70, 20, 20, 52
TICKS = 5
STYLE = (
    "text{font:14px system-ui,sans-serif;fill:#555}.axis{stroke:#8886}.curve{fill:none;stroke:#2f6fde;stroke-width:2}"
    ".flat{stroke:#b8620f;stroke-dasharray:6 4}.chosen{fill:#1a7f37}"
    "@media(prefers-color-scheme:dark){text{fill:#bbb}.curve{stroke:#6ea8fe}.flat{stroke:#f0a04b}.chosen{fill:#56d364}}"
)


def page(pair: Pair) -> str:
    """Make the page: self-contained HTML."""
    environment = jinja2.Environment(loader=jinja2.PackageLoader("export"), autoescape=True, undefined=jinja2.StrictUndefined)
    date = now().strftime("%Y-%m-%d %H:%M UTC")
    return environment.get_template("pair.html.j2").render(pair=pair, picture=curve(pair), date=date, commit=commit())


def curve(pair: Pair) -> str:
    """Draw the accuracy of the pair over its traffic, on the half that had no part in the choice.

    The axis ends where nothing more happens: at four times the chosen traffic, or at a tenth of all, whichever is more.

    Returns:
        SVG, which keeps its own colours and so can stand alone.
    """
    checked = pair.checked
    reach = min(1.0, max(0.1, 4 * checked.traffic))
    seen = [point for point in pair.curve if point.traffic <= reach]
    heights = [point.accuracy for point in seen] + [checked.server, checked.device]
    margin = max(0.08 * (max(heights) - min(heights)), 1e-3)
    low, high = min(heights) - margin, min(1.0, max(heights) + margin)

    def x(traffic: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * traffic / reach

    def y(accuracy: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (accuracy - low) / (high - low)

    name = f"{pair.device.name} with {pair.server.name}: accuracy over traffic"
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(name)}">']
    parts.append(f"<style>{STYLE}</style>")
    for step in range(TICKS + 1):
        share, value = reach * step / TICKS, low + (high - low) * step / TICKS
        anchor = "end" if step == TICKS else "middle"
        parts.append(f'<text x="{x(share):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="{anchor}">{100 * share:.3g} %</text>')
        parts.append(f'<text x="{LEFT - 8}" y="{y(value) + 5:.1f}" text-anchor="end">{100 * value:.2f}</text>')
        parts.append(f'<path class="axis" d="M{LEFT} {y(value):.1f}H{WIDTH - RIGHT}"/>')
    for value, words in ((checked.server, "server alone"), (checked.device, "device alone")):
        parts.append(f'<path class="flat" d="M{LEFT} {y(value):.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{WIDTH - RIGHT}" y="{y(value) - 6:.1f}" text-anchor="end">{words} {100 * value:.2f} %</text>')
    line = " ".join(f"{x(point.traffic):.1f},{y(point.accuracy):.1f}" for point in seen)
    parts.append(f'<polyline class="curve" points="{line}"/>')
    place = (x(checked.traffic), y(checked.pair))
    parts.append(f'<circle class="chosen" cx="{place[0]:.1f}" cy="{place[1]:.1f}" r="6"/>')
    words = f"{100 * checked.traffic:.1f} % sent, {100 * checked.pair:.2f} % right"
    parts.append(f'<text x="{place[0] + 10:.1f}" y="{place[1] + 20:.1f}">{words}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">share of inputs sent to the server</text>')
    return "".join(parts) + "</svg>\n"
