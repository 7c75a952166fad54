"""Texts for models of tables: which words a message holds, as a code by place or as weights by term.

Both read words as `tokenize` does (`edge.steps.text`), from assets that training wrote; numpy only.
"""

from __future__ import annotations

import math
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import BundleError, InputError
from edge.steps.context import Context
from edge.steps.text import MAX_LENGTH, alphabet, asset_lines, asset_path, check_script, check_switches, text_of, tokenize, tokens
from edge.storage import safe_relative

FILLING, OTHER, MARKED = 0, 1, 2
MAX_TERMS = 100_000
Row = np.ndarray[Any, np.dtype[np.float32]]


def mark_words(
    value: Any,
    context: Context,
    *,
    length: int,
    words: str = "words.txt",
    markup: bool = False,
    signs: bool = True,
    own_script: bool = False,
) -> Row:
    """Turn a text into a code of its words: 2 for one of the list, 1 for another, 0 where the text has ended.

    Args:
        value: The text; or the path of a UTF-8 file that holds it.
        context: Gives the folder of assets.
        length: How many words the code has: longer texts are cut, shorter ones filled up with 0.
        words: The path of the asset with the list, one word a line.
        markup: As in `tokenize`.
        signs: As in `tokenize`.
        own_script: As in `tokenize`.

    Returns:
        (length,) float32.

    Raises:
        InputError: The value is no text, there is no word in it, or it is in another script.
        TooLargeError: The text is longer than a million characters.
        BundleError: The list is missing or damaged.
    """
    ids = tokenize(value, context, length=length, vocabulary=words, markup=markup, signs=signs, own_script=own_script)
    return np.minimum(ids, MARKED).astype(np.float32)  # whatever stands in the list has a number of 2 or more


def weigh_terms(
    value: Any, context: Context, *, terms: str = "terms.tsv", markup: bool = False, signs: bool = True, own_script: bool = False
) -> Row:
    """Turn a text into the weight of each term: how often it stands there, times how rare it is in the training texts.

    The row has length 1 (Euclidean); it is all zeros where no term is known.
    Source: TF-IDF (Salton and Buckley, Term-weighting approaches in automatic text retrieval, 1988).

    Args:
        value: The text; or the path of a UTF-8 file that holds it.
        context: Gives the folder of assets.
        terms: The path of the asset with the terms: one a line, a tab, its inverse document frequency.
        markup: As in `tokenize`.
        signs: As in `tokenize`.
        own_script: As in `tokenize`.

    Returns:
        (T,) float32, in the order of the terms.

    Raises:
        InputError: The value is no text, there is no word in it, or it is in another script.
        TooLargeError: The text is longer than a million characters.
        BundleError: The terms are missing or damaged.
    """
    found = tokens(text_of(value), "words", markup, signs)
    if not found:
        raise InputError("the text is empty, expected one word or more")
    weights, letters = _read(*asset_path(context, terms, "weigh_terms"))
    if own_script:
        check_script(found, letters)
    row = np.zeros(len(weights), dtype=np.float64)
    for word, count in Counter(found).items():
        if word in weights:
            place, rarity = weights[word]
            row[place] = count * rarity
    norm = math.sqrt(float(row @ row))
    return (row / norm if norm else row).astype(np.float32)


def check_mark_words(length: Any, words: Any = "words.txt", markup: Any = False, signs: Any = True, own_script: Any = False) -> str:
    """Say what is wrong with the parameters of `mark_words`; empty where nothing is."""
    if type(length) is not int or not 1 <= length <= MAX_LENGTH:
        return f"has length={length!r}, expected a whole number from 1 to {MAX_LENGTH}"
    return _check("words", words) or check_switches(markup=markup, signs=signs, own_script=own_script)


def check_weigh_terms(terms: Any = "terms.tsv", markup: Any = False, signs: Any = True, own_script: Any = False) -> str:
    """Say what is wrong with the parameters of `weigh_terms`; empty where nothing is."""
    return _check("terms", terms) or check_switches(markup=markup, signs=signs, own_script=own_script)


def _check(name: str, asset: Any) -> str:
    return "" if isinstance(asset, str) and safe_relative(asset) else f"has {name}={asset!r}, expected the path of an asset"


@lru_cache(maxsize=8)
def _read(path: Path, _changed: int, size: int) -> tuple[dict[str, tuple[int, float]], frozenset[str]]:
    """Read place and rarity of each term, and their letters, once; a file that was changed since is read again."""
    weights: dict[str, tuple[int, float]] = {}
    lines = asset_lines(path, size)
    for number, line in enumerate(lines, 1):
        term, _, written = line.partition("\t")
        try:
            rarity = float(written)
        except ValueError:
            rarity = math.nan
        if not term or not 0 < rarity < math.inf:
            raise BundleError(f"{path}, line {number}: {line[:60]!r}, expected a term, a tab and a number above 0; release the model again")
        weights[term] = number - 1, rarity
    if not 1 <= len(lines) <= MAX_TERMS or len(weights) != len(lines):
        raise BundleError(f"{path}: {len(lines)} lines with {len(weights)} terms, expected 1 to {MAX_TERMS} terms, each once")
    return weights, alphabet(weights)
