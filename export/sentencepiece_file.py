"""`spiece.model`, SentencePiece's own file, read without its library and made a `tokenizer.json` of.

The file is a protocol buffer; only the fields that a tokenizer needs are looked at, and nothing in it is run.

Source: Protocol Buffers, "Encoding" (the wire format); SentencePiece, `sentencepiece_model.proto` (the numbers of the fields).
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from typing import Any

from edge.errors import ConversionError

PIECES, TRAINER, NORMALIZER = 1, 2, 3
PIECE, SCORE, KIND = 1, 2, 3
MODEL_KIND, UNIGRAM = 3, 1
UNKNOWN_KIND, CONTROL_KIND = 2, 3
BYTE_KIND = 6
CHARSMAP = 2
EXTRA_IDS = 100
Field = tuple[int, int | bytes]


def tokenizer(content: bytes, vocabulary: int) -> dict[str, Any]:
    """Make the content of a `tokenizer.json` as T5 has it: the end's mark behind a text, and `<extra_id_…>` after the pieces.

    Args:
        content: The file.
        vocabulary: How many ids the model has; as many marks are added as it has room for, 100 at most.

    Raises:
        ConversionError: It is damaged, or of another kind than unigram.
    """
    try:
        pieces, kinds, table = _read(content)
    except (IndexError, struct.error, UnicodeDecodeError, TypeError) as error:
        raise ConversionError(f"spiece.model: damaged ({type(error).__name__}); copy the folder again") from None
    unknown = next((i for i, kind in enumerate(kinds) if kind == UNKNOWN_KIND), None)
    end = next((i for i, (piece, _) in enumerate(pieces) if piece == "</s>"), None)
    if unknown is None or end is None or BYTE_KIND in kinds:
        raise ConversionError("spiece.model: no pieces of a T5 (one for the unknown, </s> at the end, none for single bytes)")
    marks = [(piece, i) for i, ((piece, _), kind) in enumerate(zip(pieces, kinds, strict=True)) if kind in (UNKNOWN_KIND, CONTROL_KIND)]
    extra = max(0, min(EXTRA_IDS, vocabulary - len(pieces)))
    marks += [(f"<extra_id_{extra - 1 - i}>", len(pieces) + i) for i in range(extra)]
    return {
        "version": "1.0",
        "added_tokens": [{"id": i, "content": mark, "special": True, "normalized": False} for mark, i in marks],
        "normalizer": {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(table).decode(), "longest": True},
        "pre_tokenizer": {"type": "Metaspace", "replacement": "\N{LOWER ONE EIGHTH BLOCK}", "prepend_scheme": "always", "split": True},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
            "special_tokens": {"</s>": {"id": "</s>", "ids": [end], "tokens": ["</s>"]}},
        },
        "model": {"type": "Unigram", "unk_id": unknown, "vocab": [[piece, score] for piece, score in pieces]},
    }


def _read(content: bytes) -> tuple[list[tuple[str, float]], list[int], bytes]:
    """Give the pieces with their scores, their kinds, and the table of characters."""
    pieces, kinds, table = list[tuple[str, float]](), list[int](), b""
    for number, value in _fields(content):
        if number == PIECES:
            told = dict(_fields(_bytes(value)))
            score = struct.unpack("<f", _bytes(told.get(SCORE, b"\0" * 4)))[0]
            pieces.append((_bytes(told[PIECE]).decode("utf-8") if PIECE in told else "", score))
            kinds.append(_whole(told.get(KIND, 1)))
        elif number == TRAINER and dict(_fields(_bytes(value))).get(MODEL_KIND, UNIGRAM) != UNIGRAM:
            raise ConversionError("spiece.model: is no unigram model, which is what T5 has; bring tokenizer.json with the step wordpiece")
        elif number == NORMALIZER:
            table = _bytes(dict(_fields(_bytes(value))).get(CHARSMAP, b""))
    return pieces, kinds, table


def _fields(content: bytes) -> Iterator[Field]:
    """Go through the fields of a message: their number, and a whole number or bytes (of four or eight for a fixed number)."""
    place = 0
    while place < len(content):
        key, place = _varint(content, place)
        kind = key & 7
        if kind == 0:
            value, place = _varint(content, place)
            yield key >> 3, value
            continue
        if kind == 2:
            size, place = _varint(content, place)
        else:
            size = {1: 8, 5: 4}.get(kind, -1)
        if size < 0 or place + size > len(content):
            raise IndexError(place)
        yield key >> 3, content[place : place + size]
        place += size


def _varint(content: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
        if shift > 63:
            raise IndexError(place)


def _bytes(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError("a number stands where bytes are expected")
    return value


def _whole(value: int | bytes) -> int:
    if not isinstance(value, int):
        raise TypeError("bytes stand where a number is expected")
    return value
