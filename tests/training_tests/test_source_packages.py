"""Source packages come as files through the real pip: their build code never runs."""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from edge.errors import SetupError
from training.data import packages, sdist
from training.data.packages import Package

NAME = "tandem-made-up-data"


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes packages from instead of an index, with one whose setup.py would leave a mark."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    mark = f"from pathlib import Path\nPath({str(tmp_path / 'mark')!r}).touch()\n"
    setup = f"{mark}from setuptools import setup\nsetup(name={NAME!r}, version='1.0')\n"
    with tarfile.open(folder / f"{NAME}-1.0.tar.gz", "w:gz") as archive:
        for name, text in (
            ("setup.py", setup),
            ("PKG-INFO", f"Metadata-Version: 1.0\nName: {NAME}\nVersion: 1.0\n"),
            ("data.txt", "digits"),
        ):
            info = tarfile.TarInfo(f"{NAME}-1.0/{name}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("TANDEM_CACHE", str(tmp_path / "cache"))
    return folder


def package(shelf: Path, version: str = "1.0") -> Package:
    return Package("PyPI sdist", NAME, version, hashlib.sha256((shelf / f"{NAME}-1.0.tar.gz").read_bytes()).hexdigest())


def test_a_source_package_is_fetched_as_a_file_and_nothing_is_built(shelf: Path, tmp_path: Path) -> None:
    path = packages.fetch(package(shelf))
    assert packages.read_members(path, [f"{NAME}-1.0/data.txt"]) == {f"{NAME}-1.0/data.txt": b"digits"}
    assert not (tmp_path / "mark").exists()


def test_pip_itself_would_have_built_it(shelf: Path, tmp_path: Path) -> None:
    words = [
        "-m",
        "pip",
        "download",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "--disable-pip-version-check",
        "--dest",
        str(tmp_path),
        NAME,
    ]
    subprocess.run([sys.executable, *words], capture_output=True, check=False)
    assert (tmp_path / "mark").exists(), "if this pip no longer builds, the detour is no longer needed"


def test_a_version_that_is_not_there_lists_those_that_are(shelf: Path) -> None:
    with pytest.raises(SetupError, match=r"==2\.0 not found as a source package; versions to be had: 1\.0"):
        packages.fetch(package(shelf, "2.0"))


def test_another_pip_is_told_in_words(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def without(name: str) -> None:
        raise ImportError(f"no module {name}")

    monkeypatch.setattr(sdist, "import_module", without)
    assert sdist.main(["some-data", "1.0"]) == 1
    assert "ERROR: this pip does not give its index to others (no module pip._internal.commands)" in capsys.readouterr().err
