"""`scripts/text_heads.py`: docs/text-heads.md, the course documents' five heads for texts beside the net that this repository takes.

The figures come from what `tandem export` measured, in `runs/` and `bundles/`; `--train` trains and exports first what has changed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from zoo import make, read

from edge.bundle import versions

PAGE = Path("docs/text-heads.md")
HEADS = {
    "sentiment_lstm_mlp": "MLP",
    "sentiment_lstm_rnn": "RNN, 16 states",
    "sentiment_lstm_small": "LSTM, 32 states",
    "sentiment_lstm_gru": "GRU, 32 states",
    "sentiment_lstm_cnn": "CNN, 32 features of three words",
    "sentiment_lstm": "LSTM both ways, pooled, beside scores of words and pairs",
}
BEGIN = """# Heads for texts

The [course documents](../README.md#the-models) read reviews of films with five heads over the same embedding: the 2,000 most frequent
words, 100 of each review, 32 features a word, a head, 256 hidden units. They are variants of `sentiment_lstm`; the last row is
`sentiment_lstm` itself: 18,000 words that begin with what they mean, no hidden layer, and logistic regression over words and pairs in
the same graph. All learn from one split and are tested on another.

    .venv/bin/python scripts/text_heads.py --train      trains and exports what has changed, and writes this page

"""
END = """
"TF-IDF + LR" is logistic regression over the TF-IDF weights of all words, trained and tested on the same splits in the same run
(`training/text_baseline.py`). Latency is of one text on one thread of an x86 machine that had other work: it tells heads apart, and
says nothing about a Raspberry Pi. For devices the steps of a recurrent net are written out, which makes its files large and slow to load;
a convolution has no steps. Files for devices hold int8 weights and compute in float32 (`weight_only_wi8_afp32`): with ranges found at
run time, tflite-runtime 2.14 answers no better than guessing.
"""


def main(words: Sequence[str] | None = None) -> int:
    """Train and export where that is asked for, then write the page; give the worst exit code."""
    parser = argparse.ArgumentParser(prog="scripts/text_heads.py", description="Write docs/text-heads.md from what was measured.")
    parser.add_argument("--train", action="store_true", help="train and export them first; what has not changed is skipped")
    worst = 0
    if parser.parse_args(words).train:
        worst = max(make(model) for model in HEADS)
    measured = [row for model, title in HEADS.items() for row in rows(model, title, Path("bundles"))]
    if not measured:
        print("nothing was released here; add --train", file=sys.stderr)
        return worst or 2
    PAGE.write_text(page(measured), encoding="utf-8")
    print(f"{PAGE}: {len(measured)} files measured")
    return worst


def page(measured: Sequence[str]) -> str:
    """Return the page with these rows of its table."""
    names = ("head", "parameters", "test accuracy", "TF-IDF + LR", "file", "size", "accuracy of the file", "median latency")
    head = f"| {' | '.join(names)} |\n{'|---' * len(names)}|\n"
    return BEGIN + head + "".join(f"{row}\n" for row in measured) + END


def rows(model: str, title: str, bundles: Path) -> list[str]:
    """Return a row for each released file of a model; none where it was not released."""
    released = versions(bundles / model)
    if not released:
        return []
    folder = released[-1]
    training = read(folder / "provenance.json")["training"]
    trials = {file["file"]: file["trials"] for file in read(folder / "measurements.json")["files"]}
    baseline = training.get("measured", {}).get("accuracy of TF-IDF + logistic regression")
    beside = "–" if baseline is None else f"{baseline:.4f}"
    about = f"| {title} | {training['parameters']:,} | {training['metric']['test']:.4f} | {beside} "
    found = []
    for file in read(folder / "variants.json"):
        latencies = ", ".join(f"{trial['latency_ms']:.2f} ms ({trial['runtime']})" for trial in trials[file["file"]])
        size = f"{file['size_bytes'] / 1000:,.0f} kB"
        found.append(f"{about}| {file['format']} {file['recipe']} | {size} | {file['metric']:.4f} | {latencies} |")
    return found


if __name__ == "__main__":
    raise SystemExit(main())
