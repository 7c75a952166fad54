"""CIFAR-10's own batches from a folder, and what stands in for them."""

import hashlib
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.errors import InputError
from training.data import cifar10, emoji
from training.models import cifar10_cnn
from training.recipe import DataOptions, Splits

COUNT = 40  # pictures of a made-up batch


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of batches in the genuine form, whose hashes are taken for the genuine ones."""
    random, digests = np.random.default_rng(0), {}
    for name in cifar10.FILES:
        rows = random.integers(0, 256, (COUNT, 3072), dtype=np.uint8)
        content = pickle.dumps({b"data": rows, b"labels": [i % 10 for i in range(COUNT)], b"batch_label": name.encode()}, 2)
        (tmp_path / name).write_bytes(content)
        digests[name] = hashlib.md5(content, usedforsecurity=False).hexdigest()
    monkeypatch.setattr(cifar10, "FILES", digests)
    return tmp_path


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
    with pytest.raises(InputError, match=r"data_batch_3: MD5 of the content is .*not the genuine file"):
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
