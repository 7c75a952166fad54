"""What a hostile flatbuffer says: offsets, lengths, kinds and sizes that lie, at the places where such numbers stand.

Source: FlatBuffers' documentation, "Internals": scalars and offsets are little-endian and aligned to their size.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fuzzing.mutations import LENGTHS, Random, mutate

SMALL = 1 << 16


def hostile(content: bytes, random: Random, donors: Sequence[bytes] = ()) -> bytes:
    """Change a flatbuffer: half of the time its words, else any of its bytes, so that both its tables and its weights are met.

    Args:
        content: A valid file.
        random: The generator that decides.
        donors: Other files, of which pieces are spliced in.
    """
    return _words(content, random) if random.random() < 0.5 else mutate(content, random, donors)


def _words(content: bytes, random: Random) -> bytes:
    """Write another value over one to four small words, which are mostly offsets, lengths and sizes, seldom weights."""
    size = int(random.choice([1, 2, 4, 4]))
    kind = np.dtype(f"<u{size}")
    words = np.frombuffer(content[: len(content) // size * size], kind).copy()
    small = np.flatnonzero((words > 0) & (words < SMALL)) if size > 1 else np.arange(len(words))
    for place in random.choice(small, int(random.integers(1, 5))) if len(small) else ():
        step = int(random.integers(-64, 65))
        value = LENGTHS[int(random.integers(len(LENGTHS)))] if random.random() < 0.5 else int(words[place]) + step
        words[place] = value & ((1 << 8 * size) - 1)
    return words.tobytes() + content[len(content) // size * size :]
