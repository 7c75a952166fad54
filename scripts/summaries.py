"""`scripts/summaries.py`: how near the extractive summarizer comes to summaries by people, beside the first sentences of a text.

The references are a stand-in (`training/data/grimm_tales.py`). Needs the released `sentence_minilm`. Writes docs/summarizer.json,
and the tables between the marks in docs/summarizer.md.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge.model import Model
from edge.sentences import count_words, split
from edge.systems.summary import WEIGHT, Length, Summary, joined
from training.data import grimm_tales
from training.rouge import bootstrap, rouge_l, rouge_n

FACTS, PAGE = Path("docs/summarizer.json"), Path("docs/summarizer.md")
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
METRICS: dict[str, Callable[[str, str], Any]] = {
    "ROUGE-1": lambda summary, reference: rouge_n(summary, reference, 1),
    "ROUGE-2": lambda summary, reference: rouge_n(summary, reference, 2),
    "ROUGE-L": rouge_l,
}
LEAD, RANDOM = "the first sentences (lead)", "sentences by chance"
WEIGHTS = (1.0, WEIGHT, 0.5, 0.3)
LIMITS = {"3 sentences": Length(sentences=3), "60 words": Length(words=60)}
LONG = 100_000  # words of the text that time and memory are measured with
Summarize = Callable[[str, Length, int], str]


class Remembering(Summary):
    """A summarizer that encodes a sentence once, however many ways are tried."""

    def __init__(self, encoder: Model) -> None:
        """Take an encoder of sentences."""
        super().__init__(encoder)
        self._known: dict[str, Any] = {}

    def vectors(self, texts: Sequence[str]) -> Any:
        """Give (N, D) vectors; see `Summary.vectors`."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, super().vectors(new), strict=True))
        return np.stack([self._known[text] for text in texts])


def main(words: Sequence[str] | None = None) -> int:
    """Measure, and write both files."""
    parser = argparse.ArgumentParser(prog="scripts/summaries.py", description=__doc__)
    parser.add_argument("--bundle", default="bundles/sentence_minilm", help="the encoder (default: bundles/sentence_minilm)")
    parser.add_argument("--limit", type=int, default=1000, metavar="N", help="so many tales, for a trial")
    args = parser.parse_args(words)
    tales = grimm_tales.load()[: args.limit]
    with Model.open(args.bundle, target="server") as encoder:
        measured = scores(Remembering(encoder), tales)
        facts = {"texts": described(tales), "encoder": named(encoder), "scores": measured, "long": long_text(Summary(encoder))}
    FACTS.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    if PAGE.exists():
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{page(facts)}{END}{rest.partition(END)[2]}", encoding="utf-8")
    print(page(facts))
    return 0


def lead(text: str, length: Length, _: int) -> str:
    """Give the first sentences of a text: so many, or as long as they fit, at least one."""
    return first([sentence.text for sentence in split(text)], length)


def ours(system: Summary, weight: float) -> Summarize:
    """Give the way of the summarizer with a lambda."""
    return lambda text, length, _: str(system.summarize(text, length, weight)["summary"])


def by_chance(text: str, length: Length, number: int) -> str:
    """Give sentences drawn by chance, in the order of the text."""
    found = [sentence.text for sentence in split(text)]
    order = np.random.default_rng(number).permutation(len(found))
    count = len(taken([found[i] for i in order], length))
    return joined([found[i] for i in sorted(order[:count])])


def first(found: Sequence[str], length: Length) -> str:
    """Put together what fits of sentences, from the first on."""
    return joined(taken(found, length))


def taken(found: Sequence[str], length: Length) -> list[str]:
    """Give the first sentences that fit, at least one."""
    if length.words is None:
        return list(found[: length.most(len(found))])
    sums = np.cumsum([count_words(text) for text in found])
    return list(found[: max(1, int((sums <= length.words).sum()))])


def scores(system: Summary, tales: Sequence[grimm_tales.Tale]) -> dict[str, Any]:
    """Score every way by every limit: means with 95 % intervals, and how much better than lead on the same texts."""
    ways: dict[str, Summarize] = {LEAD: lead, RANDOM: by_chance}
    for weight in WEIGHTS:
        ways[f"ours, lambda {weight:g}"] = ours(system, weight)
    return {limit: scored(ways, tales, length) for limit, length in LIMITS.items()}


