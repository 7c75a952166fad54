"""How word vectors are judged and drawn by fields of words that people would put together."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Sequence

import numpy as np

from training.corpora import Fields
from training.recipe import Array


def judge(vectors: Array, words: Sequence[str], fields: Fields) -> dict[str, float]:
    """Measure by fields of words how often word vectors put together what people do.

    For each field and each word of another field: is it found as the odd one among the field's? And of each word, is the nearest
    of all other words of all fields one of its own field's?

    Args:
        vectors: (words, width) float32 of length 1.
        words: In the same order.
        fields: Words that are not known are left out, and with them fields of which fewer than two are left.

    Returns:
        Shares that are right, beside what chance would give.
    """
    place = {word: row for row, word in enumerate(words)}
    rows = [found for some in fields.values() if len(found := [place[word] for word in some if word in place]) > 1]
    if len(rows) < 2:
        return {}
    odd = [odd_one(vectors[[*own, other]]) == len(own) for own in rows for others in rows if others is not own for other in others]
    chance = [1 / (len(own) + 1) for own in rows for others in rows if others is not own for _ in others]
    field_of = np.repeat(np.arange(len(rows)), [len(own) for own in rows])
    alike = vectors[np.concatenate(rows)] @ vectors[np.concatenate(rows)].T - 2 * np.eye(len(field_of))
    mates = [(field_of == field).sum() - 1 for field in field_of]
    return {
        "odd one out of a field and a word of another: share that is found": float(np.mean(odd)),
        "odd one out: share by chance": float(np.mean(chance)),
        "odd one out: how many questions": float(len(odd)),
        "nearest of the fields' words is of the same field: share": float(np.mean(field_of[alike.argmax(1)] == field_of)),
        "nearest of the fields' words: share by chance": float(np.mean(mates) / (len(field_of) - 1)),
    }


def odd_one(vectors: Array) -> int:
    """Return which of some vectors of length 1, (N, width), is the farthest from the mean of all."""
    return int((vectors @ vectors.mean(0)).argmin())


def picture(vectors: Array, words: Sequence[str], fields: Fields) -> bytes:
    """Draw the fields' words in the plane that their vectors spread most in, as SVG.

    Words stay text, which the page's reader has the letters for, whatever fonts the machine has that draws.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    number = {word: row for row, word in enumerate(words)}
    shown = {field: [word for word in some if word in number] for field, some in fields.items()}
    table = vectors[[number[word] for some in shown.values() for word in some]]
    _, _, axes_of = np.linalg.svd(table - table.mean(0), full_matrices=False)
    buffer = io.BytesIO()
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "words", "text.parse_math": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=(9, 6.5), dpi=110, layout="constrained")
        axes = figure.subplots()
        for place, (field, some) in enumerate(shown.items()):
            where = (vectors[[number[word] for word in some]] - table.mean(0)) @ axes_of[:2].T
            axes.plot(*where.T, "os^Dv"[place // 10 % 5], color=f"C{place % 10}", markersize=4, label=field)
            for point, word in zip(where, some, strict=True):
                axes.annotate(word, point, xytext=(4, 3), textcoords="offset points", fontsize=9)
        figure.legend(loc="outside right upper", frameon=False)
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
