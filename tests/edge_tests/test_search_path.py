"""A model by its bare name: which places are asked, in which order, and which version is taken."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edge import Model, search_path
from edge.bundle import open_bundle, versions
from edge.errors import BundleError


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """The working directory's bundles, two named folders, and the user's own; all empty."""
    found = {"here": tmp_path / "cwd" / "bundles", "first": tmp_path / "first", "second": tmp_path / "second"}
    found["user"] = tmp_path / "data" / "tandem" / "bundles"
    for place in found.values():
        place.mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "cwd")
    monkeypatch.setenv("TANDEM_BUNDLES", f"{found['first']}{os.pathsep}{found['second']}")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr("sys.platform", "linux")
    return found


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("mnist_cnn", True, id="a name"),
        pytest.param("mnist_cnn/1.0.0", True, id="with a version"),
        pytest.param("bundles/mnist_cnn", False, id="a path"),
        pytest.param("./mnist_cnn", False, id="a path from here"),
        pytest.param("mnist_cnn/01.0.0", False, id="no version"),
        pytest.param("../mnist_cnn", False, id="out of here"),
        pytest.param("MNIST", False, id="no name of a model"),
        pytest.param("mnist_cnn\n", False, id="a line's end"),
        pytest.param("", False, id="nothing"),
        pytest.param(Path("mnist_cnn"), False, id="a Path"),
    ],
)
def test_what_is_a_name(name: str | Path, expected: bool) -> None:
    assert search_path.is_name(name) is expected


def test_places_are_asked_in_order(places: dict[str, Path]) -> None:
    order = ["here", "first", "second", "user"]
    assert [place.resolve() for place in search_path.places()] == [places[name].resolve() for name in order]
    for name in reversed(order):
        (places[name] / "digits").mkdir()
        found = search_path.find("digits")
        assert found is not None
        assert found.resolve() == (places[name] / "digits").resolve()


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        pytest.param("linux", {}, ".local/share/tandem/bundles", id="Linux"),
        pytest.param("linux", {"XDG_DATA_HOME": "xdg"}, "xdg/tandem/bundles", id="Linux, data elsewhere"),
        pytest.param("darwin", {}, "Library/Application Support/tandem/bundles", id="macOS"),
        pytest.param("win32", {}, "AppData/Local/tandem/bundles", id="Windows"),
    ],
)
def test_the_users_own_place(
    platform: str, variables: dict[str, str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for name in ("XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    assert search_path.user_bundles() == [tmp_path / expected]


def test_a_user_without_a_home_has_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    assert search_path.user_bundles() == []


@pytest.fixture
def link(bundle: Path) -> Callable[[Path], None]:
    """Puts the released model at a place."""

    def make(folder: Path) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.symlink_to(bundle, target_is_directory=True)

    return make


def test_a_model_is_opened_by_its_name_in_its_newest_version(places: dict[str, Path], link: Callable[[Path], None]) -> None:
    for version in ("0.9.0", "0.10.0"):
        link(places["second"] / "digits" / version)
    (places["second"] / "digits" / "0.11.0-draft").mkdir()
    found = search_path.find("digits")
    assert found is not None
    assert [path.name for path in versions(found)] == ["0.9.0", "0.10.0"]
    (places["second"] / "digits" / "0.9.0").unlink()
    (places["second"] / "digits" / "0.9.0").mkdir()  # no bundle: so it can only be the other one that opens
    with pytest.raises(BundleError, match=r"0\.9\.0: neither a bundle"):
        open_bundle("digits/0.9.0")
    with Model.open("digits") as model:
        assert model.contract.name == "mnist_cnn"
        assert repr(model).startswith("Model(mnist_cnn 1.0.0, image-classification: model.static_wi8_ai8.tflite on ai-edge-litert")


def test_a_folder_here_comes_before_the_places_where_it_is_a_bundle(places: dict[str, Path], link: Callable[[Path], None]) -> None:
    here = Path("digits")
    here.mkdir()
    link(places["user"] / "digits" / "1.0.0")
    assert open_bundle("digits").folder.name == "1.0.0"  # the folder here is something else
    link(here / "7.0.0")
    (places["user"] / "digits" / "1.0.0").unlink()
    assert open_bundle("digits").contract.name == "mnist_cnn"


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_that_the_system_refuses(places: dict[str, Path], kind: type) -> None:
    del places
    with pytest.raises(BundleError, match="^a{300}.*: (cannot be read|no such directory)"):
        Model.open(kind("a" * 300))


def test_a_name_that_nobody_has(places: dict[str, Path]) -> None:
    with pytest.raises(
        BundleError, match="nobody: no such directory, and no model of that name in bundles, .*first, .*second, .*TANDEM_BUNDLES"
    ):
        Model.open("nobody")
    with pytest.raises(BundleError, match="nobody: no such directory; give a bundle such as"):
        Model.open(Path("nobody"))
