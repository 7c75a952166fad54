"""Hashes: what is damaged, added, linked or out of place in a directory is refused with the file's name."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.errors import BundleError
from edge.storage import fingerprint, read_sums, safe_relative, sha256_file, verify, write_sums

HASH = hashlib.sha256(b"content").hexdigest()


@pytest.mark.parametrize("content", [b"", b"abc", bytes(3 << 20)], ids=["empty", "short", "longer than one piece"])
def test_sha256_of_a_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "f").write_bytes(content)
    assert sha256_file(tmp_path / "f") == hashlib.sha256(content).hexdigest()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.py").write_bytes(b"a")
    (folder / "sub" / "b.py").write_bytes(b"b")
    return folder


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda tree: (tree / "sub" / "b.py").write_bytes(b"B"), id="content"),
        pytest.param(lambda tree: (tree / "a.py").rename(tree / "c.py"), id="name"),
        pytest.param(lambda tree: (tree / "sub" / "b.py").rename(tree / "b.py"), id="folder"),
        pytest.param(lambda tree: (tree / "new").write_bytes(b""), id="empty file added"),
        pytest.param(lambda tree: (tree / "a.py").unlink(), id="file removed"),
    ],
)
def test_fingerprint_changes_with(tree: Path, change: Callable[[Path], object]) -> None:
    before = fingerprint([tree])
    change(tree)
    assert fingerprint([tree]) != before


def test_fingerprint_does_not_change_with_place_caches_or_time(tree: Path, tmp_path: Path) -> None:
    before = fingerprint([tree], "torch 2")
    (tree / "__pycache__").mkdir()
    (tree / "__pycache__" / "a.pyc").write_bytes(b"cache")
    (tree / "empty").mkdir()
    os.utime(tree / "a.py", (0, 0))
    tree.rename(tmp_path / "elsewhere")
    assert fingerprint([tmp_path / "elsewhere"], "torch 2") == before


def test_fingerprint_of_files_and_words(tree: Path) -> None:
    one = tree / "a.py"
    assert fingerprint([one]) == fingerprint([one])
    assert len({fingerprint([one], *words) for words in ((), ("x",), ("x", "y"), ("xy",), ("y", "x"))}) == 5
    same_bytes = one.with_name("z.py")
    same_bytes.write_bytes(b"a")
    assert fingerprint([same_bytes]) != fingerprint([one])


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("model.onnx", True),
        ("assets/words.txt", True),
        ("a..b", True),
        ("name with blanks", True),
        ("", False),
        (".", False),
        ("..", False),
        ("../x", False),
        ("a/../x", False),
        ("a/./x", False),
        ("/etc/passwd", False),
        ("a//b", False),
        ("a/", False),
        ("a\\b", False),
        ("C:x", False),
        ("a\0b", False),
    ],
)
def test_safe_relative(name: str, safe: bool) -> None:
    assert safe_relative(name) is safe


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """A signed directory of three files."""
    folder = tmp_path / "released"
    (folder / "assets").mkdir(parents=True)
    for name in ("b.bin", "a.bin", "assets/words.txt"):
        (folder / name).write_bytes(name.encode())
    write_sums(folder, ["b.bin", "assets/words.txt", "a.bin"])
    return folder


def test_sums_are_sorted_and_read_back(released: Path) -> None:
    lines = (released / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    assert lines[0] == f"{hashlib.sha256(b'a.bin').hexdigest()}  a.bin"
    assert [line[66:] for line in lines] == ["a.bin", "assets/words.txt", "b.bin"]
    assert verify(released) == read_sums(released) == {line[66:]: line[:64] for line in lines}


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("rubbish", id="no hash"),
        pytest.param(f"{HASH} name", id="one blank"),
        pytest.param(f"{HASH} *name", id="binary mark"),
        pytest.param(f"{HASH}   name", id="three blanks"),
        pytest.param(f"{HASH}  ", id="no name"),
        pytest.param("", id="empty line"),
        pytest.param(f"{HASH.upper()}  name", id="capitals"),
        pytest.param(f"{HASH[1:]}  name", id="63 digits"),
        pytest.param(f"{HASH}  ../name", id="outside"),
        pytest.param(f"{HASH}  /name", id="absolute"),
        pytest.param(f"{HASH}  a\\name", id="backslash"),
        pytest.param(f"{HASH}  first", id="a name twice"),
        pytest.param(f"{HASH}  SHA256SUMS", id="itself"),
        pytest.param("\ufffd\ufffd" * 200, id="long and not text"),
    ],
)
def test_bad_line_of_sums_is_told_by_number(tmp_path: Path, line: str) -> None:
    (tmp_path / "SHA256SUMS").write_text(f"{HASH}  first\n{line}\n", encoding="utf-8")
    with pytest.raises(BundleError, match=r"SHA256SUMS, line 2: .* is not '<sha256>  <path inside the folder>'") as refusal:
        read_sums(tmp_path)
    assert len(str(refusal.value)) < 600


@pytest.mark.parametrize("end", ["\v", "\f", "\x1c", "\x85", "\u2028"])
def test_only_a_newline_ends_a_line_of_sums(released: Path, end: str) -> None:
    path = released / "SHA256SUMS"
    path.write_text(path.read_text(encoding="utf-8").replace("\n", end, 1), encoding="utf-8")
    with pytest.raises(BundleError):
        verify(released)


def test_sums_must_be_there_and_be_a_small_plain_file(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no SHA256SUMS; not a released directory"):
        read_sums(tmp_path)
    (tmp_path / "list").write_bytes(b"")
    (tmp_path / "SHA256SUMS").symlink_to("list")
    with pytest.raises(BundleError, match="no SHA256SUMS"):
        read_sums(tmp_path)
    (tmp_path / "SHA256SUMS").unlink()
    (tmp_path / "SHA256SUMS").write_bytes(bytes((1 << 20) + 1))
    with pytest.raises(BundleError, match="1048577 bytes, expected at most 1048576"):
        read_sums(tmp_path)


def flip_one_bit(folder: Path) -> None:
    content = bytearray((folder / "a.bin").read_bytes())
    content[0] ^= 1
    (folder / "a.bin").write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(flip_one_bit, r"a\.bin: SHA-256 is \w{12}…, expected \w{12}…; the file was altered", id="flipped bit"),
        pytest.param(lambda f: (f / "b.bin").unlink(), r"b\.bin: missing although SHA256SUMS lists it", id="missing"),
        pytest.param(lambda f: (f / "c.bin").touch(), r"c\.bin: not listed in SHA256SUMS", id="extra"),
        pytest.param(lambda f: (f / "assets" / "report.html").touch(), r"assets/report\.html: not listed", id="extra further down"),
        pytest.param(lambda f: (f / "c.bin").symlink_to("a.bin"), r"c\.bin: a link or special file", id="link to a file"),
        pytest.param(lambda f: (f / "report.html").symlink_to("a.bin"), r"report\.html: a link", id="unlisted link"),
        pytest.param(lambda f: (f / "c").symlink_to(f.parent), r"c: a link or special file", id="link to a folder"),
        pytest.param(lambda f: (f / "c").symlink_to("nowhere"), r"c: a link or special file", id="dangling link"),
        pytest.param(lambda f: os.mkfifo(f / "c"), r"c: a link or special file", id="fifo"),
        pytest.param(lambda f: (f / "b.bin").write_bytes(bytes(1001)), r"b\.bin: 1001 bytes, expected at most 1000", id="oversized"),
        pytest.param(lambda f: (f / "report.html").write_bytes(bytes(1001)), r"report\.html: 1001 bytes", id="unlisted and oversized"),
    ],
)
def test_verify_refuses(released: Path, spoil: Callable[[Path], object], message: str) -> None:
    spoil(released)
    with pytest.raises(BundleError, match=message):
        verify(released, frozenset({"report.html"}), max_bytes=1000)


def test_verify_lets_named_files_be_unlisted(released: Path) -> None:
    (released / "report.html").write_bytes(b"report")
    assert set(verify(released, frozenset({"report.html", "not there"}))) == {"a.bin", "assets/words.txt", "b.bin"}
