"""Splits by key: where a sample goes depends on its own content, so equal samples stay together and new ones move no old ones."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from edge.errors import InputError
from training.recipe import Array

PARTS = ("train", "validation", "test")
LEAST_OF_CLASS = 3
_BEGIN = {"validation": 0.8, "test": 0.9}  # shares of the keys, from 0 to 1


def key(*content: bytes) -> str:
    """Return the key of a sample: a hash over the parts of its content."""
    digest = hashlib.sha256()
    for part in content:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


def split(keys: Sequence[str], targets: Array, labels: tuple[str, ...], where: str) -> dict[str, Array]:
    """Part samples by their keys: about 80 % to train, 10 % to validate, 10 % to test.

    A class of which none would be tested or validated gives up its highest keys for it, so small sets can be used too;
    only those few samples may move when the class grows.

    Args:
        keys: Of each sample, N.
        targets: (N,) int64, classes.
        labels: Their names.
        where: What the samples are, for messages.

    Returns:
        For each part the row numbers, ascending, (n,) int64.

    Raises:
        InputError: There are fewer than two classes, or a class has fewer than three different samples.
    """
    check_classes(keys, targets, labels, where)
    part_of = {one: _part(one) for one in keys}
    for number in range(len(labels)):
        own = sorted({keys[row] for row in np.flatnonzero(targets == number).tolist()})
        part_of[own[-1]] = "test"
        if all(part_of[one] != "validation" for one in own):
            part_of[own[-2]] = "validation"
        if all(part_of[one] != "train" for one in own):
            part_of[own[0]] = "train"
    return {part: np.array([row for row, one in enumerate(keys) if part_of[one] == part], np.int64) for part in PARTS}


def check_classes(keys: Sequence[str], targets: Array, labels: tuple[str, ...], where: str) -> None:
    """Hold the samples of each class against what can be parted.

    Raises:
        InputError: There are fewer than two classes, or a class has fewer than three different samples.
    """
    if len(labels) < 2:
        only = ", ".join(labels) or "none"
        raise InputError(f"{where}: one class only ({only}), expected two or more; a classifier needs something to tell apart")
    for number, label in enumerate(labels):
        count = len({keys[row] for row in np.flatnonzero(targets == number).tolist()})
        if count < LEAST_OF_CLASS:
            raise InputError(
                f"{where}: {label!r} has {count} different sample{'' if count == 1 else 's'}, expected at least {LEAST_OF_CLASS}: "
                "one to train, one to validate, one to test; add some or leave the class out"
            )


def _part(one: str) -> str:
    share = int(one[:12], 16) / 16**12
    return "test" if share >= _BEGIN["test"] else "validation" if share >= _BEGIN["validation"] else "train"
