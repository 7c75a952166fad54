"""CIFAR-10's own batches from a folder, and what stands in for them."""

import hashlib
import pickle
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.errors import InputError
from training.data import cifar10, emoji
from training.models import cifar10_cnn
from training.recipe import DataOptions, Splits

COUNT = 40  # pictures of a made-up batch


def python_2(value: object) -> bytes:
    """What Python 2 wrote of a value, protocol 2 without its memo: texts are bytes, and arrays are rebuilt by numpy's old names."""
    if isinstance(value, bytes):
        return (b"U" + bytes([len(value)]) if len(value) < 256 else b"T" + struct.pack("<i", len(value))) + value
    if isinstance(value, int):
        return b"K" + bytes([value]) if value < 256 else b"M" + struct.pack("<H", value)
    if isinstance(value, list):
        return b"](" + b"".join(map(python_2, value)) + b"e"
    if isinstance(value, dict):
        return b"}(" + b"".join(python_2(key) + python_2(item) for key, item in value.items()) + b"u"
    assert isinstance(value, np.ndarray)
    empty = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    kind = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    shape = b"".join(map(python_2, value.shape)) + b"\x86"
    return empty + b"(K\x01" + shape + kind + b"\x89" + python_2(value.tobytes()) + b"tb"


def batch(name: str, rows: np.ndarray) -> dict[bytes, object]:
    """A batch with all that the genuine ones hold."""
    titles = {b"batch_label": b"testing batch 1 of 1" if name == cifar10.TEST else f"training batch {name[-1]} of 5".encode()}
    pictures = {b"data": rows, b"filenames": [b"photograph_s_%06d.png" % number for number in range(len(rows))]}
    return {**titles, b"labels": [number % 10 for number in range(len(rows))], **pictures}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the genuine archive unpacks to, all eight files, whose hashes are taken for the genuine ones."""
    random, digests = np.random.default_rng(0), {}
    made = tmp_path / "cifar-10-batches-py"
    made.mkdir()
    for name in cifar10.FILES:
        content = b"\x80\x02" + python_2(batch(name, random.integers(0, 256, (COUNT, 3072), dtype=np.uint8))) + b"."
        (made / name).write_bytes(content)
        digests[name] = hashlib.md5(content, usedforsecurity=False).hexdigest()
    names = [name.encode() for name in cifar10.CLASSES]
    meta = {b"num_cases_per_batch": 10_000, b"label_names": names, b"num_vis": 3072}
    (made / "batches.meta").write_bytes(b"\x80\x02" + python_2(meta) + b".")
    (made / "readme.html").write_text("<html></html>")
    monkeypatch.setattr(cifar10, "FILES", digests)
    return made


def test_the_genuine_files_are_known_by_their_md5() -> None:
    """As their authors' archive has them."""
    known = {
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
    }
    assert known == cifar10.FILES


def test_what_python_2_wrote_is_a_pickle_of_the_same(folder: Path) -> None:
    read = pickle.loads((folder / "data_batch_1").read_bytes(), encoding="bytes")
    assert list(read) == [b"batch_label", b"labels", b"data", b"filenames"]
    assert read[b"data"].shape == (COUNT, 3072)
    meta = pickle.loads((folder / "batches.meta").read_bytes(), encoding="latin1")
    assert tuple(meta["label_names"]) == cifar10.CLASSES


def test_the_folder_above_will_do(folder: Path) -> None:
    assert len(cifar10.load(DataOptions(folder=folder.parent)).test) == COUNT


def test_an_archive_that_is_not_unpacked_is_named(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"")
    with pytest.raises(InputError, match=r"only cifar-10-python.tar.gz is there; unpack it first: tar xzf cifar-10-python.tar.gz"):
        cifar10.load(DataOptions(folder=tmp_path))


@pytest.mark.parametrize("keys", [bytes, lambda key: key.decode("latin-1")], ids=["bytes", "texts"])
def test_keys_may_be_bytes_or_texts(keys: Callable[[bytes], object]) -> None:
    rows = np.arange(6144, dtype=np.uint8).reshape(2, 3072)
    saved = pickle.dumps({keys(key): value for key, value in batch("test_batch", rows).items()}, 2)
    np.testing.assert_array_equal(cifar10.parse(saved, "test_batch").inputs["image"], cifar10.pixels(rows))


