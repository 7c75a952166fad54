"""Files of packages: where they are kept, and members that are read by name, never followed, never too large."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from edge.errors import InputError
from training.data import archives, packages
from training.data.packages import Package

CONTENT = b"digits " * 1000


def npm_file(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("package/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return buffer.getvalue()


def wheel_file(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", [".tgz", ".whl"])
def test_a_member_that_is_missing_is_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"package{suffix}"
    path.write_bytes((npm_file if suffix == ".tgz" else wheel_file)({"package/a": CONTENT}))
    with pytest.raises(InputError, match="holds no file 'package/b'"):
        packages.read_members(path, ["package/a", "package/b"])


def test_a_link_in_a_package_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "package.tgz"
    path.write_bytes(npm_file({}))
    with pytest.raises(InputError, match="holds no file 'package/link'"):
        packages.read_members(path, ["package/link"])


@pytest.mark.parametrize("suffix", [".tgz", ".whl"])
def test_a_member_that_is_too_large_is_refused(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_MEMBER_BYTES", len(CONTENT) - 1)
    path = tmp_path / f"package{suffix}"
    path.write_bytes((npm_file if suffix == ".tgz" else wheel_file)({"package/a": CONTENT}))
    with pytest.raises(InputError, match="expected at most"):
        packages.read_members(path, ["package/a"])


@pytest.mark.parametrize("suffix", [".tgz", ".whl"])
@pytest.mark.parametrize(
    "content", [b"", b"not an archive", npm_file({"package/a": CONTENT})[:60], wheel_file({"package/a": CONTENT})[:60]]
)
def test_a_damaged_archive_is_refused_in_words(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"package{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match="package"):
        packages.read_members(path, ["package/a"])


def test_the_cache_is_under_home_unless_it_is_put_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TANDEM_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert packages.cache_folder() == tmp_path / ".cache" / "tandem" / "packages"
    monkeypatch.setenv("TANDEM_CACHE", "/elsewhere")
    assert packages.cache_folder() == Path("/elsewhere/packages")


def test_a_scoped_name_stays_inside_the_cache() -> None:
    assert Package("npm", "@scope/data", "1.0.0", "").file_name == "npm-scope-data-1.0.0.tgz"
