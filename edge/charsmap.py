"""SentencePiece's table of characters: which signs, and which rows of signs, a text is rewritten by before it is cut into pieces.

The table is a trie in a double array and behind it the replacements, each ended by a zero byte. Two programs read it in two
ways. SentencePiece takes at each place the longest row that the table has. The library `tokenizers` goes by what a reader
sees as one sign: such a cluster of less than six bytes is looked up as a whole, by the shortest row that it begins with, and
the characters of a longer one are looked up one by one. Both are here, since a model's pieces belong to one of them.

Source: T. Kudo, J. Richardson, "SentencePiece" (2018), section 3; S. Yata, "darts-clone" (the double array).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import numpy as np

from edge.errors import InputError

SHORT_CLUSTER_BYTES = 6
MOST_KEPT = 65_536
MOST_BYTES = 64  # of one row of the table; the longest of Unicode's has 18
_JOINERS = frozenset("\u200c\u200d\uff9e\uff9f") | frozenset(map(chr, range(0x1F3FB, 0x1F400)))  # without a category of their own
_VALUE, _LABEL = (1 << 31) - 1, (1 << 31) | 0xFF


class Charsmap:
    """A table that was read; calling it rewrites a text."""

    def __init__(self, blob: bytes, *, longest: bool) -> None:
        """Read a table; an empty one changes nothing.

        Args:
            blob: As the tokenizer's file holds it.
            longest: Rewrite as SentencePiece does, else as the library `tokenizers` does.

        Raises:
            InputError: It is damaged.
        """
        size = int.from_bytes(blob[:4], "little")
        if blob and (len(blob) < 8 or size % 4 or not 4 <= size <= len(blob) - 4):
            raise InputError(f"the table of characters is damaged ({len(blob)} bytes, of which its trie is said to have {size})")
        self._units: list[int] = np.frombuffer(blob[4 : 4 + size], "<u4").tolist() if blob else []
        self._texts, self._longest = blob[4 + size :], longest
        self._kept: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        """Rewrite a text.

        Raises:
            InputError: The table points outside of itself.
        """
        if not self._units:
            return text
        try:
            return self._by_longest(text) if self._longest else "".join(map(self._cluster, clusters(text)))
        except (IndexError, UnicodeDecodeError):
            raise InputError("the table of characters is damaged: it points outside of itself; copy the tokenizer again") from None

    def _by_longest(self, text: str) -> str:
        content, place, found = text.encode(), 0, list[bytes]()
        while place < len(content):
            rows = list(self._rows(content, place))
            if rows:
                length, value = rows[-1]
                found.append(self._replacement(value))
            else:
                length = _width(content[place])
                found.append(content[place : place + length])
            place += length
        return b"".join(found).decode()

    def _cluster(self, cluster: str) -> str:
        known = self._kept.get(cluster)
        if known is None:
            short = len(cluster.encode()) < SHORT_CLUSTER_BYTES
            whole = self._shortest(cluster) if short else None
            known = "".join(self._one(sign) for sign in cluster) if whole is None else whole
            if len(self._kept) < MOST_KEPT:
                self._kept[cluster] = known
        return known

    def _one(self, sign: str) -> str:
        found = self._shortest(sign)
        return sign if found is None else found

    def _shortest(self, text: str) -> str | None:
        row = next(self._rows(text.encode(), 0), None)
        return None if row is None else self._replacement(row[1]).decode()

    def _replacement(self, place: int) -> bytes:
        end = self._texts.find(b"\0", place)
        if not 0 <= place <= end:
            raise IndexError(place)
        return self._texts[place:end]

    def _rows(self, content: bytes, place: int) -> Iterator[tuple[int, int]]:
        """Go through the rows of the table that stand at a place, the shortest first: length in bytes, and where its text is."""
        units = self._units
        node = _offset(units[0])
        for number, byte in enumerate(content[place : place + MOST_BYTES], 1):
            if byte == 0:
                return
            node ^= byte
            unit = units[node]
            if unit & _LABEL != byte:
                return
            node ^= _offset(unit)
            if unit >> 8 & 1:
                yield number, units[node] & _VALUE


def clusters(text: str) -> Iterator[str]:
    """Cut a text into what a reader sees as one sign each: a character and the marks that join it.

    Source: Unicode Standard Annex 29, without its rules for Hangul and flags: their clusters have six bytes or more.
    """
    start = 0
    for place in range(1, len(text) + 1):
        if place == len(text) or not _joins(text[place - 1], text[place]):
            yield text[start:place]
            start = place


def _joins(before: str, sign: str) -> bool:
    if before == "\r":
        return sign == "\n"
    if sign < "\u0300" or _breaks(before):
        return False
    return sign in _JOINERS or unicodedata.category(sign) in ("Mn", "Me", "Mc")


def _breaks(sign: str) -> bool:
    return sign not in "\u200c\u200d" and unicodedata.category(sign) in ("Cc", "Cf", "Zl", "Zp")


def _offset(unit: int) -> int:
    return (unit >> 10) << ((unit & 1 << 9) >> 6)


def _width(first: int) -> int:
    """Give the bytes of a character in UTF-8 by its first one."""
    return 1 if first < 0x80 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4
