"""Texts: from a string to the numbers of its words or characters, by a vocabulary that travels with the model.

The vocabulary is an asset: UTF-8, one entry a line. Number 0 fills up, 1 stands for what the vocabulary does not know,
and the entry in line n (counted from 0) has the number n + 2. A text is whole characters: what holds half of one (a lone
surrogate) or a character of value 0 is binary content under a wrong name, and is refused wherever texts are read.
"""

from __future__ import annotations

import html
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import BundleError, ContractError, InputError, TooLargeError
from edge.steps import chinese
from edge.steps.context import Context
from edge.storage import safe_relative

PADDING, UNKNOWN, RESERVED = 0, 1, 2
UNITS = ("words", "characters", "jieba")
MAX_CHARACTERS = 1_000_000
MAX_LENGTH = 8192
MAX_VOCABULARY_BYTES = 64 << 20
_MOST_BYTES = 4 * MAX_CHARACTERS + 3  # of UTF-8, with its mark
_UNITS = {
    ("words", True): re.compile(r"\w+|[^\w\s]"),
    ("words", False): re.compile(r"\w+"),
    ("characters", True): re.compile(r"\S"),
    ("characters", False): re.compile(r"\w"),
}
_TAG = re.compile(r"<[/!?]?[A-Za-z-][^<>]*>")  # looks at every character once, whatever stands there
Ids = np.ndarray[Any, np.dtype[np.int32]]


def tokenize(
    value: Any,
    context: Context,
    *,
    length: int,
    unit: str = "words",
    vocabulary: str = "vocabulary.txt",
    markup: bool = False,
    signs: bool = True,
    own_script: bool = False,
) -> Ids:
    """Turn a text into the numbers of its words or characters.

    Args:
        value: The text; or the path of a UTF-8 file that holds it. A string is always the text itself.
        context: Gives the folder of assets.
        length: How many numbers come out: longer texts are cut, shorter ones filled up with 0.
        unit: `words`, runs of letters and digits, other signs one by one; `characters`, for scripts without spaces; or
            `jieba`, Chinese words, which needs the extra chinese.
        vocabulary: The asset's path.
        markup: Whether HTML is cleaned away first: tags become spaces, `&amp;` and its like the characters that they stand for.
        signs: Whether signs count; without them punctuation and emoji are left out.
        own_script: Whether a text is refused whose letters are all of a script that the vocabulary does not know. Otherwise
            another language is answered like everything unknown, by number 1.

    Returns:
        (length,) int32.

    Raises:
        InputError: The value is no text, there is no word in it, or it is in another script.
        TooLargeError: The text is longer than a million characters.
        BundleError: The vocabulary is missing or damaged.
        RuntimeMissingError: Chinese words are asked for, and the library that finds them is not installed.
    """
    found = tokens(text_of(value), unit, markup, signs, most=length)
    if not found:
        raise InputError("the text is empty, expected one word or more")
    asset = asset_path(context, vocabulary, "tokenize")
    numbers = _read(*asset)
    if own_script:
        check_script(found, _alphabet(*asset))
    ids = np.full(length, PADDING, dtype=np.int32)
    known = [numbers.get(token, UNKNOWN) for token in found[:length]]
    ids[: len(known)] = known
    return ids


def tokens(text: str, unit: str = "words", markup: bool = False, signs: bool = True, most: int = MAX_LENGTH) -> list[str]:
    """Take a text apart: composed (NFC), in small letters, by a unit of `UNITS`; spaces never count.

    Where words take time to find (`jieba`), the text is read as far as `most` of them can need, and no further.

    Raises:
        RuntimeMissingError: Chinese words are asked for, and the library that finds them is not installed.
    """
    if markup:
        text = html.unescape(_TAG.sub(" ", text))
    plain = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())
    if unit == "jieba":
        return [word for word in chinese.segment(plain, most) if signs or _UNITS["words", False].search(word)]
    return _UNITS[unit, signs].findall(plain)


def check_script(found: list[str], alphabet: frozenset[str]) -> None:
    """Refuse the words of a text that has letters, but none of an alphabet.

    Raises:
        InputError: It is in another script.
    """
    letters = [letter for word in found for letter in word if letter.isalpha()]
    if letters and alphabet.isdisjoint(letters):
        raise InputError(
            f"none of the text's letters, such as {letters[0]!r}, stands in the model's vocabulary, expected a text in the model's language"
        )


