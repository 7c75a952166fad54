"""Data sets are found by listing a folder, describe themselves, and share no sample between splits."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import training.data
from edge.errors import ContractError, SetupError, TandemError, UsageError
from training.data import catalogue, mnist
from training.data.dataset import DataSet
from training.data.overlap import repeated, shared
from training.recipe import DataOptions, Split, Splits

FILE = """
from dataclasses import replace
from training.data import mnist
DATASET = replace(mnist.DATASET, name="{name}")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A second folder of data sets beside the real one."""
    monkeypatch.setattr(training.data, "__path__", [*training.data.__path__, str(tmp_path)])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("training.data."):
            del sys.modules[name]


def test_the_data_sets_are_listed_and_the_way_to_them_is_not() -> None:
    assert "mnist" in catalogue.names()
    assert not {"idx", "packages", "archives", "cache", "catalogue", "dataset", "download", "sdist"} & set(catalogue.names())


def test_listing_imports_no_data_set(repository: Path) -> None:
    code = "import sys; from training.data import catalogue; print(catalogue.names(), 'training.data.mnist' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("('mnist',") or "'mnist'" in done.stdout
    assert done.stdout.strip().endswith("False")


@pytest.mark.parametrize("name", catalogue.names())
def test_every_data_set_is_pinned(name: str) -> None:
    dataset = catalogue.find(name)
    for package in (package for listed in dataset.packages.values() for package in listed):
        assert len(package.sha256) == 64
        assert package.size_bytes > 0
    assert all(len(digest) in (32, 64) for digest in dataset.files.values()), "SHA-256, or the MD5 that its authors publish"


def test_a_new_file_is_all_that_a_new_data_set_needs(folder: Path) -> None:
    (folder / "more_digits.py").write_text(FILE.format(name="more_digits"))
    assert "more_digits" in catalogue.names()
    assert catalogue.find("more_digits").name == "more_digits"


def test_an_annotated_data_set_is_found_and_a_private_file_is_not(folder: Path) -> None:
    (folder / "more_digits.py").write_text(FILE.format(name="more_digits").replace("DATASET =", "DATASET: object ="))
    (folder / "_draft.py").write_text(FILE.format(name="draft"))
    (folder / "words_only.py").write_text("'''DATASET = here'''\nx = 1\n")
    assert [name for name in catalogue.names() if name in ("more_digits", "_draft", "words_only")] == ["more_digits"]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        pytest.param("DATASET = 3", ContractError, "DATASET is int, expected a DataSet", id="a number"),
        pytest.param(FILE.format(name="other"), ContractError, "named 'other', expected 'bad_set'", id="another name"),
        pytest.param("import no_such_package\nDATASET = 1", SetupError, "needs no_such_package", id="a package missing"),
        pytest.param("DATASET = (", SetupError, "bad_set.py, line 1", id="not Python"),
    ],
)
def test_a_file_at_fault_is_named(folder: Path, text: str, error: type[TandemError], message: str) -> None:
    (folder / "bad_set.py").write_text(text)
    assert "bad_set" in catalogue.names(), "a broken file must not hide itself or others"
    with pytest.raises(error, match=message):
        catalogue.find("bad_set")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        pytest.param("mnits", r"no data set is called 'mnits' \(did you mean mnist\?\); there are: .*mnist", id="a slip"),
        pytest.param("../mnist", "no data set is called '../mnist'", id="a path"),
        pytest.param("packages", "no data set is called 'packages'", id="a file of the way"),
        pytest.param("", "no data set is called ''", id="nothing"),
    ],
)
def test_an_unknown_name_lists_what_exists(asked: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        catalogue.find(asked)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"name": "MNIST"}, "expected a name of small letters", id="capitals"),
        pytest.param({"name": "../x"}, "expected a name of small letters", id="a path"),
        pytest.param({"licence": " "}, "licence is empty", id="no licence"),
        pytest.param({"origin": ""}, "origin is empty", id="no origin"),
        pytest.param({"packages": {}}, "sources are none", id="no source"),
        pytest.param({"packages": {"auto": ()}}, r"sources are \['auto'\]", id="a source that means another"),
    ],
)
def test_a_description_that_says_too_little_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        replace(mnist.DATASET, **changes)


def test_a_data_set_without_genuine_files_refuses_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read from a folder; leave --data-dir out"):
        replace(mnist.DATASET, files={}).load(DataOptions(folder=tmp_path))


def test_a_source_that_a_data_set_has_not_is_refused() -> None:
    dataset = replace(mnist.DATASET, packages={"full": (mnist.FULL,)})
    assert dataset.of_source("auto") == (mnist.FULL,)
    with pytest.raises(UsageError, match="has no source 'subset', expected one of auto, full"):
        dataset.load(DataOptions("subset"))


def test_a_source_beside_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="contradict each other"):
        DataOptions("full", tmp_path)


@pytest.mark.parametrize("source", ["auto", "subset"])
def test_no_digit_stands_in_two_splits_or_twice_in_one(source: str) -> None:
    splits = mnist.load(DataOptions(source))
    assert shared(splits) == {("train", "validation"): 0, ("train", "test"): 0, ("validation", "test"): 0}
    assert [repeated(split) for split in splits.parts().values()] == [0, 0, 0], "correct what mnist.py says about it"


def small(**rows: list[list[int]]) -> Splits:
    parts = {part: Split({"numbers": np.array(values, np.uint8)}, np.zeros(len(values), np.int64)) for part, values in rows.items()}
    return Splits("made_up", "0" * 64, "made up", ("all",), **parts)


def test_what_two_splits_share_is_counted() -> None:
    splits = small(train=[[1, 2], [3, 4], [3, 4]], validation=[[3, 4], [5, 6]], test=[[1, 2], [5, 6], [7, 8]])
    assert shared(splits) == {("train", "validation"): 1, ("train", "test"): 1, ("validation", "test"): 1}
    assert repeated(splits.train) == 1


@pytest.mark.parametrize("kind", [object, str])
def test_several_inputs_are_one_sample_and_words_count_by_spelling(kind: type) -> None:
    def split(*pairs: tuple[str, str]) -> Split:
        columns = [np.array(column, kind) for column in zip(*pairs, strict=True)]
        return Split({"title": columns[0], "text": columns[1]}, np.zeros(len(pairs), np.int64))

    splits = Splits("made_up", "", "", ("all",), split(("a", "b"), ("ab", "")), split(("", "ab")), split(("a", "b")))
    assert shared(splits) == {("train", "validation"): 0, ("train", "test"): 1, ("validation", "test"): 0}


def test_a_data_set_can_be_made_of_several_packages() -> None:
    dataset = DataSet("pair", "two", "free", "here", {"full": (mnist.FULL, mnist.SUBSET)}, mnist.load)
    assert dataset.of_source("full") == (mnist.FULL, mnist.SUBSET)
