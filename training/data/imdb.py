"""IMDB: reviews of films, negative or positive. Source: Maas and others, 2011.

No package holds it. Those who have it can use it (`--data-dir`): the folder `aclImdb` as its authors pack it, with a file for
each review, or a table with the columns `review` and `sentiment`. Without it a stand-in is taken: sentences of movie reviews
that people rated (`training/data/movie_sentences.py`). They are ten times as short, so its figures say nothing about IMDB.

Reviews that differ from another in capitals, spaces or the signs of HTML only count once, before the splits are made; those
of IMDB's own test set stay there.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from edge.errors import InputError
from edge.steps.text import tokens
from training.data import csv_table, delimited, keyed, movie_sentences, texts
from training.progress import say
from training.recipe import DataOptions, Split, Splits

LABELS = movie_sentences.LABELS
SIDES = ("neg", "pos")  # the folders of each label
COLUMNS = ("review", "sentiment")
MAX_BYTES = 1 << 20  # of one review; the longest of the genuine ones has 14 kB
_HELD_BACK = 0.9  # reviews for training whose key lies above this share validate


def load(options: DataOptions) -> Splits:
    """Load IMDB from a folder or a table, or the stand-in, as `text`: (N,) str.

    Raises:
        SetupError: The stand-in's package is not cached and cannot be fetched.
        InputError: The folder is another, a review cannot be read, or there are too few.
    """
    if options.folder is None:
        found = movie_sentences.load(options)
        return replace(found, name="imdb", note=f"stand-in for IMDB, not IMDB: {found.note}", subset=True)
    return load_table(options.folder) if options.folder.is_file() else load_folder(options.folder)


def load_table(path: Path) -> Splits:
    """Load a table with the columns `review` and `sentiment`: 80 % to train, 10 % to validate, 10 % to test.

    Raises:
        InputError: It cannot be read, a column is missing, a label is unknown, or there are too few of a class.
    """
    table = delimited.read(path)
    splits = texts.parted(table.column(COLUMNS[0]), csv_table.classes(table, COLUMNS[1], LABELS), LABELS, str(path), markup=True)
    return _named(splits, path)


def load_folder(folder: Path) -> Splits:
    """Load `train` and `test`, each with `neg` and `pos`; a tenth of what is to train validates.

    Raises:
        InputError: The folder is another, or a review cannot be read.
    """
    inner = folder / "aclImdb"
    folder = inner if inner.is_dir() else folder
    parts: dict[str, dict[str, tuple[str, int]]] = {"test": _reviews(folder / "test"), "train": {}, "validation": {}}
    repeated = 0
    for key, review in _reviews(folder / "train").items():
        if key in parts["test"]:
            repeated += 1
        else:
            parts["validation" if int(key[:12], 16) / 16**12 >= _HELD_BACK else "train"][key] = review
    if repeated:
        say(f"{folder}: {repeated} reviews of train stand in test as well and are left out of train")
    splits = {part: _split(found, f"{folder}: {part}") for part, found in parts.items()}
    digest = keyed.key(*(key.encode() for part in keyed.PARTS for key in parts[part]))
    return _named(Splits("imdb", digest, "", LABELS, splits["train"], splits["validation"], splits["test"]), folder)


def _named(splits: Splits, path: Path) -> Splits:
    count = sum(len(split) for split in splits.parts().values())
    return replace(splits, name="imdb", note=f"{count:,} different reviews of IMDB, {path.name}", pinned=False)


def _reviews(folder: Path) -> dict[str, tuple[str, int]]:
    """Read the reviews of one part, by the hash of their words: each with its class, the first of those that are equal.

    Raises:
        InputError: It has no folder of a label, or one without reviews; or a review cannot be read.
    """
    found: dict[str, tuple[str, int]] = {}
    for number, side in enumerate(SIDES):
        files = sorted((folder / side).glob("*.txt"))
        if not files:
            raise InputError(f"{folder / side}: has no reviews (*.txt), expected aclImdb with train and test, each with neg and pos")
        for file in files:
            review = _read(file)
            words = tokens(review, markup=True, most=MAX_BYTES)
            if words:
                found.setdefault(keyed.key(*(word.encode() for word in words)), (review, number))
    return found


def _read(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise InputError(f"{file}: has more than {MAX_BYTES} bytes, expected one review")
        return content.decode("utf-8")
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); copy the folder again") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not UTF-8 at byte {error.start}, expected one review") from None


def _split(reviews: dict[str, tuple[str, int]], where: str) -> Split:
    targets = np.array([number for _, number in reviews.values()], np.int64)
    if len(set(targets.tolist())) < len(LABELS):
        raise InputError(f"{where} has reviews of one class or none, expected some of {' and '.join(LABELS)}; it needs more of them")
    return Split({"text": np.array([text for text, _ in reviews.values()], object)}, targets)
