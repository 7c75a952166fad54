"""Reports of the news agency Reuters of 1987, those with one of eight topics. Source: Lewis, "Reuters-21578", 1997.

A PyPI wheel, pinned by SHA-256, holds the split that papers compare on (5,485 to train, 2,189 to test), in small letters and
without signs or numbers. The test reports stay as they are; what repeats one of them, or an earlier report, is left out of
training. A tenth of the rest, by a hash of the words, validates.
"""

from __future__ import annotations

import numpy as np

from edge.errors import InputError
from training.data import keyed, packages
from training.data.dataset import DataSet
from training.data.newsgroups import PACKAGE, parse
from training.recipe import DataOptions, Split, Splits

LABELS = ("acq", "crude", "earn", "grain", "interest", "money-fx", "ship", "trade")
_MEMBERS = {part: f"orangecontrib/text/datasets/reuters-r8-{part}.tab" for part in ("train", "test")}
_HELD_BACK = 0.9  # reports for training whose key lies above this share validate


def load(_options: DataOptions) -> Splits:
    """Load the reports as `text`: (N,) str, and the number of their topic.

    Raises:
        SetupError: The package is not cached and cannot be fetched.
        InputError: It holds something else than expected.
    """
    members = packages.read_members(packages.fetch(PACKAGE), _MEMBERS.values())
    return parted(*(parse(members[name], f"{PACKAGE}: {name}") for name in _MEMBERS.values()))


def parted(train: list[tuple[str, str]], test: list[tuple[str, str]]) -> Splits:
    """Part reports, (topic, text) each: no text of `test` stays in `train`, and none stands in it twice.

    Raises:
        InputError: A topic is unknown, or a split is empty.
    """
    tested = {_key(text) for _, text in test}
    first: dict[str, tuple[str, str]] = {}
    for topic, text in train:
        first.setdefault(_key(text), (topic, text))
    kept = {key: row for key, row in first.items() if key not in tested}
    parts: dict[str, list[tuple[str, str]]] = {"train": [], "validation": []}
    for key, row in kept.items():
        parts["validation" if int(key[:12], 16) / 16**12 >= _HELD_BACK else "train"].append(row)
    note = (
        f"{len(train):,} and {len(test):,} reports of Reuters R8, {PACKAGE}; left out of training: "
        f"{len(train) - len(first)} that repeat another, {len(first) - len(kept)} that stand in test as well"
    )
    return Splits("reuters_r8", PACKAGE.sha256, note, LABELS, _split(parts["train"]), _split(parts["validation"]), _split(test))


def _key(text: str) -> str:
    return keyed.key(*(word.encode() for word in text.split()))


def _split(rows: list[tuple[str, str]]) -> Split:
    unknown = next((topic for topic, _ in rows if topic not in LABELS), None)
    if unknown is not None:
        raise InputError(f"{PACKAGE}: has the topic {unknown[:40]!r}, expected one of {', '.join(LABELS)}")
    targets = np.array([LABELS.index(topic) for topic, _ in rows], np.int64)
    return Split({"text": np.array([text for _, text in rows], object)}, targets)


DATASET = DataSet(
    name="reuters_r8",
    title="English reports of a news agency, eight topics, in small letters and without signs (Reuters-21578, R8)",
    licence="free for research, by its authors' notice (Reuters, Carnegie Group, Lewis); the package: AGPL-3.0 or later",
    origin="Lewis, Reuters-21578, distribution 1.0, 1997; the split R8: Cardoso-Cachopo, 2007",
    packages={"full": (PACKAGE,)},
    loader=load,
)
