"""A summary of a text's own sentences: those that say most of the whole, and little of what another one says already.

Every sentence becomes a vector by a released encoder. The text is the mean of its sentences; a sentence counts by how near it is
to that, less how near it is to those that were chosen before it (maximal marginal relevance). What is chosen comes in the order
of the text, word for word.

However long the text is, no more than 1,024 of its sentences are read, spread evenly over it, 32 at a time; the answer says how
many were left out.

Source: J. Carbonell, J. Goldstein, "The Use of MMR" (1998); D. Radev et al., "Centroid-based summarization" (2004).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Optional

import numpy as np

from edge.errors import ContractError, InputError
from edge.model import Model
from edge.sentences import Sentence, count_words, split
from edge.steps import TEXT_STEPS
from edge.steps.text import text_of
from edge.systems import JSON, TEXT, Request

Array = np.ndarray[Any, Any]
MAX_READ, BATCH = 1024, 32
MAX_SENTENCES, MAX_WORDS = 100, 10_000
SENTENCES, WEIGHT = 3, 0.7


@dataclass(frozen=True)
class Length:
    """How long a summary may be: a number of sentences, of words, or a share of the text's sentences; one of the three.

    By words, the next best sentence that still fits is taken; the first one is taken even where it is longer.
    """

    sentences: Optional[int] = None
    words: Optional[int] = None
    share: Optional[float] = None

    def __post_init__(self) -> None:
        """Take three sentences where nothing is said; refuse two limits at once, and what has no meaning.

        Raises:
            InputError: The message names the field and what was expected.
        """
        given = [name for name in ("sentences", "words", "share") if getattr(self, name) is not None]
        if len(given) > 1:
            raise InputError(f"{' and '.join(given)} are given, expected one limit")
        if not given:
            object.__setattr__(self, "sentences", SENTENCES)
        for name, most in (("sentences", MAX_SENTENCES), ("words", MAX_WORDS)):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or not 1 <= value <= most):
                raise InputError(f"{name} is {value!r}, expected a whole number from 1 to {most}")
        if self.share is not None and not _is_share(self.share):
            raise InputError(f"share is {self.share!r}, expected a number above 0, at most 1")

    def most(self, count: int) -> int:
        """Give the most sentences of so many."""
        if self.share is not None:
            return min(max(1, math.ceil(self.share * count - 1e-9)), MAX_SENTENCES)
        return MAX_SENTENCES if self.sentences is None else self.sentences


@dataclass(frozen=True)
class Chosen:
    """A sentence of a summary: its number in the text, counted from 0, how near it is to the whole, and its score when it was chosen."""

    number: int
    sentence: Sentence
    relevance: float
    score: float


def choose(vectors: Array, counts: Sequence[int], length: Length, weight: float = WEIGHT, total: int = 0) -> list[tuple[int, float, float]]:
    """Choose rows by maximal marginal relevance.

    Args:
        vectors: (N, D) rows of length 1.
        counts: The words of each.
        length: How much to choose.
        weight: 1 asks for relevance alone, 0 for difference alone.
        total: Of how many rows `length` may take its share; N where it is 0.

    Returns:
        Row, relevance and score of each, in the order in which they were chosen.
    """
    count = len(vectors)
    mean = vectors.mean(axis=0)
    relevance = vectors @ (mean / max(float(np.linalg.norm(mean)), 1e-12))
    nearest = np.zeros(count)  # to what was chosen; nothing is, so nothing is taken off
    open_rows, left = np.ones(count, bool), math.inf if length.words is None else float(length.words)
    found: list[tuple[int, float, float]] = []
    while open_rows.any() and len(found) < length.most(total or count):
        scores = np.where(open_rows, weight * relevance - (1 - weight) * nearest, -np.inf)
        row = int(np.argmax(scores))
        open_rows[row] = False
        if counts[row] > left and found:
            continue
        left -= counts[row]
        found.append((row, float(relevance[row]), float(scores[row])))
        nearest = np.maximum(nearest, vectors @ vectors[row])
    return found


class Summary:
    """The system; `summarize` is its work, `answer` the same for a request."""

    NAME: ClassVar[str] = "summary"
    TITLE: ClassVar[str] = "A summary of a text, in its own sentences"
    TAKES: ClassVar[tuple[str, ...]] = (TEXT, JSON)
    NEEDS: ClassVar[Mapping[str, str]] = {"encoder": "sentence_minilm"}
    OPTIONAL: ClassVar[Mapping[str, str]] = {}
    SCHEMA: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "required": ["text"],
        "additionalProperties": False,
        "properties": {
            "text": {"type": "string", "maxLength": 1_000_000},
            "sentences": {"type": "integer", "minimum": 1, "maximum": MAX_SENTENCES, "description": "the most sentences; 3 by default"},
            "words": {"type": "integer", "minimum": 1, "maximum": MAX_WORDS, "description": "the most words, instead of sentences"},
            "share": {"type": "number", "exclusiveMinimum": 0, "maximum": 1, "description": "the share of the sentences, instead"},
            "lambda": {
                "type": "number",
                "minimum": 0,
                "maximum": 1,
                "description": "1 relevance, 0 difference alone; 0.7 by default",
            },
        },
    }
    EXAMPLES: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "two sentences of three": {
            "text": "The river rose by a metre. Two bridges were closed in the night. The town had been warned a day before.",
            "sentences": 2,
        }
    }

    def __init__(self, encoder: Model) -> None:
        """Take an encoder of sentences.

        Raises:
            ContractError: The model gives no vector of a text.
        """
        steps, output = encoder.contract.preprocess, encoder.contract.main.outputs[0]
        if not steps or steps[0].name not in TEXT_STEPS or len(output.row_shape) != 1 or output.dtype != "float32":
            raise ContractError(
                f"{encoder.contract.name} takes no texts or gives no vector, expected an encoder of sentences such as sentence_minilm"
            )
        self._encoder, self._output = encoder, output.name

    @classmethod
    def of(cls, models: Mapping[str, Model], folder: Optional[Path] = None) -> Summary:
        """Put the system together; it keeps nothing.

        Raises:
            ContractError: The model gives no vector of a text.
        """
        del folder
        return cls(models["encoder"])

    def answer(self, request: Request) -> dict[str, Any]:
        """Answer a request.

        Raises:
            InputError: A field is unknown or out of bounds, or there is no text.
        """
        request.expect("text", "sentences", "words", "share", "lambda")
        limits = {name: request.fields.get(name) for name in ("sentences", "words", "share")}
        return self.summarize(request.text("text"), Length(**limits), request.fields.get("lambda", WEIGHT))

    def summarize(self, text: Any, length: Optional[Length] = None, weight: float = WEIGHT) -> dict[str, Any]:
        """Summarize a text.

        Args:
            text: The text, or the path of a UTF-8 file with it.
            length: How long the summary may be; three sentences by default.
            weight: What is called lambda: 1 asks for relevance alone, 0 for difference alone.

        Returns:
            `summary`; `sentences`, each with `text`, `number`, `start`, `end`, `relevance` and `score`; `found`, how many
            sentences the text has, `read`, how many were, and `left_out`; `words` of the text and `summary_words`.

        Raises:
            InputError: There is no text, or lambda is out of bounds.
            TooLargeError: The text is longer than a million characters.
        """
        length = length or Length()
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 <= weight <= 1:
            raise InputError(f"lambda is {weight!r}, expected a number from 0 to 1")
        whole = text_of(text)
        found = split(whole)
        if not found:
            raise InputError("the text is empty, expected one sentence or more")
        numbers = spread(len(found), MAX_READ)
        read = [found[i] for i in numbers]
        counts = [count_words(sentence.text) for sentence in read]
        rows = choose(self.vectors([sentence.text for sentence in read]), counts, length, weight, len(found))
        chosen = sorted((Chosen(numbers[row], read[row], relevance, score) for row, relevance, score in rows), key=lambda one: one.number)
        summary = joined([one.sentence.text for one in chosen])
        return {
            "summary": summary,
            "sentences": [_told(one) for one in chosen],
            "found": len(found),
            "read": len(read),
            "left_out": len(found) - len(read),
            "words": count_words(whole),
            "summary_words": count_words(summary),
        }

    def vectors(self, texts: Sequence[str]) -> Array:
        """Give (N, D) float32 vectors of length 1, one a text; equal texts are encoded once."""
        unique = list(dict.fromkeys(texts))
        known: dict[str, Array] = {}
        for start in range(0, len(unique), BATCH):
            batch = unique[start : start + BATCH]
            rows = self._encoder.run(self._encoder.stack([self._encoder.prepare(text) for text in batch]))[self._output]
            known.update(zip(batch, rows))
        found = np.stack([known[text] for text in texts]).astype(np.float32)
        if not np.isfinite(found).all():
            raise InputError("the encoder gives NaN for a sentence, expected numbers; send another text")
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        vectors: Array = found / np.maximum(lengths, 1e-12)
        return vectors


def spread(count: int, most: int) -> list[int]:
    """Give the numbers below `count` that are read: all, or `most` of them, evenly spread, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]


def joined(texts: Sequence[str]) -> str:
    """Put sentences together, with a space where the one before ends in a script that has spaces."""
    found = ""
    for text in texts:
        wide = found[-1:] > "\u2fff" or found[-1:] in "\u201d\u2019"
        found += text if not found or (wide and text[:1] > "\u2fff") else f" {text}"
    return found


def _told(one: Chosen) -> dict[str, Any]:
    place = {"number": one.number, "start": one.sentence.start, "end": one.sentence.end}
    return {"text": one.sentence.text, **place, "relevance": one.relevance, "score": one.score}


def _is_share(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, (int, float)) and 0 < value <= 1


SYSTEM = Summary
