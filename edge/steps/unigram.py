"""Texts for T5 and its like: pieces of words by a unigram model, numbered as the model's own `tokenizer.json` says.

Unlike other text steps it gives as many ids as the text has, and no filling up: the graph behind it takes any number.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import BundleError, InputError
from edge.steps.context import Context
from edge.steps.text import MAX_LENGTH, asset_path, text_of
from edge.storage import safe_relative
from edge.unigram import Unigram, loads

MAX_TOKENIZER_BYTES = 64 << 20
SIGNS_PER_ID = 32  # that are read of a text for each id that comes out, before cleaning
MAX_PREFIX = 200
Ids = np.ndarray[Any, np.dtype[np.int32]]


def unigram(value: Any, context: Context, *, length: int, prefix: str = "", tokenizer: str = "tokenizer.json") -> Ids:
    """Turn a text into the ids of its pieces.

    Args:
        value: The text; or the path of a UTF-8 file that holds it. A string is always the text itself.
        context: Gives the folder of assets.
        length: The most ids: a longer text is cut, so that the mark at its end stays. No more than 32 signs an id are read.
        prefix: What is put before the text, such as `summarize: `, by which a model knows its task.
        tokenizer: The asset's path; a unigram model.

    Returns:
        (n,) int32, n from 1 to `length`.

    Raises:
        InputError: The value is no text, or there is nothing in it.
        TooLargeError: The text is longer than a million characters.
        BundleError: The asset is missing or damaged.
    """
    text = text_of(value)
    if not text.strip():
        raise InputError("the text is empty, expected one word or more")
    found = tokenizer_of(context, tokenizer).encode(prefix + text[: SIGNS_PER_ID * length], length)
    return np.array(found, dtype=np.int32)


def check_unigram(length: Any, prefix: Any = "", tokenizer: Any = "tokenizer.json") -> str:
    """Say what is wrong with the parameters of `unigram`; empty where nothing is."""
    if type(length) is not int or not 1 <= length <= MAX_LENGTH:
        return f"has length={length!r}, expected a whole number from 1 to {MAX_LENGTH}"
    if not isinstance(prefix, str) or len(prefix) > MAX_PREFIX:
        return f"has prefix={prefix!r}, expected a text of at most {MAX_PREFIX} characters"
    if not isinstance(tokenizer, str) or not safe_relative(tokenizer):
        return f"has tokenizer={tokenizer!r}, expected the path of an asset"
    return ""


def tokenizer_of(context: Context, asset: str = "tokenizer.json") -> Unigram:
    """Read a model's tokenizer.

    Raises:
        ContractError: No folder of assets is known.
        BundleError: It is missing or damaged.
    """
    path, changed, size = asset_path(context, asset, "unigram")
    return _read(path, changed, size)


@lru_cache(maxsize=4)
def _read(path: Path, _changed: int, size: int) -> Unigram:
    """Read a tokenizer once; a file that was changed since is read again."""
    if size > MAX_TOKENIZER_BYTES:
        raise BundleError(f"{path}: {size} bytes, expected at most {MAX_TOKENIZER_BYTES}")
    try:
        return loads(path.read_bytes(), str(path))
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror}); the tokenizer belongs to the bundle, copy it again") from None
