"""Texts as tables: lists of words and rarities of terms that are chosen on the training split alone."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from edge.contract import Contract
from edge.errors import ContractError, InputError
from edge.steps.text import tokens
from training.data import texts
from training.recipe import Array, Splits


def marked(splits: Splits, contract: Contract, kind: int, most: int = 200) -> Splits:
    """Turn texts into codes of their words, with the list of the words that weigh most in one class, and not in another as well.

    Args:
        splits: `text`: (N,) str.
        contract: Its preprocessing is `mark_words`.
        kind: The class whose words are listed.
        most: How many words of each class count as its heaviest.

    Returns:
        The contract's input as (N, length) float32, the texts as `raw`, the list as an asset.

    Raises:
        ContractError: The contract does not begin with `mark_words`.
        InputError: A class has no training text, or this one no word of its own.
    """
    found = _words(splits, contract, "mark_words")
    heaviest = [top_words(found, splits.train.targets, number, most) for number in range(len(splits.classes))]
    common = {word for number, words in enumerate(heaviest) if number != kind for word in words}
    listed = [word for word in heaviest[kind] if word not in common]
    if not listed:
        raise InputError(f"{splits.classes[kind]!r} has no word of its own among its {most} heaviest, expected one or more")
    name = contract.preprocess[0].parameters.get("words", "words.txt")
    return texts.prepared(splits, contract, {name: "".join(f"{word}\n" for word in listed).encode()})


def weighted(splits: Splits, contract: Contract) -> Splits:
    """Turn texts into weights of terms, as many as the contract's input is wide; the most frequent terms are taken.

    Args:
        splits: `text`: (N,) str.
        contract: Its preprocessing is `weigh_terms`.

    Returns:
        The contract's input as (N, T) float32, the texts as `raw`, the terms with their rarities as an asset.

    Raises:
        ContractError: The contract does not begin with `weigh_terms`, or is wider than there are terms.
    """
    found, width = _words(splits, contract, "weigh_terms"), contract.main.inputs[0].row_shape[0]
    counts = _document_frequencies(found)
    terms = sorted(counts, key=lambda word: (-counts[word], word))[: int(width)]
    if len(terms) < int(width):
        raise ContractError(f"{contract.name}: takes {width} terms, the training texts have {len(terms)}; make the input smaller")
    rarity = rarities(counts, len(found))
    name = contract.preprocess[0].parameters.get("terms", "terms.tsv")
    return texts.prepared(splits, contract, {name: "".join(f"{term}\t{rarity[term]!r}\n" for term in terms).encode()})


def rarities(counts: Counter[str], texts_seen: int) -> dict[str, float]:
    """Return the inverse document frequency of each term, ln((1 + N) / (1 + n)) + 1 for n of N texts."""
    return {term: math.log((1 + texts_seen) / (1 + count)) + 1 for term, count in counts.items()}


def top_words(found: Sequence[Sequence[str]], targets: Array, kind: int, most: int) -> list[str]:
    """Return the words of the highest mean TF-IDF weight in the texts of one class.

    Args:
        found: The words of each of N training texts.
        targets: (N,) int64, their classes.
        kind: The class.
        most: How many words at most.

    Returns:
        The heaviest first, in order of spelling among equals.

    Raises:
        InputError: No text is of the class.
    """
    rarity = rarities(_document_frequencies(found), len(found))
    sums: defaultdict[str, float] = defaultdict(float)
    for row in np.flatnonzero(targets == kind).tolist():
        weights = {word: count * rarity[word] for word, count in Counter(found[row]).items()}
        norm = math.sqrt(sum(weight * weight for weight in weights.values()))
        for word, weight in weights.items():
            sums[word] += weight / norm
    if not sums:
        raise InputError(f"no training text is of class {kind}, expected one or more")
    return sorted(sums, key=lambda word: (-sums[word], word))[:most]


def _document_frequencies(found: Sequence[Sequence[str]]) -> Counter[str]:
    return Counter(word for words in found for word in set(words))


def _words(splits: Splits, contract: Contract, step: str) -> list[list[str]]:
    """Take the training texts apart as the contract's one step will do it."""
    if [known.name for known in contract.preprocess] != [step]:
        raise ContractError(f"{contract.name}: preprocess is {[s.name for s in contract.preprocess]}, expected the step {step} alone")
    parameters = contract.preprocess[0].parameters
    how = {key: parameters[key] for key in ("markup", "signs") if key in parameters}
    return [tokens(text, "words", **how) for text in splits.train.inputs["text"].tolist()]
