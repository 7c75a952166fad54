"""How far apart faces lie: those of one person, those of two, and what a threshold between them costs."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.systems.matching import THRESHOLD
from training.recipe import Array

_NAMED = ("obama", "biden")  # who is known; of the others only that no two of one photograph are one
_INK, _SAME, _OTHER = "#333333", "#2a7f62", "#b0413e"


@dataclass(frozen=True)
class Evidence:
    """Distances of pairs of faces, (S,) of one person and (D,) of two."""

    same: Array
    different: Array

    def figures(self) -> dict[str, float]:
        """Give what people want to know."""
        return {
            "pairs of one person": float(len(self.same)),
            "largest distance of one person": float(self.same.max()),
            "pairs of two people": float(len(self.different)),
            "smallest distance of two people": float(self.different.min()),
            "mean distance of two people": float(self.different.mean()),
            "share of two people below the threshold": float((self.different <= THRESHOLD).mean()),
            "share of one person above the threshold": float((self.same > THRESHOLD).mean()),
        }


def pairs(vectors: Array, people: Sequence[str]) -> Evidence:
    """Take the distances of the pairs of which it is known whether they are one person.

    Args:
        vectors: (N, D), one for each face.
        people: Whose each is: a name, or photograph and place in it, such as 4-1.
    """
    same, different = [], []
    for one, other in itertools.combinations(range(len(people)), 2):
        far = float(np.linalg.norm(vectors[one].astype(np.float64) - vectors[other]))
        if people[one] == people[other]:
            same.append(far)
        elif people[one] in _NAMED or people[other] in _NAMED or people[one].split("-")[0] == people[other].split("-")[0]:
            different.append(far)
    return Evidence(np.array(same), np.array(different))


def draw(evidence: Evidence) -> bytes:
    """Draw every pair as a point by its distance, and below the shares that each threshold gets wrong: SVG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    points, shares = figure.subplots(2, 1, sharex=True, height_ratios=(2, 3))
    random = np.random.default_rng(0)
    rows = ((evidence.different, 0.0, _OTHER, "two people"), (evidence.same, 1.0, _SAME, "one person"))
    for values, height, colour, label in rows:
        places = height + random.uniform(-0.25, 0.25, len(values))
        points.plot(values, places, "o", markersize=4, alpha=0.6, color=colour, label=f"{label}: {len(values)} pairs")
    points.set_yticks([0, 1], ["two people", "one person"])
    thresholds = np.linspace(0, 1.2, 241)
    accepted = [(evidence.different <= limit).mean() for limit in thresholds]
    missed = [(evidence.same > limit).mean() for limit in thresholds]
    shares.plot(thresholds, accepted, color=_OTHER, label="two people taken for one")
    shares.plot(thresholds, missed, color=_SAME, label="one person taken for two")
    shares.set(xlabel="distance of two faces", ylabel="share of pairs", xlim=(0, 1.2), ylim=(-0.03, 1.03))
    for axes in (points, shares):
        axes.axvline(THRESHOLD, color=_INK, linewidth=1, linestyle="--")
        axes.spines[["top", "right"]].set_visible(False)
    shares.annotate(f" threshold {THRESHOLD:g}", (THRESHOLD, 0.45), color=_INK)
    shares.legend(frameon=False, loc="upper center")
    content = io.BytesIO()
    figure.savefig(content, format="svg", metadata={"Date": None})
    return content.getvalue()
