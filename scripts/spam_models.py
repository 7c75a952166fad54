"""`scripts/spam_models.py`: docs/spam.md, trees over words beside the recurrent network, on the same messages.

The figures come from the trainings that were released, in `bundles/`; `--train` trains and exports first what has changed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo import make, read

from edge.bundle import versions
from edge.errors import InputError
from training.correctness import unpack

PAGE = Path("docs/spam.md")
NETWORK = "spam_lstm"
MODELS = {
    "spam_trees": "one decision tree over the code of 80 places",
    "spam_trees_forest": "a random forest over the code",
    "spam_trees_xgboost": "XGBoost over the code",
    "spam_trees_tfidf": "XGBoost over TF-IDF weights",
    NETWORK: "a recurrent network over words",
}
BEGIN = """# Spam

Five recipes for one question, held against the same {count} messages, {spam} of them spam, that training never saw. The code of 80
places is that of the [course documents](../README.md#the-models): 2 for a word that is typical of spam, 1 for another, 0 where the
message has ended. Which words are typical is learned from the training messages alone; the course documents chose them on all messages
before they were parted, and so measured too much (`training/models/spam_trees.py` says how much). To call every message ham
is right in {ham:.3f} of them, so F1 on spam decides.

    .venv/bin/python scripts/spam_models.py --train      trains and exports what has changed, and writes this page

"""
END = """
F1 with its 95 % interval, precision and recall are of the class spam. The last column counts messages whose class
one of the two alone tells: where these are a handful, the models are not told apart for certain.
"""


def main(words: Sequence[str] | None = None) -> int:
    """Train and export where that is asked for, then write the page; give the worst exit code."""
    parser = argparse.ArgumentParser(prog="scripts/spam_models.py", description="Write docs/spam.md from what was measured.")
    parser.add_argument("--train", action="store_true", help="train and export them first; what has not changed is skipped")
    worst = max(make(model) for model in MODELS) if parser.parse_args(words).train else 0
    released = {model: found[-1] for model in MODELS if (found := versions(Path("bundles") / model))}
    if len(released) < len(MODELS):
        print(f"not released here: {', '.join(sorted(set(MODELS) - set(released)))}; add --train", file=sys.stderr)
        return worst or 2
    trainings = {model: read(folder / "provenance.json")["training"] for model, folder in released.items()}
    sizes = {model: max(file["size_bytes"] for file in read(folder / "variants.json")) for model, folder in released.items()}
    PAGE.write_text(page(trainings, sizes), encoding="utf-8")
    print(f"{PAGE}: {len(trainings)} models")
    return worst


def page(trainings: Mapping[str, Mapping[str, Any]], sizes: Mapping[str, int]) -> str:
    """Return the page of trainings and sizes in bytes by model.

    Raises:
        InputError: Not all were held against the same messages, or one does not say which it got right.
    """
    asked = {training["test_answers"]["targets_sha256"] for training in trainings.values()}
    if len(asked) != 1:
        raise InputError(f"{', '.join(trainings)}: were tested on {len(asked)} different splits, expected one; train them again")
    ham, spam = (row["count"] for row in trainings[NETWORK]["classes"])
    names = ("recipe", "what reads", "F1", "precision", "recall", "accuracy", "size", f"right alone: it / `{NETWORK}`")
    head = f"| {' | '.join(names)} |\n{'|---' * len(names)}|\n"
    rows = "".join(_row(model, training, sizes[model], trainings[NETWORK]) for model, training in trainings.items())
    return BEGIN.format(count=ham + spam, spam=spam, ham=ham / (ham + spam)) + head + rows + END


def _row(model: str, training: Mapping[str, Any], size: int, network: Mapping[str, Any]) -> str:
    spam, (low, high) = training["classes"][1], training["metric"]["test_interval"]
    mine, theirs = unpack(training["test_answers"]), unpack(network["test_answers"])
    if mine is None or theirs is None:
        raise InputError(f"{model}: its provenance does not tell which test messages were answered rightly; train and export it again")
    apart = "–" if model == NETWORK else f"{int((mine & ~theirs).sum())} / {int((theirs & ~mine).sum())}"
    figures = f"{spam['f1']:.3f} ({low:.3f} to {high:.3f}) | {spam['precision']:.3f} | {spam['recall']:.3f} | {mine.mean():.3f}"
    return f"| `{model}` | {MODELS[model]} | {figures} | {size / 1000:,.0f} kB | {apart} |\n"


if __name__ == "__main__":
    raise SystemExit(main())
