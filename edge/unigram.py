"""Pieces of words by a unigram model, as T5 has them, from a `tokenizer.json`: a text to ids and ids to a text, in plain Python.

Of all ways to cut a word into known pieces the likeliest is taken; a sign that no piece has costs more than any of them. The
file says how a text is cleaned first (`normalizer`), where it is parted (`pre_tokenizer`), and what stands at its end.

Source: T. Kudo, "Subword Regularization" (2018), section 3.1 (the model); A. Viterbi (1967) (the search).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from edge.charsmap import Charsmap
from edge.errors import BundleError, InputError
from edge.unigram_rules import SPACE, normalizer, pre_tokenizer, stripped

UNKNOWN_PENALTY = 10.0
MOST_WORDS_KEPT = 65_536


@dataclass(frozen=True)
class Added:
    """A mark that is looked for in a text before anything else, and what beside it belongs to it."""

    content: str
    id: int
    special: bool
    lstrip: bool = False
    rstrip: bool = False


@dataclass
class Unigram:
    """A tokenizer that was read.

    `pieces` are in the order of their ids, with the logarithm of their share; `after` are the ids that end a text.
    """

    pieces: tuple[tuple[str, float], ...]
    unknown: int
    added: tuple[Added, ...]
    after: tuple[int, ...]
    clean: Callable[[str], str]
    part: Callable[[str, bool], Iterator[str]]
    _ids: Mapping[str, int] = field(init=False, repr=False)
    _names: Mapping[int, str] = field(init=False, repr=False)
    _kept: dict[str, list[int]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Learn the longest piece and the price of an unknown sign."""
        self._ids = {piece: number for number, (piece, _) in enumerate(self.pieces)}
        self._names = {**{i: piece for i, (piece, _) in enumerate(self.pieces)}, **{mark.id: mark.content for mark in self.added}}
        self.longest = max((len(piece) for piece, _ in self.pieces), default=1)
        self._unknown_score = min((score for _, score in self.pieces), default=0.0) - UNKNOWN_PENALTY
        marks = sorted((mark for mark in self.added if mark.content), key=lambda mark: -len(mark.content))
        self._marks = {mark.content: mark for mark in marks}
        self._finder = re.compile(f"({'|'.join(re.escape(mark.content) for mark in marks)})") if marks else None

    @property
    def size(self) -> int:
        """How many ids there are: one more than the largest."""
        return 1 + max(self._names, default=-1)

    def encode(self, text: str, most: int) -> list[int]:
        """Turn a text into ids, with those that end it; a longer text is cut so that they stay.

        Args:
            text: The text; it is read as far as so many ids can need.
            most: The most ids, those at the end included.

        Raises:
            InputError: The table of characters is damaged.
        """
        room = max(0, most - len(self.after))
        found: list[int] = []
        for ids in self._parts(text):
            found += ids
            if len(found) >= room:
                break
        return [*found[:room], *self.after][:most]

    def decode(self, ids: Iterable[int]) -> str:
        """Turn ids into a text; marks, and ids that stand for nothing, are left out."""
        special = {mark.id for mark in self.added if mark.special}
        text = "".join(self._names[i] for i in ids if i in self._names and i not in special)
        return text.replace(SPACE, " ").strip(" ")

    def _parts(self, text: str) -> Iterator[list[int]]:
        """Go through the marks in a text and the words between them; marks stand at the odd places."""
        parts = self._finder.split(text) if self._finder else [text]
        for place in range(1, len(parts), 2):
            mark = self._marks[parts[place]]
            parts[place - 1] = stripped(parts[place - 1], False, mark.lstrip)
            parts[place + 1] = stripped(parts[place + 1], mark.rstrip, False)
        for place, part in enumerate(parts):
            if place % 2:
                yield [self._marks[part].id]
                continue
            for word in self.part(self.clean(part), place == 0):
                yield self._word(word)

    def _word(self, word: str) -> list[int]:
        known = self._kept.get(word)
        if known is None:
            known = self._likeliest(word)
            if len(self._kept) < MOST_WORDS_KEPT and len(word) <= 64:
                self._kept[word] = known
        return known

    def _likeliest(self, word: str) -> list[int]:
        """Cut a word into its likeliest pieces; neighbouring unknown signs are one."""
        ids, pieces, longest = self._ids, self.pieces, self.longest
        scores: list[float] = [0.0] + [0.0] * len(word)
        came: list[Optional[tuple[int, int]]] = [None] * (len(word) + 1)  # where the best way here came from, by which piece
        for start in range(len(word)):
            here, single = scores[start], False
            for end in range(start + 1, min(start + longest, len(word)) + 1):
                number = ids.get(word[start:end])
                if number is None:
                    continue
                single = single or end == start + 1
                score = pieces[number][1] + here
                if came[end] is None or score > scores[end]:
                    scores[end], came[end] = score, (start, number)
            score = self._unknown_score + here
            if not single and (came[start + 1] is None or score > scores[start + 1]):
                scores[start + 1], came[start + 1] = score, (start, self.unknown)
        return self._back(came)

    def _back(self, came: list[Optional[tuple[int, int]]]) -> list[int]:
        found: list[int] = []
        place = len(came) - 1
        while place > 0:
            step = came[place]
            if step is None:  # never: every sign is reached, if only as an unknown one
                raise InputError(f"no way to cut the text at sign {place}")
            place, number = step
            if not (number == self.unknown and found and found[-1] == self.unknown):
                found.append(number)
        return found[::-1]


