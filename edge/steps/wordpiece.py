"""Texts for language models from elsewhere: pieces of words, numbered as the model's own `tokenizer.json` says.

The file describes the whole way from text to ids (cleaning, splitting, the pieces, what stands at both ends) and is read
by the library `tokenizers`, which wrote it. Only ids are given: what is filling up is told by its id, so the graph knows
its mask by itself.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import BundleError, ContractError, InputError, RuntimeMissingError
from edge.steps.context import Context
from edge.steps.text import MAX_LENGTH, check_switches, text_of
from edge.storage import safe_relative

MAX_TOKENIZER_BYTES = 64 << 20
READ = 200  # characters for each id: what lies behind them is cut before it is taken apart, which takes time
Ids = np.ndarray[Any, np.dtype[np.int32]]


def wordpiece(
    value: Any,
    context: Context,
    *,
    length: int,
    padding: int = 0,
    tokenizer: str = "tokenizer.json",
    mask: str = "",
    own_script: bool = False,
) -> Ids:
    """Turn a text into the ids of its pieces.

    Args:
        value: The text; or the path of a UTF-8 file that holds it. A string is always the text itself.
        context: Gives the folder of assets.
        length: How many ids come out: longer texts are cut, so that the marks at both ends stay; shorter ones filled up.
        padding: The id that fills up; the one that the graph takes for nothing.
        tokenizer: The asset's path: WordPiece, or another way that such a file may describe (BPE, Unigram).
        mask: The piece that stands for a word that is asked for, such as `[MASK]`: it must come once. Empty: nothing is asked for.
        own_script: Whether a text is refused of which the model knows no piece, such as one in another script. Otherwise it is
            answered as everything unknown.

    Returns:
        (length,) int32.

    Raises:
        InputError: The value is no text, there is nothing in it, the mask does not come once, or it is in another script.
        TooLargeError: The text is longer than a million characters.
        BundleError: The asset is missing or damaged.
        RuntimeMissingError: The library `tokenizers` is not installed.
    """
    text = text_of(value)
    if not text.strip():
        raise InputError("the text is empty, expected one word or more")
    encoder = _tokenizer(context, tokenizer, length)
    encoded = encoder.encode(text if len(text) <= READ * length else text.lstrip()[: READ * length])
    if own_script:
        _check_known(encoded, getattr(encoder.model, "unk_token", None))
    found = encoded.ids[:length]
    if mask:
        _check_mask(text, found.count(_number(encoder, mask, tokenizer)), mask, length)
    ids = np.full(length, padding, dtype=np.int32)
    ids[: len(found)] = found
    return ids


def check_wordpiece(length: Any, padding: Any = 0, tokenizer: Any = "tokenizer.json", mask: Any = "", own_script: Any = False) -> str:
    """Say what is wrong with the parameters of `wordpiece`; empty where nothing is."""
    if type(length) is not int or not 1 <= length <= MAX_LENGTH:
        return f"has length={length!r}, expected a whole number from 1 to {MAX_LENGTH}"
    if type(padding) is not int or not 0 <= padding < 1 << 31:
        return f"has padding={padding!r}, expected an id, 0 to {(1 << 31) - 1}"
    if not isinstance(tokenizer, str) or not safe_relative(tokenizer):
        return f"has tokenizer={tokenizer!r}, expected the path of an asset"
    if not isinstance(mask, str):
        return f"has mask={mask!r}, expected a piece such as [MASK], or nothing"
    return check_switches(own_script=own_script)


def _number(encoder: Any, mask: str, tokenizer: str) -> int:
    number = encoder.token_to_id(mask)
    if number is None:
        raise BundleError(f"{tokenizer}: has no piece {mask}, by which a word could be asked for; release the model again")
    return int(number)


def _check_known(encoded: Any, unknown: Any) -> None:
    """Refuse a text of which no piece is known; the marks at both ends are none of its own."""
    pieces = [piece for piece, mark in zip(encoded.tokens, encoded.special_tokens_mask) if not mark]
    if all(piece == unknown for piece in pieces):
        came = "the model knows no piece of the text" if pieces else "the text has no letter, digit or sign that counts"
        raise InputError(f"{came}, expected one in the model's language")


def _check_mask(text: str, count: int, mask: str, length: int) -> None:
    """Refuse a text that does not ask for exactly one word among the pieces that are read."""
    if count == 1:
        return
    if count == 0 and mask in text:
        raise InputError(
            f"{mask} stands behind the {length} pieces that the model reads, expected it among them; shorten the text before it"
        )
    came = f"{mask} comes {count} times" if count else f"the text has no {mask}"
    raise InputError(f"{came}, expected it once, in the place of the word that is asked for")


def _tokenizer(context: Context, asset: str, length: int) -> Any:
    if context.assets is None:
        raise ContractError(f"wordpiece needs the asset {asset}, but no folder of assets is known here")
    path = context.assets / asset
    try:
        facts = path.stat()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror}); the tokenizer belongs to the bundle, copy it again") from None
    return _read(str(path), facts.st_mtime_ns, facts.st_size, length)


@lru_cache(maxsize=8)
def _read(path: str, _changed: int, size: int, length: int) -> Any:
    """Read a tokenizer once; a file that was changed since is read again."""
    if size > MAX_TOKENIZER_BYTES:
        raise BundleError(f"{path}: {size} bytes, expected at most {MAX_TOKENIZER_BYTES}")
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise RuntimeMissingError(
            "texts for this model need the library tokenizers: install the extra wordpiece of tandem-edge, or give ids (int32)"
        ) from None
    try:
        found = Tokenizer.from_str(Path(path).read_bytes().decode("utf-8"))
        found.no_padding()
        found.enable_truncation(length)
    except Exception as error:  # the library raises nothing more special, whatever is wrong with the file
        raise BundleError(f"{path}: no tokenizer can be read from it ({str(error)[:200]}); copy the bundle again") from None
    return found
