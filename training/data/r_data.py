"""Data of an installed R package: the database `Rdata.rdb` and its index, read as plain values; nothing in them is run.

Numbers, texts, lists and their attributes are read, which is what data sets are made of. Functions, environments and
expressions, which could hold code, are refused.

Source: R Internals, section 1.8, "Serialization Formats"; the layout of `.rdb` and `.rdx` is that of `lazyLoadDBfetch`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Any

from edge.errors import InputError

MAX_BYTES = 1 << 28  # of one value, unpacked
MAX_DEPTH = 50
_HEAD = b"X\n"  # big-endian binary; the other two forms are not met in packages
_SYMBOL, _PAIRS, _CHARACTERS, _LOGICAL, _WHOLE, _REAL, _TEXTS, _LIST = 1, 2, 9, 10, 13, 14, 16, 19
_NULL, _REFERENCE = 254, 255
_LATIN1 = 1 << 2  # of a text; the others are ASCII or UTF-8
_MISSING = -1


def read_database(index: bytes, database: bytes, where: str) -> dict[str, Any]:
    """Read every variable of a package's data.

    Args:
        index: The content of `Rdata.rdx`.
        database: The content of `Rdata.rdb`.
        where: Of both, for messages.

    Returns:
        By name: lists of int, float, str or None (missing); lists of such; mappings where a list has names.

    Raises:
        InputError: They are damaged, larger than is read, or hold what is no data.
    """
    try:
        listed = _unserialised(_unpacked(index, 31, len(index) * 1000 + 1000))
        variables = listed["variables"]
        return {name: _unserialised(_member(database, *place)) for name, place in variables.items()}
    except (struct.error, zlib.error, UnicodeDecodeError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InputError(f"{where}: cannot be read as R's data ({error}); the package holds another content than expected") from None


def _member(database: bytes, start: int, size: int) -> bytes:
    """Unpack one value: four bytes tell its size, then zlib."""
    if start < 0 or size < 5 or start + size > len(database):
        raise ValueError(f"a value at {start} of {size} bytes, in {len(database)}")
    (unpacked,) = struct.unpack_from(">I", database, start)
    return _unpacked(database[start + 4 : start + size], zlib.MAX_WBITS, unpacked)


def _unpacked(content: bytes, window: int, most: int) -> bytes:
    """Unpack no more than `most` bytes."""
    if most > MAX_BYTES:
        raise ValueError(f"{most} bytes unpacked, expected at most {MAX_BYTES}")
    reader = zlib.decompressobj(window)
    unpacked = reader.decompress(content, most)
    if not reader.eof and reader.decompress(reader.unconsumed_tail, 1):
        raise ValueError(f"unpacks to more than {most} bytes")
    return unpacked


def _unserialised(content: bytes) -> Any:
    """Read one value and all in it."""
    if content[:2] != _HEAD:
        raise ValueError(f"begins with {content[:2]!r}, expected {_HEAD!r}")
    return _Reader(content).whole()


class _Reader:
    """Reads a serialised value from its beginning to its end."""

    def __init__(self, content: bytes) -> None:
        self._content, self._place = content, len(_HEAD)
        self._known: list[Any] = []  # what later places refer to

    def whole(self) -> Any:
        """Read head and value."""
        version, _, _ = (self._int() for _ in range(3))
        if version == 3:
            self._bytes(self._int())  # the encoding of texts whose own is not told
        elif version != 2:
            raise ValueError(f"version {version}, expected 2 or 3")
        return self._value(0)

    def _value(self, depth: int) -> Any:
        flags = self._int()
        kind, attributes, tagged = flags & 255, bool(flags & 1 << 9), bool(flags & 1 << 10)
        if depth > MAX_DEPTH:
            raise ValueError(f"more than {MAX_DEPTH} values within one another")
        if kind == _NULL:
            return None
        if kind == _SYMBOL:
            self._known.append(self._value(depth + 1))
            return self._known[-1]
        if kind == _REFERENCE:
            return self._known[(flags >> 8 or self._int()) - 1]
        if kind == _CHARACTERS:
            return self._text(flags >> 12)
        if kind == _PAIRS:
            return self._pairs(attributes, tagged, depth)
        return self._vector(kind, attributes, depth)

    def _vector(self, kind: int, attributes: bool, depth: int) -> Any:
        count = self._int()
        if not 0 <= count <= len(self._content):
            raise ValueError(f"a vector of {count} values in {len(self._content)} bytes")
        found: list[Any]
        if kind in (_LOGICAL, _WHOLE):
            found = list(struct.unpack(f">{count}i", self._bytes(4 * count)))
        elif kind == _REAL:
            found = list(struct.unpack(f">{count}d", self._bytes(8 * count)))
        elif kind in (_TEXTS, _LIST):
            found = [self._value(depth + 1) for _ in range(count)]
        else:
            raise ValueError(f"a value of type {kind}, expected numbers, texts or lists")
        said = self._value(depth + 1) if attributes else None
        names = said.get("names") if isinstance(said, Mapping) else None
        return dict(zip(names, found, strict=True)) if names else found

    def _pairs(self, attributes: bool, tagged: bool, depth: int) -> dict[str, Any]:
        """Read a chain of values, each with its name."""
        found: dict[str, Any] = {}
        while True:
            if attributes or not tagged:
                raise ValueError("a chain of values without names, expected attributes")
            name = self._value(depth + 1)
            found[name] = self._value(depth + 1)
            flags = self._int()
            if flags & 255 == _NULL:
                return found
            if flags & 255 != _PAIRS:
                raise ValueError(f"a chain goes on with type {flags & 255}")
            attributes, tagged = bool(flags & 1 << 9), bool(flags & 1 << 10)

    def _text(self, encoding: int) -> str | None:
        size = self._int()
        if size == _MISSING:
            return None
        return self._bytes(size).decode("latin-1" if encoding & _LATIN1 else "utf-8")

    def _int(self) -> int:
        return int.from_bytes(self._bytes(4), "big", signed=True)

    def _bytes(self, count: int) -> bytes:
        if count < 0 or self._place + count > len(self._content):
            raise ValueError(f"cut short at {self._place} of {len(self._content)} bytes")
        self._place += count
        return self._content[self._place - count : self._place]
