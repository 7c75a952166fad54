"""From scores to a whole text: greedy, or by beams, which follow several texts at once and keep the best.

Nothing here runs a model: a `Decoder` gives the scores of what may come next. With the same scores the same ids come out as
from `generate` of the library transformers, whose ways with finished beams and early ends are followed to the letter:

- Each step takes the best 2·B ways on from B beams, so that B can go on even where every beam ends.
- A text that ends is rated by the sum of its logarithms, divided by its length to the power of `length_penalty`.
- It is over when `early_stopping` is true and B texts are finished, or when no open beam can surpass the worst finished one.

Source: I. Sutskever et al., "Sequence to Sequence Learning" (2014), section 3.2 (beams); N. Keskar et al., "CTRL" (2019),
section 4.1 (the penalty on repetition); R. Paulus et al., "A Deep Reinforced Model" (2017), section 2.5 (no n words twice).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol, Union

import numpy as np

from edge.errors import InputError

Array = np.ndarray[Any, Any]
MAX_BEAMS, MAX_LENGTH = 8, 512
NEVER = "never"
_LOW = np.float32(-1e9)  # stands for "not at all" where infinity would make NaN


class Decoder(Protocol):
    """A model in the middle of its texts."""

    def __call__(self, tokens: Array, parents: Array) -> Array:
        """Go one step.

        Args:
            tokens: (B,) int64, the last id of each text.
            parents: (B,) int64, which of the texts of the step before each goes on from; all 0 at the first.

        Returns:
            (B, V) float32 scores of the next id.
        """


@dataclass(frozen=True)
class Marks:
    """The ids that a model's texts begin, end and are filled up with."""

    start: int
    end: int
    padding: int


@dataclass(frozen=True)
class Search:
    """How a text is searched for; lengths count ids, the one that it begins with included, as in transformers."""

    num_beams: int = 1
    repetition_penalty: float = 1.0
    length_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    min_length: int = 0
    max_length: int = 64
    early_stopping: Union[bool, str] = False

    def __post_init__(self) -> None:
        """Refuse what would have no meaning, or take without bound.

        Raises:
            InputError: The message names the field and what was expected.
        """
        _whole("num_beams", self.num_beams, 1, MAX_BEAMS)
        _whole("max_length", self.max_length, 2, MAX_LENGTH)
        _whole("min_length", self.min_length, 0, self.max_length)
        _whole("no_repeat_ngram_size", self.no_repeat_ngram_size, 0, MAX_LENGTH)
        _number("repetition_penalty", self.repetition_penalty, 0.01, 100.0)
        _number("length_penalty", self.length_penalty, -10.0, 10.0)
        if not isinstance(self.early_stopping, bool) and self.early_stopping != NEVER:
            raise InputError(f"early_stopping is {self.early_stopping!r}, expected true, false or {NEVER!r}")


def search(decoder: Decoder, marks: Marks, wanted: Search) -> list[int]:
    """Search for a text.

    Args:
        decoder: The model, at the beginning of its text.
        marks: Its marks.
        wanted: How to search.

    Returns:
        The ids, without the one that a text begins with; the mark at its end stands there where the text came to one.

    Raises:
        InputError: A score is NaN, or all ids are ruled out.
    """
    return _greedy(decoder, marks, wanted) if wanted.num_beams == 1 else _Beams(decoder, marks, wanted).run()


def _greedy(decoder: Decoder, marks: Marks, wanted: Search) -> list[int]:
    ids = np.full((1, 1), marks.start, np.int64)
    while ids.shape[1] < wanted.max_length:
        scores = _scores(decoder(ids[:, -1], np.zeros(1, np.int64)))
        best = int(np.argmax(processed(ids, scores, marks, wanted)[0]))
        ids = np.concatenate([ids, [[best]]], axis=1)
        if best == marks.end:
            break
    return [int(i) for i in ids[0, 1:]]


