"""The words that could stand in a gap: from scores of all pieces of a tokenizer's vocabulary to the likeliest of them.

The words come out of the `tokenizer.json` that numbered the text, which is plain data; no library is needed for it.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import BundleError, ContractError
from edge.steps.context import Context
from edge.steps.scores import Ranked
from edge.steps.text import asset_path
from edge.storage import safe_relative

MOST = 100
MAX_BYTES = 64 << 20


def likely_words(value: Any, context: Context, *, tokenizer: str = "tokenizer.json", k: int = 5) -> tuple[Ranked, ...]:
    """Name the likeliest words; marks such as [CLS] are none, and a piece that goes on with a word begins with ##.

    Args:
        value: (V,) scores, higher is better, one for each piece of the vocabulary.
        context: Gives the folder of assets.
        tokenizer: The asset's path.
        k: How many to give at most.

    Returns:
        The best first; among equals the lower index first.

    Raises:
        ContractError: The value is no row of scores.
        BundleError: The tokenizer is missing or damaged, or has pieces that the model does not score.
    """
    if not isinstance(value, np.ndarray) or value.ndim != 1:
        raise ContractError("likely_words got no scores (V,); mend the order of the contract's postprocess steps")
    words = _words(*asset_path(context, tokenizer, "likely_words"))
    if max(words) >= len(value):
        raise BundleError(f"{tokenizer}: has the piece {max(words)}, the model gives {len(value)} scores; they are not of one model")
    best = np.argsort(-value, kind="stable")
    found = (int(number) for number in best if int(number) in words)
    return tuple(Ranked(words[number], number, float(value[number])) for number, _ in zip(found, range(k)))


def check_likely_words(tokenizer: Any = "tokenizer.json", k: Any = 5) -> str:
    """Say what is wrong with the parameters of `likely_words`; empty where nothing is."""
    if type(k) is not int or not 1 <= k <= MOST:
        return f"has k={k!r}, expected a whole number from 1 to {MOST}"
    if not isinstance(tokenizer, str) or not safe_relative(tokenizer):
        return f"has tokenizer={tokenizer!r}, expected the path of an asset"
    return ""


@lru_cache(maxsize=4)
def _words(path: Path, _changed: int, size: int) -> dict[int, str]:
    """Read the pieces by number, without the marks; a file that was changed since is read again."""
    if size > MAX_BYTES:
        raise BundleError(f"{path}: {size} bytes, expected at most {MAX_BYTES}")
    try:
        told = json.loads(path.read_bytes())
        pieces = {int(number): str(piece) for piece, number in told["model"]["vocab"].items()}
        marks = {int(one["id"]) for one in told.get("added_tokens") or () if one.get("special")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BundleError(f"{path}: no tokenizer with a vocabulary ({str(error)[:100]}); copy the bundle again") from None
    words = {number: piece for number, piece in pieces.items() if number not in marks}
    if not words:
        raise BundleError(f"{path}: has no words in its vocabulary; copy the bundle again")
    return words
