"""Reading packages of every kind: by content, in memory, and in words where they are damaged."""

import io
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import InputError, SetupError
from training.data import archives

MEMBERS = {"usr/share/data/a.txt": b"first", "usr/share/data/b.png": b"second" * 1000, "usr/share/doc/c.txt": b""}


def tarball(mode: str, prefix: str = "") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in MEMBERS.items():
            info = tarfile.TarInfo(prefix + name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in MEMBERS.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def ar(*members: tuple[str, bytes]) -> bytes:
    content = b"!<arch>\n"
    for name, data in members:
        content += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
    return content


def debian(name: str, data: bytes) -> bytes:
    return ar(("debian-binary", b"2.0\n"), ("control.tar.xz", b"odd"), (name, data))


def zstd(content: bytes) -> bytes:
    if shutil.which("zstd") is None:
        pytest.skip("zstd is not on this machine")
    return subprocess.run(["zstd", "-cq"], input=content, capture_output=True, check=True).stdout


KINDS = [
    pytest.param(lambda: zipped(), id="zip"),
    pytest.param(lambda: tarball("w:gz"), id="tar.gz"),
    pytest.param(lambda: tarball("w:xz"), id="tar.xz"),
    pytest.param(lambda: debian("data.tar.xz", tarball("w:xz", "./")), id="deb, xz"),
    pytest.param(lambda: debian("data.tar.gz", tarball("w:gz", "./")), id="deb, gz"),
    pytest.param(lambda: debian("data.tar", tarball("w", "./")), id="deb, plain"),
    pytest.param(lambda: debian("data.tar.zst/", zstd(tarball("w", "./"))), id="deb, zst"),
]


@pytest.mark.parametrize("make", KINDS)
def test_every_kind_is_told_by_its_content(make: object, tmp_path: Path) -> None:
    path = tmp_path / "package.anything"
    path.write_bytes(make())
    assert archives.read_members(path, list(MEMBERS)) == MEMBERS
    assert archives.read_members(path.read_bytes(), list(MEMBERS)[1:]) == dict(list(MEMBERS.items())[1:])
    assert list(archives.read_matching(path, "*.txt")) == ["usr/share/data/a.txt", "usr/share/doc/c.txt"]


@pytest.mark.parametrize("make", KINDS)
def test_what_is_not_there_is_named(make: object, tmp_path: Path) -> None:
    path = tmp_path / "package.anything"
    path.write_bytes(make())
    with pytest.raises(InputError, match=r"package.anything: holds no file 'usr/share/data'"):
        archives.read_members(path, ["usr/share/data"])
    with pytest.raises(InputError, match=r"holds no file like '\*\.jpg'"):
        archives.read_matching(path, "*.jpg")


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.7])
def test_one_that_is_cut_short_is_refused(make: object, share: float) -> None:
    content = make()
    with pytest.raises(InputError, match="a set: "):
        archives.read_members(content[: int(len(content) * share)], list(MEMBERS), "a set")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(ar(("debian-binary", b"2.0\n")), id="no data"),
        pytest.param(b"!<arch>\n" + b"x" * 60, id="no head"),
        pytest.param(b"!<arch>\n" + f"{'data.tar':<48}{'many':<10}`\n".encode(), id="a size in words"),
        pytest.param(b"!<arch>\n" + f"{'debian-binary':<48}{'-60':<10}`\n".encode(), id="a size below zero"),
        pytest.param(debian("data.tar.xz", b"not packed"), id="not packed"),
    ],
)
def test_a_debian_package_that_is_damaged_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match="cannot be read as a package"):
        archives.read_members(content, ["a"], "a set")


def test_without_zstd_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(SetupError, match="needs the program zstd; install the package zstd"):
        archives.read_members(debian("data.tar.zst", b"x"), ["a"], "a set")


@pytest.mark.parametrize("make", KINDS)
def test_a_member_too_large_is_refused(make: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_MEMBER_BYTES", 5999)
    with pytest.raises(InputError, match="expected at most 5999"):
        archives.read_members(make(), list(MEMBERS))


@given(st.binary(max_size=200), st.sampled_from([b"", b"PK\x03\x04", b"!<arch>\n", b"\x1f\x8b\x08", b"\xfd7zXZ\x00"]))
def test_arbitrary_bytes_are_refused_in_words(content: bytes, begin: bytes) -> None:
    with pytest.raises(InputError, match="a set: "):
        archives.read_members(begin + content, ["a"], "a set")
