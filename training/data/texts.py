"""Labelled texts: from a table, and from words to the numbers that a model takes."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from edge.contract import Contract
from edge.errors import ContractError, InputError
from edge.steps import Pipeline, preprocessing
from edge.steps.text import tokens
from training.data import csv_table, delimited, keyed
from training.recipe import Array, DataOptions, Split, Splits

LEAST_COUNT = 2  # a word that stands in one text of the training split only teaches nothing about others


def load(path: Path, text: str, target: str, labels: tuple[str, ...], options: DataOptions | None = None) -> Splits:
    """Load a table of texts and labels as `text`: (N,) str; texts that repeat others are left out.

    Args:
        path: A CSV file, with commas, semicolons or tabs.
        text: The column of the texts.
        target: The column of the labels.
        labels: The labels, in the order of the model's scores.
        options: Another file instead of this one.

    Raises:
        InputError: The file cannot be read, a column is missing, a label is unknown, or a class has too few texts.
    """
    path = path if options is None or options.folder is None else options.folder
    table = delimited.read(path)
    splits = parted(table.column(text), csv_table.classes(table, target, labels), labels, str(path))
    return replace(splits, name=path.stem, note=f"{_count(splits):,} different texts of {path.name}", pinned=False)


def parted(
    texts: Sequence[str],
    targets: Array,
    labels: tuple[str, ...],
    where: str,
    unit: str = "words",
    markup: bool = False,
    alike: Sequence[str] | None = None,
) -> Splits:
    """Part texts by a hash of their words: those that differ in capitals or spaces only count once, as the first of them.

    Args:
        texts: N texts; those without a word are left out.
        targets: (N,) int64, classes.
        labels: Their names.
        where: What the texts are.
        unit: `words`, or `characters` for scripts without spaces.
        markup: Whether HTML is cleaned away before texts are compared.
        alike: What is compared in place of each text, where texts that differ in more than capitals count as one.

    Raises:
        InputError: There are too few of a class.
    """
    first: dict[str, int] = {}
    for row, text in enumerate(texts if alike is None else alike):
        words = tokens(text, unit, markup)
        if words:
            first.setdefault(keyed.key(*(word.encode() for word in words)), row)
    kept = list(first.values())
    samples = Split({"text": np.array(list(texts), object)}, targets).take(np.array(kept, np.int64))
    rows = keyed.split(list(first), samples.targets, labels, where)
    digest = keyed.key(*(f"{texts[row]}\0{targets[row]}".encode() for row in kept))
    train, validation, test = (samples.take(rows[part]) for part in keyed.PARTS)
    return Splits(where, digest, where, labels, train, validation, test)


def numbered(splits: Splits, contract: Contract, most: int = 10_000, first: Sequence[str] = (), least: int = LEAST_COUNT) -> Splits:
    """Turn texts into numbers by the contract's steps, with a vocabulary of the training split's words.

    Args:
        splits: `text`: (N,) str.
        contract: Its preprocessing is `tokenize`, its one asset the vocabulary.
        most: How many words the vocabulary has at most; the most frequent are taken.
        first: Words that it begins with, whether they stand in a text or not, such as those of a lexicon; they count too.
        least: In how many texts a word must stand; where something else than texts tells of words, 1 will do.

    Returns:
        The contract's input as (N, length) int32, the texts as `raw`, the vocabulary as an asset.

    Raises:
        ContractError: The contract does not begin with `tokenize`.
        InputError: No word stands in two texts.
    """
    if [step.name for step in contract.preprocess] != ["tokenize"]:
        raise ContractError(f"{contract.name}: preprocess is {[s.name for s in contract.preprocess]}, expected the step tokenize alone")
    parameters = contract.preprocess[0].parameters
    name = parameters.get("vocabulary", "vocabulary.txt")
    how = {key: parameters[key] for key in ("unit", "markup", "signs") if key in parameters}
    found = vocabulary(splits.train.inputs["text"].tolist(), most=most, least=least, **how)
    words = list(dict.fromkeys([*first, *found]))[:most]
    return prepared(splits, contract, {name: "".join(f"{word}\n" for word in words).encode()})


def prepared(splits: Splits, contract: Contract, assets: Mapping[str, bytes]) -> Splits:
    """Turn texts into the contract's one input by its steps, which read these assets.

    Args:
        splits: `text`: (N,) str.
        contract: Its preprocessing takes a text.
        assets: Content by path.

    Returns:
        The contract's input, the texts as `raw`, and the assets.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name, content in assets.items():
            (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / name).write_bytes(content)
        prepare = preprocessing(contract, Path(folder))
        train, validation, test = (_numbered(split, contract, prepare) for split in (splits.train, splits.validation, splits.test))
    return replace(splits, train=train, validation=validation, test=test, assets=dict(assets))


def vocabulary(
    texts: Sequence[str], unit: str = "words", most: int = 10_000, markup: bool = False, signs: bool = True, least: int = LEAST_COUNT
) -> list[str]:
    """Return the words that stand in `least` texts or more, the most frequent first, in order of spelling among equals.

    Raises:
        InputError: There is none.
    """
    counts = Counter(word for text in texts for word in set(tokens(text, unit, markup, signs)))
    found = sorted((word for word, count in counts.items() if count >= least), key=lambda word: (-counts[word], word))
    if not found:
        raise InputError(
            f"none of {len(counts)} words stands in {least} of the {len(texts)} training texts; there are too few texts to learn from"
        )
    return found[:most]


def _numbered(split: Split, contract: Contract, prepare: Pipeline) -> Split:
    texts = split.inputs["text"]
    return Split({contract.main.inputs[0].name: np.stack([prepare(text) for text in texts])}, split.targets, texts)


def _count(splits: Splits) -> int:
    return sum(len(split) for split in splits.parts().values())