def loads(content: bytes, where: str) -> Unigram:
    """Read a `tokenizer.json`.

    Args:
        content: The file.
        where: What messages call it.

    Raises:
        BundleError: It is damaged, of another kind than unigram, or has rules that are not known here; the message names them.
    """
    try:
        told = json.loads(content)
        return _read(told, where)
    except BundleError:
        raise
    except InputError as error:
        raise BundleError(f"{where}: {error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, binascii.Error) as error:
        raise BundleError(f"{where}: no tokenizer can be read from it ({type(error).__name__}: {str(error)[:120]})") from None


def _read(told: Mapping[str, Any], where: str) -> Unigram:
    model = told["model"]
    kind = model.get("type", "Unigram" if isinstance(model.get("vocab"), list) else "another kind")
    if kind != "Unigram" or model.get("byte_fallback"):
        came = "Unigram that falls back to bytes" if kind == "Unigram" else str(kind)[:40]
        raise BundleError(f"{where}: its model is {came}, expected Unigram without bytes, as T5 has it; use the step wordpiece for others")
    pieces = tuple((str(piece), float(score)) for piece, score in model["vocab"])
    unknown = model.get("unk_id")
    if type(unknown) is not int or not 0 <= unknown < len(pieces) or len({piece for piece, _ in pieces}) != len(pieces):
        raise BundleError(f"{where}: {len(pieces)} pieces with unk_id {unknown!r}, expected pieces that differ, one for the unknown")
    added = tuple(_added(each) for each in told.get("added_tokens") or [])
    return Unigram(
        pieces=pieces,
        unknown=unknown,
        added=added,
        after=_after(told.get("post_processor"), where),
        clean=normalizer(told.get("normalizer"), _table, where),
        part=pre_tokenizer(told.get("pre_tokenizer"), where),
    )


def _table(rule: Mapping[str, Any]) -> Callable[[str], str]:
    """Read a table of characters; `longest`, which is ours, says that it came without rules, and that SentencePiece's own hold."""
    longest = bool(rule.get("longest", False))
    table = Charsmap(base64.b64decode(rule["precompiled_charsmap"] or ""), longest=longest)
    return (lambda text: " ".join(filter(None, table(text).replace(SPACE, " ").split(" ")))) if longest else table


def _added(told: Mapping[str, Any]) -> Added:
    sides = {name: bool(told.get(name)) for name in ("lstrip", "rstrip")}
    return Added(str(told["content"]), int(told["id"]), bool(told.get("special")), **sides)


def _after(told: Any, where: str) -> tuple[int, ...]:
    """Give the ids that the file puts behind a single text."""
    if told is None:
        return ()
    if told.get("type") != "TemplateProcessing":
        raise BundleError(f"{where}: its post_processor is {str(told.get('type'))[:40]}, expected TemplateProcessing")
    row = [next(iter(each.items())) for each in told["single"]]
    if not row or row[0][0] != "Sequence" or any(kind != "SpecialToken" for kind, _ in row[1:]):
        raise BundleError(f"{where}: its post_processor puts marks before a text, expected them behind it alone")
    return tuple(int(i) for _, part in row[1:] for i in told["special_tokens"][part["id"]]["ids"])
