"""Sources of frames for `Model.stream` and systems: a camera program's stream of JPEG pictures, and a folder that pictures come into.

Both need the standard library alone: on a Raspberry Pi, `rpicam-vid --codec mjpeg -t 0 -o -` writes such a stream.

Source: ITU-T T.81 (JPEG), annex B: markers and segments.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Callable, Optional

from edge.errors import InputError
from edge.stream import PICTURES

MOST_BYTES = 32 << 20  # of one picture
POLL_S = 0.5
_PIECE = 1 << 16
_BEGIN, _END, _SCAN = b"\xff\xd8", 0xD9, 0xDA
_BARE = frozenset((0x01, *range(0xD0, 0xD8)))  # markers without a segment behind them


def jpegs(stream: IO[bytes]) -> Iterator[bytes]:
    """Give the pictures of a stream of JPEG pictures, one after another, as each has come whole; what lies between them is passed over.

    Args:
        stream: Read in pieces, as they come.

    Raises:
        InputError: There is no end to a picture.
    """
    held = b""
    while piece := _read(stream):
        held += piece
        while True:
            begin = held.find(_BEGIN)
            if begin < 0:
                held = held[-1:]
                break
            held = held[begin:]
            end = end_of(held)
            if end is None:
                break
            if end:
                yield held[:end]
            held = held[max(end, len(_BEGIN)) :]
        if len(held) > MOST_BYTES:
            raise InputError(f"a picture of the stream has more than {MOST_BYTES} bytes, expected JPEG pictures one after another")


def end_of(held: bytes) -> Optional[int]:
    """Find where a JPEG picture ends that bytes begin with; None where it has not ended, 0 where it is none.

    Segments are passed over by their lengths: a small preview in one of them has an end of its own.
    """
    place = len(_BEGIN)
    while place + 1 < len(held):
        if held[place] != 0xFF:
            return 0
        marker = held[place + 1]
        if marker == _END:
            return place + 2
        if marker == 0xFF:  # fills up
            place += 1
        elif marker in _BARE:
            place += 2
        elif place + 3 < len(held):
            place += 2 + max(int.from_bytes(held[place + 2 : place + 4], "big"), 2)
            place = _behind_scan(held, place) if marker == _SCAN else place
        else:
            return None
    return None


def appearing(folder: Path, *, until: Callable[[], bool] = lambda: False, poll_s: float = POLL_S) -> Iterator[Path]:
    """Give the pictures of a folder, and then those that come into it, each once it has stopped growing.

    Args:
        folder: Where they come.
        until: Asked each time when none could be given; where it says so, this ends.
        poll_s: How long to wait before looking again.

    Raises:
        InputError: There is no such folder, or it goes away.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give one that pictures come into")
    given: set[Path] = set()
    sizes: dict[Path, int] = {}
    while True:
        try:
            fresh = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES and path not in given)
        except OSError as error:
            raise InputError(f"{folder}: cannot be read any more ({error.strerror}); mount it or make it again, and begin anew") from None
        found = {path: _size(path) for path in fresh}
        ready = [path for path in fresh if found[path] and sizes.get(path) == found[path]]
        given.update(ready)
        yield from ready
        if not ready and until():
            return
        sizes = found
        time.sleep(poll_s)


def _behind_scan(held: bytes, place: int) -> int:
    """Find the marker behind the compressed data of a scan, in which 0xFF is followed by 0 or is a mark to begin again at."""
    while True:
        place = held.find(b"\xff", place)
        if place < 0 or place + 1 >= len(held):
            return len(held)
        if held[place + 1] and held[place + 1] not in _BARE:
            return place
        place += 2


def _read(stream: IO[bytes]) -> bytes:
    """Read what is there, without waiting for more of it."""
    read = getattr(stream, "read1", stream.read)
    piece: bytes = read(_PIECE)
    return piece


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # it has gone again
        return 0
