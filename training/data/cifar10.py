"""CIFAR-10: photographs of ten kinds of things, 32×32, in colour. Source: Krizhevsky, 2009.

No package holds it. Those who have the genuine Python batches in a folder can use them (`--data-dir`): they are held against
their known MD5, which their authors publish, and read without running them. Without them a stand-in is taken: emoji of ten
groups at the same size (`training/data/emoji.py`). That is another task, of few and simple pictures, and its figures say
nothing about CIFAR-10; whatever was trained on it is labelled with the emoji's groups.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from edge.errors import InputError
from training.data import emoji, genuine, plain_pickle
from training.data.dataset import DataSet
from training.recipe import Array, DataOptions, Split, Splits
from training.sampling import stratified_parts

# The MD5 of the files within cifar-10-python.tar.gz; its batches.meta holds the names below and is not read.
FILES = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIDE = 32
SPLIT_SEED = 20_260_101
TEST = "test_batch"
ARCHIVE, FOLDER = "cifar-10-python.tar.gz", "cifar-10-batches-py"


def load(options: DataOptions) -> Splits:
    """Load CIFAR-10 from a folder, or the stand-in, as `image`: (N, 32, 32, 3) uint8, NHWC, RGB.

    Raises:
        SetupError: The stand-in's package is not cached and cannot be fetched.
        InputError: A file of the folder is missing or is not the genuine one.
    """
    if options.folder is not None:
        return load_folder(options.folder)
    stand_in = emoji.load(options)
    return replace(stand_in, name="cifar10", note=f"stand-in for CIFAR-10, not CIFAR-10: {stand_in.note}", subset=True)


def load_folder(folder: Path) -> Splits:
    """Load the genuine batches: nine tenths of the training pictures to train, one to validate, the original test set.

    Raises:
        InputError: A file is missing, cannot be read, or is not the genuine one.
    """
    batches = {name: parse(content, name) for name, content in genuine.read(_unpacked(folder), FILES).items()}
    test = batches.pop(TEST)
    images = np.concatenate([batch.inputs["image"] for batch in batches.values()])
    whole = Split({"image": images}, np.concatenate([batch.targets for batch in batches.values()]))
    tenth = len(whole) // 10
    train, validation = (whole.take(rows) for rows in stratified_parts(whole.targets, (len(whole) - tenth, tenth), SPLIT_SEED))
    listed = "".join(f"{digest}  {name}\n" for name, digest in sorted(FILES.items()))
    sha256 = hashlib.sha256(listed.encode()).hexdigest()
    return Splits("cifar10", sha256, "genuine CIFAR-10, files from a folder", CLASSES, train, validation, test)


def _unpacked(folder: Path) -> Path:
    """Give the folder that the archive unpacks to, where the one above it was named.

    Raises:
        InputError: Only the archive itself is there.
    """
    if (folder / FOLDER).is_dir():
        return folder / FOLDER
    if (folder / ARCHIVE).is_file() and not (folder / TEST).exists():
        raise InputError(f"--data-dir {folder}: only {ARCHIVE} is there; unpack it first: tar xzf {ARCHIVE}")
    return folder


def parse(content: bytes, where: str) -> Split:
    """Read one batch: rows of 1,024 red, 1,024 green and 1,024 blue values, and a class for each.

    Raises:
        InputError: It is no pickle of plain data, or holds another table.
    """
    batch = plain_pickle.loads(content, where)
    if not isinstance(batch, Mapping):
        raise InputError(f"{where}: holds {type(batch).__name__}, expected a dict of data and labels")
    named = {key.decode("latin-1") if isinstance(key, bytes) else key: value for key, value in batch.items()}
    rows, labels = named.get("data"), named.get("labels")
    if not isinstance(rows, np.ndarray) or rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != 3 * SIDE * SIDE:
        came = f"{rows.dtype} {rows.shape}" if isinstance(rows, np.ndarray) else type(rows).__name__
        raise InputError(f"{where}: data is {came}, expected uint8 (N, {3 * SIDE * SIDE})")
    if not isinstance(labels, list) or len(labels) != len(rows) or not all(type(one) is int and 0 <= one < len(CLASSES) for one in labels):
        raise InputError(f"{where}: labels are not {len(rows)} whole numbers from 0 to {len(CLASSES) - 1}")
    return Split({"image": pixels(rows)}, np.array(labels, np.int64))


def pixels(rows: Array) -> Array:
    """Put rows of three planes, (N, 3072), into the order of pictures, (N, 32, 32, 3), RGB."""
    return np.ascontiguousarray(rows.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1))


DATASET = DataSet(
    name="cifar10",
    title="photographs of ten kinds of things, 32×32, in colour; without the genuine files a stand-in: emoji of ten groups",
    licence="none stated by its authors; the stand-in: CC BY 4.0 (drawings), MIT (package)",
    origin="Krizhevsky, Learning multiple layers of features from tiny images, 2009; the stand-in: Twemoji",
    packages={"subset": (emoji.PACKAGE,)},
    loader=load,
    files=FILES,
)
