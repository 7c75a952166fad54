"""Writing: a reader sees the old content or the new, whole, whatever fails on the way."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edge import storage
from edge.errors import SetupError
from edge.storage import atomic_directory, write_atomic

FULL_DISK = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def refuse(error: OSError) -> Callable[..., None]:
    """A function that fails as the system would."""

    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def fill(target: Path, content: str, error: BaseException | None = None) -> None:
    """Write a directory with one file in it, and fail then if there is an error to fail with."""
    with atomic_directory(target) as work:
        (work / "sub").mkdir()
        (work / "sub" / "f").write_text(content, encoding="utf-8")
        if error is not None:
            raise error


@pytest.fixture(params=["exchange", "two renames"])
def swap(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of putting a directory in the place of another; exchanging is played where the file system has it not."""
    if request.param == "two renames":
        monkeypatch.setattr(storage, "_exchange", lambda one, other: False)
        return str(request.param)
    real = storage._exchange

    def exchange(one: Path, other: Path) -> bool:
        if not real(one, other):
            third = one.with_name(one.name + ".third")
            one.rename(third)
            other.rename(one)
            third.rename(other)
        return True

    monkeypatch.setattr(storage, "_exchange", exchange)
    return str(request.param)


def test_directory_appears_whole_and_is_replaced_whole(tmp_path: Path, swap: str) -> None:
    target = tmp_path / "deep" / "er" / "1.0.0"
    for content in ("first", "second"):
        fill(target, content)
        assert (target / "sub" / "f").read_text(encoding="utf-8") == content
        assert target.stat().st_mode & 0o777 == 0o755
        assert os.listdir(target.parent) == ["1.0.0"], "nothing is left beside it"


def test_what_another_process_put_there_meanwhile_is_replaced(tmp_path: Path, swap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "1.0.0"
    fill(target, "theirs")
    monkeypatch.setattr(Path, "exists", lambda path: False)  # as it was a moment ago
    fill(target, "ours")
    assert (target / "sub" / "f").read_text(encoding="utf-8") == "ours"
    assert [path.name for path in tmp_path.iterdir()] == ["1.0.0"]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), FULL_DISK], ids=["mistake", "interrupt", "full disk"])
def test_failure_inside_leaves_the_old_directory(tmp_path: Path, swap: str, error: BaseException) -> None:
    target = tmp_path / "1.0.0"
    fill(target, "old")
    with pytest.raises(SetupError if isinstance(error, OSError) else type(error)):
        fill(target, "half", error)
    assert (target / "sub" / "f").read_text(encoding="utf-8") == "old"
    assert os.listdir(tmp_path) == ["1.0.0"]


@pytest.mark.parametrize("link", [True, False], ids=["link", "file"])
def test_what_is_no_directory_is_not_replaced(tmp_path: Path, link: bool) -> None:
    target = tmp_path / "1.0.0"
    if link:
        target.symlink_to(tmp_path)
    else:
        target.write_text("precious", encoding="utf-8")
    with pytest.raises(SetupError, match="a file or a link stands in the place of a directory; move it away"):
        fill(target, "new")
    assert os.listdir(tmp_path) == ["1.0.0"]


@pytest.mark.parametrize("old", ["old", None], ids=["replacing", "new"])
def test_full_disk_while_flushing_leaves_the_old_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str | None) -> None:
    target = tmp_path / "1.0.0"
    if old:
        fill(target, old)
    monkeypatch.setattr(os, "fsync", refuse(FULL_DISK))
    with pytest.raises(SetupError, match=r"1\.0\.0: could not be written \(No space left on device\); free some space"):
        fill(target, "new")
    assert (target / "sub" / "f").read_text(encoding="utf-8") == "old" if old else not target.exists()
    assert os.listdir(tmp_path) == (["1.0.0"] if old else [])


def test_failed_second_rename_puts_the_old_directory_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "1.0.0"
    fill(target, "old")
    rename = Path.rename

    def fail_into_place(path: Path, to: Path) -> Path:
        if path.name.endswith(".partial") and Path(to) == target:
            raise OSError(errno.EIO, "Input/output error")
        return rename(path, to)

    monkeypatch.setattr(storage, "_exchange", lambda one, other: False)
    monkeypatch.setattr(Path, "rename", fail_into_place)
    with pytest.raises(SetupError, match="Input/output error"):
        fill(target, "new")
    assert (target / "sub" / "f").read_text(encoding="utf-8") == "old"
    assert os.listdir(tmp_path) == ["1.0.0"]


def test_exchange_is_one_call_or_says_that_it_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
        (folder / folder.name).touch()
    exchanged = storage._exchange(one, other)
    assert os.listdir(one) == (["other"] if exchanged else ["one"])
    assert storage._exchange(one, tmp_path / "nothing") is False
    monkeypatch.setattr(storage.ctypes, "CDLL", lambda *_, **__: object())
    assert storage._exchange(one, other) is False, "a system without the call"


def test_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match=r"file: cannot be written \(.+\); choose another folder"):
        fill(tmp_path / "file" / "x", "")
    with pytest.raises(SetupError, match=r"x: could not be written"):
        write_atomic(tmp_path / "file" / "x", b"")


def test_file_appears_whole_and_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "f"
    for content in (b"first", b"second"):
        write_atomic(path, content)
        assert path.read_bytes() == content
        assert path.stat().st_mode & 0o777 == 0o644
        assert os.listdir(path.parent) == ["f"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    monkeypatch.setattr(*((os, "fsync") if call == "fsync" else (Path, "replace")), refuse(FULL_DISK))
    with pytest.raises(SetupError, match=r"f: could not be written \(No space left on device\)"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["f"]


def test_directories_are_not_flushed_where_the_system_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f").touch()
    monkeypatch.setattr(storage.sys, "platform", "win32")
    monkeypatch.setattr(os, "open", refuse(PermissionError(errno.EACCES, "Permission denied")))
    storage._flush(tmp_path)
    with pytest.raises(PermissionError):
        storage._flush(tmp_path / "f")
