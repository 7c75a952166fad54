"""Samples that stand in two splits: a model that has seen its test questions is measured too well."""

from __future__ import annotations

import hashlib
from itertools import combinations

import numpy as np

from training.recipe import Array, Split, Splits


def shared(splits: Splits) -> dict[tuple[str, str], int]:
    """Count the samples whose inputs, to the last value, stand in two splits.

    Returns:
        For each two splits, how many different samples both hold.
    """
    keys = {part: set(fingerprints(split)) for part, split in splits.parts().items()}
    return {(one, other): len(keys[one] & keys[other]) for one, other in combinations(keys, 2)}


def repeated(split: Split) -> int:
    """Count the samples of a split that repeat the inputs of an earlier one."""
    return len(split) - len(set(fingerprints(split)))


def fingerprints(split: Split) -> list[bytes]:
    """Return a hash of each sample's inputs; targets do not count."""
    arrays: list[Array] = [np.ascontiguousarray(array) for array in split.inputs.values()]
    return [_fingerprint([array[row : row + 1] for array in arrays]) for row in range(len(split))]


def _fingerprint(values: list[Array]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for value in values:
        # Words count by their spelling: as bytes they are addresses (objects) or padded to the longest of their split.
        content = repr(value.tolist()).encode() if value.dtype.kind in "OUS" else value.tobytes()
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.digest()
