"""Sentences of English and Chinese texts: where each begins and ends, in one pass over the text.

An end is `.`, `!` or `?` before a space, or `。`, `！` or `？` anywhere, with the quotes and brackets that close behind it; and an
empty line. No end is the point of an abbreviation, of an initial, of a number, or one after which the text goes on in small
letters. What has no end for long is cut at a pause, at a space, or, where there is neither, in the middle.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_SIGNS = 1000  # of one sentence
_CLOSING = "\"'\u201d\u2019\u00bb)\\]}\u300d\u300f\uff09\u3011\u300b"
_END = re.compile(
    rf"(?P<wide>[\u3002\uff01\uff1f][\u3002\uff01\uff1f!?]*)[{_CLOSING}]*"
    rf"|(?P<mark>[.!?\u2026]+)[{_CLOSING}]*(?=\s|$)"
    r"|\n[ \t\r\f\v]*\n\s*"
)
_WORD = re.compile(r"[^\s\"'(\[{\u201c\u2018]{1,24}$")
_NEXT = re.compile(r"\s*[\"'(\[{\u201c\u2018\u00ab]*(\w{0,24})")
_INITIALS = re.compile(r"(?:[^\W\d_]\.)+")
_PAUSE = re.compile(r"[,;:\uff0c\uff1b\uff1a\u3001]\s*|\s+")
_GOES_ON = frozenset("\uff0c\u3001\uff1b\u3002,;")  # behind a closing quote they go on with the sentence


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Points behind these end no sentence; behind the second row where a number follows, behind the third where none of the fourth does.
_NEVER = _words("mr mrs ms dr prof rev hon gen col lt capt sgt st sr jr messrs vs e.g i.e cf al fig eq approx ca")
_BEFORE_NUMBER = _words("no nos vol p pp art sec ch jan feb mar apr jun jul aug sep sept oct nov dec")
_MAYBE = _words("etc inc corp co ltd bros u.s u.k u.n a.m p.m ph.d b.c a.d dept est")
_STARTERS = _words(
    "a after all also an and another as at because before but by despite during each even every for from he her his how however i if in "
    "it its last later many meanwhile more most my no nobody not now on one only our she since so some such that the their then there "
    "these they this those though to today under until we what when where while who why with yet you your"
)


@dataclass(frozen=True)
class Sentence:
    """A sentence without the space around it, and its place in the text: `text[start:end]`."""

    text: str
    start: int
    end: int


def split(text: str) -> list[Sentence]:
    """Give the sentences of a text in their order; none where there is nothing but space.

    Args:
        text: English, Chinese, or both.

    Returns:
        Sentences of at most 1,000 signs.
    """
    return [piece for start, end in _spans(text) for piece in _pieces(text, start, end)]


def count_words(text: str) -> int:
    """Count words: runs of letters and digits, and each sign of a script without spaces."""
    return len(_COUNTED.findall(text))


_COUNTED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]|[^\W\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff_]+")


def _spans(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for found in _END.finditer(text):
        if found["wide"] is not None:
            ends = text[found.end() : found.end() + 1] not in _GOES_ON
        else:
            ends = found["mark"] is None or _is_end(text, start, found)
        if ends:
            yield start, found.end()
            start = found.end()
    yield start, len(text)


def _is_end(text: str, start: int, found: re.Match[str]) -> bool:
    """Tell whether marks before a space end a sentence."""
    follows = _NEXT.match(text, found.end())
    word = follows[1] if follows else ""
    if word[:1].islower():
        return False
    if found["mark"] != ".":
        return True
    if found.end() > found.start() + 1:  # a quote or bracket closes behind the point
        return True
    last = _WORD.search(text, max(start, found.start() - 24), found.start())
    before = last[0] if last else ""
    plain = before.lower()
    if plain in _NEVER or (plain in _BEFORE_NUMBER and word[:1].isdigit()):
        return False
    if plain in _MAYBE or (len(before) > 1 and _INITIALS.fullmatch(f"{before}.")):
        return word.lower() in _STARTERS or not word
    single = len(before) == 1 and before.isalpha() and before.isupper() and before != "I"
    listed = before.isdigit() and len(before) <= 3 and not text[start : found.start() - len(before)].strip()  # "1." at the head of a list
    return not (single and word) and not listed


def _pieces(text: str, start: int, end: int) -> Iterator[Sentence]:
    """Give a sentence without the space around it, in pieces where it is too long."""
    while start < end:
        stop = min(end, start + MAX_SIGNS)
        if stop < end:
            pauses = [found.end() for found in _PAUSE.finditer(text, start + MAX_SIGNS // 2, stop)]
            stop = pauses[-1] if pauses else stop
        piece = text[start:stop]
        left = len(piece) - len(piece.lstrip())
        if piece.strip():
            yield Sentence(piece.strip(), start + left, start + left + len(piece.strip()))
        start = stop
