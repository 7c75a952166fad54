"""The rules of a `tokenizer.json` for cleaning a text and parting it, those that unigram models use; others are refused by name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from edge.errors import BundleError

SPACE = "\N{LOWER ONE EIGHTH BLOCK}"  # stands for a space in pieces
# What Unicode calls white space; Python's own notion has four control characters more.
_WHITE = "\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_LEFT, _RIGHT, _WORDS = re.compile(f"^[{_WHITE}]+"), re.compile(f"[{_WHITE}]+$"), re.compile(f"[^{_WHITE}]+")
FORMS = ("NFC", "NFD", "NFKC", "NFKD")

Clean = Callable[[str], str]
Part = Callable[[str, bool], Iterator[str]]
Rule = Mapping[str, Any]


def normalizer(told: Any, table: Callable[[Rule], Clean], where: str) -> Clean:
    """Give the function that cleans a text.

    Args:
        told: The rule, or None for none.
        table: Reads a rule that has a table of characters.
        where: The file, for messages.

    Raises:
        BundleError: A rule is not known here.
    """
    if told is None:
        return str
    kind = told.get("type")
    if kind == "Sequence":
        rules = [normalizer(each, table, where) for each in told["normalizers"]]
        return lambda text: _through(rules, text)
    if kind == "Precompiled":
        return table(told)
    if kind in FORMS:
        return lambda text: unicodedata.normalize(kind, text)
    if kind == "Lowercase":
        return str.lower
    if kind == "Strip":
        left, right = bool(told.get("strip_left")), bool(told.get("strip_right"))
        return lambda text: stripped(text, left, right)
    if kind == "Prepend":
        return lambda text: str(told["prepend"]) + text if text else text
    if kind == "Replace":
        return _replacing(told, where)
    raise BundleError(f"{where}: no normalizer is called {str(kind)[:40]!r} here; there are Precompiled, {', '.join(FORMS)} and the like")


def pre_tokenizer(told: Any, where: str) -> Part:
    """Give the function that parts a cleaned text into words; it is told whether the text is the first part of the whole.

    Raises:
        BundleError: A rule is not known here.
    """
    if told is None:
        return lambda text, _: iter([text] if text else [])
    kind = told.get("type")
    if kind == "Sequence":
        rules = [pre_tokenizer(each, where) for each in told["pretokenizers"]]
        return lambda text, first: _parted(rules, text, first)
    if kind == "WhitespaceSplit":
        return lambda text, _: (match[0] for match in _WORDS.finditer(text))
    if kind == "Metaspace":
        scheme = told.get("prepend_scheme", "always" if told.get("add_prefix_space", True) else "never")
        sign, split = str(told.get("replacement", SPACE)), bool(told.get("split", True))
        if scheme not in ("always", "first", "never") or sign != SPACE:
            raise BundleError(
                f"{where}: Metaspace has prepend_scheme {scheme!r} and {sign!r}, expected always, first or never with {SPACE!r}"
            )
        return lambda text, first: _spaced(text, scheme == "always" or (scheme == "first" and first), split)
    raise BundleError(f"{where}: no pre_tokenizer is called {str(kind)[:40]!r} here; there are Metaspace, WhitespaceSplit and Sequence")


def _through(rules: list[Clean], text: str) -> str:
    for rule in rules:
        text = rule(text)
    return text


def stripped(text: str, left: bool, right: bool) -> str:
    """Take white space off the sides of a text that are named."""
    text = _LEFT.sub("", text) if left else text
    return _RIGHT.sub("", text) if right else text


def _replacing(told: Rule, where: str) -> Clean:
    """Replace a text, or one of the two patterns that SentencePiece's files have: a run of spaces."""
    pattern, content = told["pattern"], str(told["content"])
    if "String" in pattern:
        plain = str(pattern["String"])
        return lambda text: text.replace(plain, content) if plain else text
    match = re.fullmatch(r" (\{2,\}|\+)", str(pattern.get("Regex")))
    if match is None:
        raise BundleError(f"{where}: a normalizer replaces the pattern {str(pattern)[:60]!r}; known are a plain text and runs of spaces")
    spaces = re.compile(" {2,}" if match[1] == "{2,}" else " +")
    return lambda text: spaces.sub(lambda _: content, text)


def _parted(rules: list[Part], text: str, first: bool) -> Iterator[str]:
    if not rules:
        yield from [text] if text else []
        return
    for number, part in enumerate(rules[0](text, first)):
        yield from _parted(rules[1:], part, first and number == 0)


def _spaced(text: str, prepend: bool, split: bool) -> Iterator[str]:
    """Write spaces as the sign that pieces have for them, and part before each."""
    text = text.replace(" ", SPACE)
    if prepend and text and not text.startswith(SPACE):
        text = SPACE + text
    if not split:
        yield from [text] if text else []
        return
    start = 0
    while start < len(text):
        end = text.find(SPACE, start + 1)
        end = len(text) if end < 0 else end
        yield text[start:end]
        start = end
