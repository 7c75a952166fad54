"""Chinese words: jieba's segmentation, with its dictionary read afresh and nothing written.

Jieba keeps its dictionary as a file in the common temporary folder, which processes race for and which anybody may have
written. Here the dictionary is read from the library itself, once a process, in about a second, and kept in memory.
"""

from __future__ import annotations

import threading
import warnings
from typing import Any

from edge.errors import RuntimeMissingError

LONGEST_WORD = 32  # characters that a word may need, on average; words of Chinese have one to four
_LOCK = threading.Lock()
_LOADED: list[Any] = []


def segment(text: str, most: int) -> list[str]:
    """Take a text apart into words, other signs one by one; spaces never count.

    A million characters would take six seconds, so no more is read than `most` words of 32 characters have, spaces counted once.

    Source: a word graph over a dictionary, the most likely way through it, and a hidden Markov model for words that the
    dictionary does not hold (jieba 0.42).

    Raises:
        RuntimeMissingError: The library is not installed.
    """
    read = " ".join(text.split())[: most * LONGEST_WORD]
    return [word for word in _segmenter().cut(read) if not word.isspace()]


def _segmenter() -> Any:
    with _LOCK:
        if not _LOADED:
            _LOADED.append(_load())
        return _LOADED[0]


def _load() -> Any:
    """Make a segmenter and read its dictionary, which jieba itself would look for in a cache file."""
    with warnings.catch_warnings():  # its sources hold escape sequences of old, and it asks setuptools for an old module
        warnings.simplefilter("ignore")
        try:
            import jieba
        except ImportError:
            raise RuntimeMissingError(
                "texts for this model need the library jieba: install the extra chinese of tandem-edge, or give ids (int32)"
            ) from None
    segmenter = jieba.Tokenizer()
    segmenter.FREQ, segmenter.total = segmenter.gen_pfdict(segmenter.get_dict_file())
    segmenter.initialized = True
    return segmenter