def scored(ways: dict[str, Summarize], tales: Sequence[grimm_tales.Tale], length: Length) -> dict[str, Any]:
    """Score every way by one limit."""
    written = {way: [summarize(tale.text, length, i) for i, tale in enumerate(tales)] for way, summarize in ways.items()}
    references = [tale.abstract for tale in tales]
    values = {way: {name: pairs(measure, texts, references) for name, measure in METRICS.items()} for way, texts in written.items()}
    return {
        way: {
            "words": float(np.mean([count_words(text) for text in written[way]])),
            **{name: interval(f1) for name, f1 in measured.items()},
            "above lead": {name: interval(f1 - values[LEAD][name]) for name, f1 in measured.items()},
        }
        for way, measured in values.items()
    }


def pairs(measure: Callable[[str, str], Any], texts: Sequence[str], references: Sequence[str]) -> Any:
    """Give (N,) F1 scores."""
    return np.array([measure(text, reference).f1 for text, reference in zip(texts, references, strict=True)])


def interval(values: Any) -> list[float]:
    """Give the mean and its 95 % interval, rounded."""
    return [round(float(each), 4) for each in (values.mean(), *bootstrap(values))]


def described(tales: Sequence[grimm_tales.Tale]) -> dict[str, Any]:
    """Say what the figures are measured on."""
    counts = [[count_words(part) for part in (tale.text, tale.abstract)] for tale in tales]
    text, abstract = (float(np.median(column)) for column in zip(*counts, strict=True))
    return {"tales": len(tales), "median_words": text, "median_words_of_abstract": abstract}


def named(encoder: Model) -> str:
    """Name the encoder and its file."""
    return f"{encoder.contract.name} {encoder.contract.version}, {encoder.variant.file} on {encoder.runtime.name}"


def long_text(system: Summary) -> dict[str, Any]:
    """Measure time and memory of a text of 100,000 words."""
    whole = " ".join(tale.text for tale in grimm_tales.load())
    text = whole
    while count_words(text) < LONG:
        text += " " + whole
    found = split(text)
    cut = text[: found[int(np.searchsorted(np.cumsum([count_words(each.text) for each in found]), LONG))].end][:1_000_000]
    start = time.perf_counter()
    answer = system.summarize(cut)
    seconds, peak = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    facts = {key: answer[key] for key in ("words", "found", "read", "left_out")}
    return {**facts, "seconds": round(seconds, 1), "peak_rss_mb": round(peak)}


def page(facts: dict[str, Any]) -> str:
    """Write the tables."""
    lines = []
    for limit, ways in facts["scores"].items():
        lines += [
            f"Summaries of {limit}:",
            "",
            f"| | words | {' | '.join(METRICS)} | ROUGE-1 above lead |",
            f"|{'---|' * (len(METRICS) + 3)}",
        ]
        for way, row in ways.items():
            figures = " | ".join(told(row[name]) for name in METRICS)
            above = "–" if way == LEAD else told(row["above lead"]["ROUGE-1"], "+")
            lines.append(f"| {way} | {row['words']:.0f} | {figures} | {above} |")
        lines.append("")
    texts, long = facts["texts"], facts["long"]
    lines.append(
        f"F1, means over {texts['tales']} tales (median {texts['median_words']:,.0f} words, their abstracts "
        f"{texts['median_words_of_abstract']:.0f}) with 95 % bootstrap intervals; {facts['encoder']}. A text of {long['words']:,} words "
        f"({long['found']:,} sentences, {long['read']:,} of them read, {long['left_out']:,} left out) took {long['seconds']} s on one "
        f"thread, at a peak of {long['peak_rss_mb']} MB of memory for the whole process, measured on a busy machine."
    )
    return "\n".join(lines) + "\n"


def told(figures: Sequence[float], sign: str = "") -> str:
    """Write a figure with its interval."""
    mean, low, high = (f"{each:{sign}.3f}" for each in figures)
    return f"{mean} [{low}, {high}]"


if __name__ == "__main__":
    sys.exit(main())