@dataclass
class _Beams:
    """Open beams (`ids`, `scores`) and finished texts (`texts`, `rates`, `done`), all in the order of their rate."""

    decoder: Decoder
    marks: Marks
    wanted: Search
    length: int = field(init=False, default=1)  # ids that every open beam has
    improvable: bool = field(init=False, default=True)

    def __post_init__(self) -> None:
        count = self.wanted.num_beams
        self.ids: Array = np.full((count, 1), self.marks.start, np.int64)
        self.scores: Array = np.full(count, _LOW, np.float32)
        self.scores[0] = 0  # the beams are alike at first: only one goes on
        self.texts: list[list[int]] = [[] for _ in range(count)]
        self.rates: Array = np.full(count, _LOW, np.float32)
        self.done: Array = np.zeros(count, bool)

    def run(self) -> list[int]:
        """Go on until nothing better can come."""
        parents = np.zeros(self.wanted.num_beams, np.int64)
        while True:
            scores = _scores(self.decoder(self.ids[:, -1], parents))
            logarithms = processed(self.ids, log_softmax(scores), self.marks, self.wanted) + self.scores[:, None]  # (B, V)
            kept, ends, order = self._ways(logarithms)
            self._finish(kept, ends, order)
            best = _best(kept + np.where(ends, _LOW, np.float32(0)), self.wanted.num_beams)
            self.scores = (kept + np.where(ends, _LOW, np.float32(0)))[best]
            parents, tokens = order[0][best], order[1][best]
            self.ids = np.concatenate([self.ids[parents], tokens[:, None]], axis=1)
            self.length += 1
            self.improvable = self.improvable and self._can_improve()
            full = self.wanted.early_stopping is True and bool(self.done.all())
            if not self.improvable or full or bool(ends.all()):
                return self.texts[0]

    def _ways(self, logarithms: Array) -> tuple[Array, Array, tuple[Array, Array]]:
        """Take the best ways on: their sums, whether they end, and which beam by which id."""
        size = logarithms.shape[1]
        flat = logarithms.reshape(-1)
        best = _best(flat, 2 * self.wanted.num_beams)
        parents, tokens = best // size, best % size
        ends = (tokens == self.marks.end) | (self.length + 1 >= self.wanted.max_length)
        return flat[best], ends, (parents, tokens)

    def _finish(self, kept: Array, ends: Array, order: tuple[Array, Array]) -> None:
        """Put what ends among the finished texts, where it is better than they are."""
        count = self.wanted.num_beams
        new = ends & (np.arange(len(ends)) < count)
        rates = kept / np.float32(float(self.length) ** self.wanted.length_penalty)
        if (self.wanted.early_stopping is True and self.done.all()) or not self.improvable:
            rates = rates + _LOW
        rates = np.concatenate([self.rates, rates + np.where(new, np.float32(0), _LOW)])
        done = np.concatenate([self.done, new])
        texts = self.texts + [[*map(int, self.ids[parent, 1:]), int(token)] for parent, token in zip(*order)]
        best = _best(rates, count)
        self.rates, self.done, self.texts = rates[best], done[best], [texts[i] for i in best]

    def _can_improve(self) -> bool:
        """Tell whether the best open beam may still surpass the worst finished text."""
        furthest = self.wanted.early_stopping == NEVER and self.wanted.length_penalty > 0
        length = (self.wanted.max_length if furthest else self.length) - 1
        possible = self.scores[0] / np.float32(float(length) ** self.wanted.length_penalty)
        return bool(np.any(possible > np.where(self.done, self.rates.min(), _LOW)))


def processed(ids: Array, scores: Array, marks: Marks, wanted: Search) -> Array:
    """Make what came before less likely, and rule out what must not come.

    Args:
        ids: (B, T) the texts up to here.
        scores: (B, V) float32 scores or their logarithms.
        marks: The end, which must not come before `min_length`.
        wanted: The penalty, and for how many ids nothing may come twice.

    Returns:
        (B, V) float32.
    """
    scores = scores.copy()
    if wanted.repetition_penalty != 1.0:
        penalty = np.float32(wanted.repetition_penalty)
        seen = np.take_along_axis(scores, ids, axis=1)
        np.put_along_axis(scores, ids, np.where(seen < 0, seen * penalty, seen / penalty), axis=1)
    if wanted.no_repeat_ngram_size:
        for row, text in enumerate(ids.tolist()):
            scores[row, list(_forbidden(text, wanted.no_repeat_ngram_size))] = -np.inf
    if ids.shape[1] < wanted.min_length:
        scores[:, marks.end] = -np.inf
    return scores


def log_softmax(scores: Array) -> Array:
    """Give the logarithms of the shares that (B, V) scores stand for, float32."""
    moved = scores - scores.max(axis=1, keepdims=True)
    logarithms: Array = moved - np.log(np.exp(moved).sum(axis=1, keepdims=True))
    return logarithms


def _forbidden(text: list[int], size: int) -> Iterable[int]:
    """Give the ids that would repeat a row of `size` ids."""
    if len(text) + 1 < size:
        return set()
    last = text[len(text) - size + 1 :]
    return {text[i + size - 1] for i in range(len(text) - size + 1) if text[i : i + size - 1] == last}


def _scores(scores: Array) -> Array:
    if np.isnan(scores).any():
        raise InputError("the model's scores are NaN, expected numbers; send another text")
    return scores


def _best(values: Array, count: int) -> Array:
    """Give the places of the largest values, the largest first; of equal ones the first."""
    if len(values) > 4 * count:  # sort only what can be among them
        least = np.partition(values, len(values) - count)[len(values) - count]
        candidates = np.flatnonzero(values >= least)
        return candidates[np.argsort(-values[candidates], kind="stable")[:count]]
    return np.argsort(-values, kind="stable")[:count]


def _whole(name: str, value: Any, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise InputError(f"{name} is {value!r}, expected a whole number from {least} to {most}")


def _number(name: str, value: Any, least: float, most: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or not least <= value <= most:
        raise InputError(f"{name} is {value!r}, expected a number from {least:g} to {most:g}")
