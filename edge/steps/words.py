"""Questions about words: which others mean something alike, or which one of some does not belong to them.

The vocabulary is an asset as `tokenize` has it. Here every word must stand in it: an answer about words that the model has
never seen would be an answer about nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edge.errors import InputError
from edge.json_tensors import shown
from edge.steps.context import Context
from edge.steps.ratings import Wanted
from edge.steps.text import PADDING, Ids, entries, text_of, tokens
from edge.storage import safe_relative

LEAST, MOST = 3, 20  # words among which one may not belong
NEAREST = 5  # words that are told of one
_NAMED = 5  # unknown words that a message names


def number_words(value: Any, context: Context, *, length: int = MOST, vocabulary: str = "vocabulary.txt") -> Ids:
    """Turn one word, whose nearest are asked for, or three and more, of which one is odd, into their numbers.

    Args:
        value: The words, with spaces, commas or other signs between them, in any script; or the path of a UTF-8 file that holds them.
        context: Gives the folder of assets.
        length: How many numbers come out, the most words that may be asked about; fewer are filled up with 0.
        vocabulary: The asset's path.

    Returns:
        (length,) int32.

    Raises:
        InputError: The value is no text, there are no words, two or too many, one comes twice, or the vocabulary does not have it.
        TooLargeError: The text is longer than a million characters.
        BundleError: The vocabulary is missing or damaged.
    """
    words = tokens(text_of(value), signs=False)
    if len(words) != 1 and not LEAST <= len(words) <= length:
        came = f"there are {len(words)} words" if words else "the text is empty"
        raise InputError(f"{came}, expected one word, to find those nearest to it, or {LEAST} to {length}, to find the odd one out")
    known = entries(context, vocabulary, "number_words")
    unknown = list(dict.fromkeys(word for word in words if word not in known))
    if unknown:
        named = ", ".join(shown(word) for word in unknown[:_NAMED])
        raise InputError(f"the model does not know {named}, expected words among the {len(known)} of its vocabulary")
    twice = next((word for word in words if words.count(word) > 1), None)
    if twice is not None:
        raise InputError(f"the word {shown(twice)} comes twice, expected each word once")
    ids = np.full(length, PADDING, dtype=np.int32)
    ids[: len(words)] = [known[word] for word in words]
    return ids


def wanted(ids: Ids) -> Wanted:
    """Tell how much of the ranking is asked for: the nearest words of one, or each of several."""
    count = int(np.count_nonzero(ids))
    return Wanted(NEAREST if count == 1 else count)


def check_number_words(length: Any = MOST, vocabulary: Any = "vocabulary.txt") -> str:
    """Say what is wrong with the parameters of `number_words`; empty where nothing is."""
    if type(length) is not int or not LEAST <= length <= MOST:
        return f"has length={length!r}, expected a whole number from {LEAST} to {MOST}"
    return (
        "" if isinstance(vocabulary, str) and safe_relative(vocabulary) else f"has vocabulary={vocabulary!r}, expected the path of an asset"
    )
