"""PNG files from pixels, with nothing but the standard library. Source: ISO/IEC 15948 (PNG), 8 bits a sample, no interlacing."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np

from edge.errors import InputError

MEDIA_TYPE = "image/png"
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {1: 0, 3: 2, 4: 6}  # channels: grey, RGB, RGBA


def encode(pixels: np.ndarray[Any, Any]) -> bytes:
    """Write a picture as PNG.

    Args:
        pixels: (H, W, C) uint8, of 1, 3 or 4 channels.

    Raises:
        InputError: It is no such array.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in _COLOUR_TYPES or 0 in pixels.shape:
        raise InputError(f"a picture is {pixels.dtype} {pixels.shape}, expected uint8 (height, width, 1, 3 or 4)")
    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    rows = np.zeros((height, 1 + width * channels), np.uint8)  # each row begins with its filter: none
    rows[:, 1:] = pixels.reshape(height, -1)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows.tobytes(), 6)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