def test_genuine_batches_are_read(folder: Path) -> None:
    splits = cifar10.load(DataOptions(folder=folder))
    assert {part: len(split) for part, split in splits.parts().items()} == {"train": 180, "validation": 20, "test": 40}
    assert (splits.subset, splits.classes[0]) == (False, "airplane")
    recipe = cifar10_cnn.RECIPE.for_data(splits)
    assert recipe.contract.labels == cifar10.CLASSES
    recipe.check_data(splits)


def test_planes_become_pictures_in_red_green_blue() -> None:
    row = np.concatenate([np.full(1024, value, np.uint8) for value in (10, 20, 30)])
    row[33] = 99  # red, second row, second column
    picture = cifar10.pixels(row[None])[0]
    assert picture.shape == (32, 32, 3)
    assert picture[0, 0].tolist() == [10, 20, 30]
    assert picture[1, 1].tolist() == [99, 20, 30]


def test_an_altered_batch_is_refused(folder: Path) -> None:
    path = folder / "data_batch_3"
    path.write_bytes(path.read_bytes()[:-2] + b"x.")
    with pytest.raises(InputError, match=r"data_batch_3: MD5 of the content is .*not the genuine file.*; copy it again, or go on without"):
        cifar10.load(DataOptions(folder=folder))


def test_a_missing_batch_is_named(folder: Path) -> None:
    (folder / "test_batch").unlink()
    with pytest.raises(InputError, match="test_batch missing"):
        cifar10.load(DataOptions(folder=folder))


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        pytest.param([1, 2], "holds list, expected a dict", id="a list"),
        pytest.param({b"data": np.zeros((2, 9), np.uint8), b"labels": [1, 2]}, r"data is uint8 \(2, 9\)", id="another table"),
        pytest.param({b"labels": [1, 2]}, "data is NoneType", id="no data"),
        pytest.param({b"data": np.zeros((2, 3072), np.uint8), b"labels": [1]}, "labels are not 2 whole numbers", id="too few labels"),
        pytest.param({b"data": np.zeros((2, 3072), np.uint8), b"labels": [1, 10]}, "from 0 to 9", id="an unknown class"),
        pytest.param({b"data": np.zeros((2, 3072), np.uint8), b"labels": [1, True]}, "from 0 to 9", id="a truth value"),
    ],
)
def test_a_batch_of_another_form_is_refused(batch: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        cifar10.parse(pickle.dumps(batch, 2), "data_batch_1")


@pytest.fixture(scope="module")
def stand_in() -> Splits:
    return cifar10.load(DataOptions())


def test_the_stand_in_is_called_one(stand_in: Splits) -> None:
    assert stand_in.subset
    assert stand_in.note.startswith("stand-in for CIFAR-10, not CIFAR-10")
    recipe = cifar10_cnn.RECIPE.for_data(stand_in)
    assert recipe.contract.labels == emoji.CLASSES
    assert recipe.contract.source == stand_in.note
    assert recipe.contract.metric.floor == cifar10_cnn.RECIPE.subset_floor
    recipe.check_data(stand_in)


def test_no_picture_of_the_stand_in_is_in_two_parts(stand_in: Splits) -> None:
    parts = [{picture.tobytes() for picture in split.inputs["image"]} for split in stand_in.parts().values()]
    assert sum(map(len, parts)) == len(set.union(*parts)) == sum(map(len, stand_in.parts().values()))
    assert all(np.bincount(split.targets, minlength=10).min() > 0 for split in stand_in.parts().values())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("1F468-200D-1F373", "1F469-200D-1F373", id="cooks, a man and a woman"),
        pytest.param("1F3C3", "1F3C3-200D-2640-FE0F", id="runners"),
        pytest.param("1F468-200D-1F9B0", "1F469-200D-1F9B1", id="hair"),
        pytest.param("1F468-200D-1F469-200D-1F466", "1F9D1-200D-1F9D1-200D-1F9D2", id="families"),
    ],
)
def test_emoji_of_one_kin_stay_together(one: str, other: str) -> None:
    assert emoji.kin(one) == emoji.kin(other)
    assert emoji.kin(one) != emoji.kin("1F34E")


@pytest.mark.parametrize("listed", [b"{", b"[{}]", b"[1]"], ids=["no JSON", "other entries", "numbers"])
def test_another_list_of_emoji_is_refused(listed: bytes) -> None:
    with pytest.raises(InputError, match=r"emoji\.json is not the list that was expected"):
        emoji.parted(listed, {}, "package")


def test_classes_of_another_number_do_not_become_labels(stand_in: Splits) -> None:
    few = replace(stand_in, classes=stand_in.classes[:3])
    assert cifar10_cnn.RECIPE.for_data(few).contract.labels == cifar10.CLASSES
