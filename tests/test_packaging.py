"""The two distributions: what their wheels hold and ask for, one version everywhere, a pin for every requirement."""

import re
import tomllib
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

import edge

MAX_EDGE_WHEEL_BYTES = 330_000  # a fiftieth of numpy, which comes with it
EDGE_EXTRAS = {"tflite", "tflite-legacy", "onnx", "image", "async", "chinese", "wordpiece", "video"}
UPPER = ("export", "serving", "training")


def _files(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def _metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_bytes(archive.read(name))


def _tree(repository: Path, package: str) -> set[str]:
    """The files of a package that a user needs: all of them, less what Python and pip leave behind."""
    junk = re.compile(r"(^|/)(__pycache__|build|\.[^/]+|[^/]+\.egg-info)/|(^|/)(pyproject\.toml|LICENSE|README\.md)$")
    files = (path.relative_to(repository).as_posix() for path in (repository / package).rglob("*") if path.is_file())
    return {name for name in files if not junk.search(name)}


def _project(repository: Path, folder: str) -> dict[str, Any]:
    return tomllib.loads((repository / folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_edge_wheel_is_small(edge_wheel: Path) -> None:
    assert edge_wheel.stat().st_size < MAX_EDGE_WHEEL_BYTES


def test_edge_wheel_holds_edge_and_nothing_else(edge_wheel: Path, repository: Path) -> None:
    assert _files(edge_wheel) == _tree(repository, "edge")
    assert {"edge/py.typed", "edge/contract.schema.json"} <= _files(edge_wheel)


def test_edge_needs_numpy_only(edge_wheel: Path) -> None:
    metadata = _metadata(edge_wheel)
    hard = [wanted for wanted in metadata.get_all("Requires-Dist", []) if "extra ==" not in wanted]
    assert [re.split(r"[^\w-]", wanted)[0] for wanted in hard] == ["numpy"]
    assert set(metadata.get_all("Provides-Extra", [])) == EDGE_EXTRAS
    assert metadata["Requires-Python"] == ">=3.9"


def test_edge_wheel_brings_the_command(edge_wheel: Path) -> None:
    with zipfile.ZipFile(edge_wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        lines = archive.read(name).decode().splitlines()
    assert "tandem = edge.cli:main" in lines
    assert {f"{name} = edge.commands.{name}" for name in ("run", "info", "check", "bench")} <= set(lines)


def test_tandem_wheel_holds_the_upper_packages(tandem_wheel: Path, repository: Path) -> None:
    assert _files(tandem_wheel) == set().union(*(_tree(repository, package) for package in UPPER))


def test_tandem_does_not_name_edge_on_an_index(tandem_wheel: Path) -> None:
    """Docs/adr/0002: the name may be a stranger's there."""
    assert not [wanted for wanted in _metadata(tandem_wheel).get_all("Requires-Dist", []) if "tandem" in wanted]


def test_one_version_everywhere(edge_wheel: Path, tandem_wheel: Path, repository: Path) -> None:
    newest = re.search(r"^## (\S+)", (repository / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert newest is not None
    assert {_metadata(edge_wheel)["Version"], _metadata(tandem_wheel)["Version"], newest.group(1)} == {edge.__version__}


def test_edge_carries_the_licence(repository: Path) -> None:
    assert (repository / "edge/LICENSE").read_bytes() == (repository / "LICENSE").read_bytes()


@pytest.mark.parametrize("extra", ["train", "export", "serve", "keras", "dev"])
def test_every_requirement_is_pinned(extra: str, repository: Path) -> None:
    project = _project(repository, ".")
    pinned = set(re.findall(r"^([\w.-]+)==", (repository / "constraints.txt").read_text(encoding="utf-8"), flags=re.MULTILINE))
    wanted = {re.split(r"[^\w.-]", line)[0] for line in [*project["dependencies"], *project["optional-dependencies"][extra]]}
    assert not wanted - pinned


@pytest.mark.parametrize("package", ["edge", *UPPER])
def test_every_package_says_it_is_typed(package: str, repository: Path) -> None:
    assert (repository / package / "py.typed").is_file()
