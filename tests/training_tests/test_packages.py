"""Fetching: pinned, verified before it is kept, once, whole, and in words where it cannot be done."""

import hashlib
import io
import sys
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edge.errors import InputError, SetupError
from training.data import download, packages
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


class Registry:
    """Fake `npm` and `python -m pip` on this machine, which count their calls and hand out what lies in a folder."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._shelf, self._calls = folder / "shelf", folder / "calls"
        programs = folder / "programs"
        for path in (self._shelf, programs):
            path.mkdir(parents=True)
        script = f'#!/bin/sh\necho "$@" >> "{self._calls}"\n[ -e "{folder}/slow" ] && sleep 0.3\n'
        script += f'[ -e "{folder}/half" ] && echo half > some-data.tgz\n'
        script += f'[ -e "{folder}/litter" ] && mkdir -p "$npm_config_cache" && echo x > "$npm_config_cache/y" && echo x > "$TMPDIR/z"\n'
        script += f'if [ -e "{folder}/offline" ]; then cat "{folder}/offline"; exit 1; fi\ncp "{self._shelf}"/* .\n'
        for name in ("npm", "python", "apt-get"):
            (programs / name).write_text(script)
            (programs / name).chmod(0o755)
        self._folder = folder
        monkeypatch.setenv("TANDEM_CACHE", str(folder / "cache"))
        monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
        monkeypatch.setattr(sys, "executable", str(programs / "python"))
        monkeypatch.setattr("tempfile.tempdir", str(folder / "temporary"))
        (folder / "temporary").mkdir()

    def offer(self, content: bytes) -> None:
        (self._shelf / "package.bin").write_bytes(content)

    def go_offline(self, words: str) -> None:
        (self._folder / "offline").write_text(words)

    def break_off(self, words: str) -> None:
        (self._folder / "offline").write_text(words)
        (self._folder / "half").touch()

    def litter(self) -> None:
        (self._folder / "litter").touch()

    def slow(self) -> None:
        (self._folder / "slow").touch()

    @property
    def calls(self) -> list[str]:
        return self._calls.read_text().splitlines() if self._calls.exists() else []

    def left_over(self) -> list[Path]:
        """Files anywhere in the cache or in the temporary folder."""
        places = (self._folder / "cache", self._folder / "temporary")
        return [path for place in places if place.exists() for path in place.rglob("*") if path.is_file()]


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    return Registry(tmp_path, monkeypatch)


def pinned(registry_name: str, content: bytes) -> Package:
    return Package(registry_name, "some-data", "1.2.3", hashlib.sha256(content).hexdigest())


FILES = [
    pytest.param("npm", npm_file({"package/a": CONTENT}), "pack some-data@1.2.3", id="npm"),
    pytest.param("PyPI", wheel_file({"package/a": CONTENT}), "-m pip download", id="PyPI"),
    pytest.param("PyPI sdist", npm_file({"package/a": CONTENT}), "sdist.py some-data 1.2.3", id="PyPI sdist"),
    pytest.param("Debian", npm_file({"package/a": CONTENT}), "download -o=Acquire::Retries=2 some-data=1.2.3", id="Debian"),
]


@pytest.mark.parametrize(("name", "content", "words"), FILES)
def test_a_package_is_fetched_once_and_then_read_from_the_cache(registry: Registry, name: str, content: bytes, words: str) -> None:
    registry.offer(content)
    package = pinned(name, content)
    first = packages.fetch(package)
    assert len(registry.calls) == 1
    assert words in registry.calls[0]
    registry.go_offline("no network")
    assert packages.fetch(package) == first
    assert len(registry.calls) == 1, "the second run must not touch the network"
    assert packages.read_members(first, ["package/a"]) == {"package/a": CONTENT}
    assert registry.left_over() == [first]


@pytest.mark.parametrize(("name", "content", "words"), FILES)
def test_a_wrong_hash_leaves_nothing_behind(registry: Registry, name: str, content: bytes, words: str) -> None:
    registry.offer(content + b"!")
    with pytest.raises(InputError, match=r"some-data.*SHA-256 is .*expected .*Nothing was kept"):
        packages.fetch(pinned(name, content))
    assert registry.left_over() == []
    assert packages.cached(pinned(name, content)) is None


def test_a_damaged_cache_file_is_fetched_again(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    content = npm_file({"package/a": CONTENT})
    registry.offer(content)
    path = packages.fetch(pinned("npm", content))
    path.write_bytes(content[:-1])
    assert packages.is_damaged(pinned("npm", content))
    assert packages.fetch(pinned("npm", content)).read_bytes() == content
    assert len(registry.calls) == 2
    assert "it is not used, fetching it again" in capsys.readouterr().err
    assert not packages.is_damaged(pinned("npm", content))


def test_a_damaged_cache_file_is_not_used_where_it_cannot_be_fetched(registry: Registry) -> None:
    content = npm_file({"package/a": CONTENT})
    registry.offer(content)
    path = packages.fetch(pinned("npm", content))
    path.write_bytes(content[:-1])
    registry.go_offline("no network")
    with pytest.raises(SetupError, match="no network"):
        packages.fetch(pinned("npm", content))
    assert packages.cached(pinned("npm", content)) is None


@pytest.mark.parametrize(
    "words",
    [
        pytest.param("npm error code ENOSPC\nnpm error nospc ENOSPC: no space left on device, write", id="npm"),
        pytest.param("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", id="pip"),
        pytest.param("E: Write error - write (28: No space left on device)", id="apt"),
    ],
)
def test_a_disk_that_is_full_in_the_middle_is_told_and_nothing_stays(registry: Registry, words: str) -> None:
    registry.break_off(words)
    with pytest.raises(SetupError, match="became full in the middle; nothing was kept"):
        packages.fetch(pinned("npm", CONTENT))
    assert registry.left_over() == []


@pytest.mark.parametrize(
    "place",
    [pytest.param("/dev/null/cache", id="under a file"), pytest.param("/proc/cache", id="where nobody may write")],
)
def test_a_cache_that_cannot_be_written_is_told(registry: Registry, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_CACHE", place)
    with pytest.raises(SetupError, match=r"the cache cannot be written \(.*name another folder in TANDEM_CACHE"):
        packages.fetch(pinned("npm", CONTENT))
    assert registry.calls == []


def test_the_programs_keep_their_own_caches_where_they_are_removed(registry: Registry) -> None:
    content = npm_file({"package/a": CONTENT})
    registry.offer(content)
    registry.litter()
    path = packages.fetch(pinned("npm", content))
    assert registry.left_over() == [path]


def test_what_a_killed_process_left_is_removed_by_the_next(registry: Registry) -> None:
    content = npm_file({"package/a": CONTENT})
    package = pinned("npm", content)
    folder = packages.cache_folder()
    stale = folder / f".{package.file_name}.abc.partial"
    stale.mkdir(parents=True)
    (stale / "half").write_bytes(b"half")
    (folder / f".{package.file_name}.lock").touch()
    registry.offer(content)
    assert registry.left_over() != []
    path = packages.fetch(package)
    assert registry.left_over() == [path]


@pytest.mark.parametrize(
    ("name", "words", "told"),
    [
        pytest.param(
            "npm",
            "npm error code ENOTFOUND\nnpm error request to X failed, reason: getaddrinfo ENOTFOUND",
            "getaddrinfo",
            id="npm, no network",
        ),
        pytest.param("npm", "npm error code E404\nnpm error 404 Not Found", "404 Not Found", id="npm, no such version"),
        pytest.param(
            "PyPI", "WARNING: Retrying after [Errno -2] Name or service\nERROR: No matching", "Name or service", id="pip, no network"
        ),
        pytest.param("PyPI", "No module named pip", "No module named pip", id="no pip"),
        pytest.param("PyPI", "", "no message", id="a silent failure"),
        pytest.param("PyPI sdist", "ERROR: some-data==1.2.3 not found as a source package", "not found as a source", id="no such sdist"),
        pytest.param(
            "Debian", "W: unsandboxed\nE: Version '1.2.3' for 'some-data' was not found", "was not found", id="apt, no such version"
        ),
        pytest.param("Debian", "E: Unable to locate package some-data", "Unable to locate", id="apt, no such package"),
    ],
)
def test_offline_is_told_in_words_with_the_remedy(registry: Registry, name: str, words: str, told: str) -> None:
    registry.go_offline(words)
    with pytest.raises(SetupError) as caught:
        packages.fetch(pinned(name, CONTENT))
    message = str(caught.value)
    assert told in message
    assert "connect to the network once, or put the file at" in message
    assert registry.left_over() == []


def test_a_file_put_into_the_cache_by_hand_serves(registry: Registry) -> None:
    content = npm_file({"package/a": CONTENT})
    package = pinned("npm", content)
    registry.go_offline("no network")
    with pytest.raises(SetupError) as caught:
        packages.fetch(package)
    place = Path(str(caught.value).split("put the file at ")[1])
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    assert packages.fetch(package) == place


def test_npm_that_is_not_there_is_told(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert not packages.can_fetch(pinned("npm", CONTENT))
    with pytest.raises(SetupError, match=r"needs npm, which is not on this machine; install Node\.js"):
        packages.fetch(pinned("npm", CONTENT))


def test_a_program_that_cannot_be_started_is_told(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(SetupError, match=r"cannot be fetched \(No such file"):
        packages.fetch(pinned("PyPI", CONTENT))


def test_a_fetch_that_hangs_is_ended(registry: Registry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    registry.offer(npm_file({}))
    registry.slow()
    monkeypatch.setattr(download, "QUIET_S", 0.02)
    monkeypatch.setattr(download, "FETCH_LIMIT_S", 0.05)
    with pytest.raises(SetupError, match="not fetched within"):
        packages.fetch(pinned("npm", npm_file({})))
    assert "fetching npm some-data@1.2.3" in capsys.readouterr().err
    assert registry.left_over() == []


def test_what_takes_long_says_so(registry: Registry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    content = npm_file({"package/a": CONTENT})
    registry.offer(content)
    registry.slow()
    monkeypatch.setattr(download, "QUIET_S", 0.02)
    packages.fetch(pinned("npm", content))
    assert capsys.readouterr().err.count("some-data@1.2.3") == 2


def test_several_at_once_do_no_harm(registry: Registry) -> None:
    content = npm_file({"package/a": CONTENT})
    registry.offer(content)
    registry.slow()
    package = pinned("npm", content)
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: packages.fetch(package), range(4)))
    assert len(set(paths)) == 1
    assert paths[0].read_bytes() == content
    assert registry.left_over() == [paths[0]]
    assert len(registry.calls) == 1, "the others were to wait for the first and find its file"


def test_a_download_of_two_files_is_refused(registry: Registry, tmp_path: Path) -> None:
    registry.offer(CONTENT)
    (tmp_path / "shelf" / "another.bin").write_bytes(CONTENT)
    with pytest.raises(SetupError, match="left 2 files"):
        packages.fetch(pinned("npm", CONTENT))