def check_tokenize(
    length: Any, unit: Any = "words", vocabulary: Any = "vocabulary.txt", markup: Any = False, signs: Any = True, own_script: Any = False
) -> str:
    """Say what is wrong with the parameters of `tokenize`; empty where nothing is."""
    if type(length) is not int or not 1 <= length <= MAX_LENGTH:
        return f"has length={length!r}, expected a whole number from 1 to {MAX_LENGTH}"
    if unit not in UNITS:
        return f"has unit={unit!r}, expected one of {', '.join(UNITS)}"
    if not isinstance(vocabulary, str) or not safe_relative(vocabulary):
        return f"has vocabulary={vocabulary!r}, expected the path of an asset"
    return check_switches(markup=markup, signs=signs, own_script=own_script)


def check_switches(**switches: Any) -> str:
    """Say which parameter is not true or false; empty where all are."""
    return next((f"has {name}={value!r}, expected true or false" for name, value in switches.items() if type(value) is not bool), "")


def text_of(value: Any) -> str:
    """Give the text itself: a string as it is, or what the file at a path holds.

    Raises:
        InputError: The value is no text or no whole characters, or the file cannot be read or is not UTF-8.
        TooLargeError: The text is longer than a million characters.
    """
    if isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype.kind == "U":  # as golden files hold it
        value = str(value)
    elif isinstance(value, os.PathLike):
        value = _content(Path(value))
    if not isinstance(value, str):
        raise InputError(f"a text is {type(value).__name__}, expected a string, or the path of a UTF-8 file")
    if len(value) > MAX_CHARACTERS:
        raise TooLargeError(f"the text has {len(value)} characters, expected at most {MAX_CHARACTERS}")
    if "\0" in value:
        raise InputError(f"the text holds a character of value 0 at {value.index(chr(0))}, expected text; it looks like binary content")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(f"the text holds half a character (a lone surrogate) at {error.start}, expected whole ones") from None
    return value


def _content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise TooLargeError(f"{path}: more than {_MOST_BYTES} bytes, expected a text of at most {MAX_CHARACTERS} characters")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the path of a text file") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 at byte {error.start}, expected a text file") from None


def entries(context: Context, vocabulary: str, step: str) -> Mapping[str, int]:
    """Return the number of each entry of a vocabulary.

    Raises:
        ContractError: No folder of assets is known.
        BundleError: The vocabulary is missing or damaged.
    """
    return _read(*asset_path(context, vocabulary, step))


def asset_path(context: Context, asset: str, step: str) -> tuple[Path, int, int]:
    """Find an asset that a step reads; return its path, when it was changed, and its size in bytes.

    Raises:
        ContractError: No folder of assets is known.
        BundleError: It is missing.
    """
    if context.assets is None:
        raise ContractError(f"{step} needs the asset {asset}, but no folder of assets is known here")
    path = context.assets / asset
    try:
        facts = path.stat()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror}); the vocabulary belongs to the bundle, copy it again") from None
    return path, facts.st_mtime_ns, facts.st_size


def asset_lines(path: Path, size: int) -> list[str]:
    """Read the lines of a vocabulary.

    Raises:
        BundleError: It is too large, cannot be read or is not UTF-8.
    """
    if size > MAX_VOCABULARY_BYTES:
        raise BundleError(f"{path}: {size} bytes, expected at most {MAX_VOCABULARY_BYTES}")
    try:
        entries = path.read_bytes().decode("utf-8").split("\n")
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror}); the vocabulary belongs to the bundle, copy it again") from None
    except UnicodeDecodeError as error:
        raise BundleError(f"{path}: not UTF-8 at byte {error.start}; copy the bundle again") from None
    if entries and not entries[-1]:
        entries.pop()
    return entries


@lru_cache(maxsize=8)
def _read(path: Path, _changed: int, size: int) -> dict[str, int]:
    """Read a vocabulary once; a file that was changed since is read again."""
    entries = asset_lines(path, size)
    if len(set(entries)) != len(entries) or "" in entries:
        raise BundleError(f"{path}: has empty lines or an entry twice, expected one entry a line; release the model again")
    return {entry: number for number, entry in enumerate(entries, RESERVED)}


@lru_cache(maxsize=8)
def _alphabet(path: Path, changed: int, size: int) -> frozenset[str]:
    """Return the letters of a vocabulary."""
    return alphabet(_read(path, changed, size))


def alphabet(words: Iterable[str]) -> frozenset[str]:
    """Return the letters of words."""
    return frozenset(letter for word in words for letter in word if letter.isalpha())
