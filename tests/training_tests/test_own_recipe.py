"""Model files outside this repository: found by path and by folder, run as they stand, faults told with their line."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.errors import ContractError, SetupError, TandemError, UnknownModelError, UsageError
from export.handover import open_handover
from training import discover, sources
from training.finished import TrainOptions
from training.outside import faults_told
from training.train import train

RECIPE = """
from dataclasses import replace
from training.models import mnist_cnn
RECIPE = replace(mnist_cnn.RECIPE, contract=replace(mnist_cnn.RECIPE.contract, name="{name}"))
VARIANTS = (replace(RECIPE, contract=replace(RECIPE.contract, name="{name}_small")),)
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A model's file in a folder of its own."""
    path = tmp_path / "mine" / "own_cnn.py"
    path.parent.mkdir()
    path.write_text(RECIPE.format(name="own_cnn"))
    return path


def test_a_file_is_found_by_its_path(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(own.parent)
    for model in (str(own), "./own_cnn.py", "own_cnn.py"):
        assert discover.find(model).contract.name == "own_cnn"
        assert discover.file_of(model).samefile(own)
        assert discover.name_of(model) == "own_cnn"
    assert "own_cnn" not in discover.names()


def test_a_variant_is_named_after_the_path(own: Path) -> None:
    assert discover.find(f"{own}:own_cnn_small").contract.name == "own_cnn_small"
    with pytest.raises(UnknownModelError, match="holds no recipe 'own_cnn_large'; it holds own_cnn, own_cnn_small"):
        discover.find(f"{own}:own_cnn_large")


def test_folders_of_the_environment_are_listed(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (own.parent / "layers.py").write_text("WIDTH = 3\n")
    monkeypatch.setenv("TANDEM_RECIPES", f"{own.parent}:{own.parent}/")
    assert {"mnist_cnn", "own_cnn", "own_cnn_small"} <= set(discover.names())
    assert "layers" not in discover.names(), "a neighbour is no model"
    assert discover.find("own_cnn_small").contract.name == "own_cnn_small"
    with pytest.raises(UnknownModelError, match="did you mean own_cnn"):
        discover.find("own_cnm")


@pytest.mark.parametrize("name", ["own_cnn", "mnist_cnn"])
def test_a_name_in_two_files_is_refused(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    other = tmp_path / "more" / f"{name}.py"
    other.parent.mkdir()
    other.write_text(RECIPE.format(name=name))
    monkeypatch.setenv("TANDEM_RECIPES", f"{own.parent}:{other.parent}")
    with pytest.raises(UsageError, match=f"two files are called '{name}'") as caught:
        discover.find("mnist_cnn_documents")
    assert str(other) in str(caught.value)
    assert str(own if name == "own_cnn" else Path("training/models/mnist_cnn.py")) in str(caught.value)
    assert discover.find(str(own)).contract.name == "own_cnn", "a path is clear"


def test_a_folder_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_RECIPES", "/no/such/folder")
    with pytest.raises(UsageError, match="TANDEM_RECIPES names /no/such/folder, expected folders"):
        discover.names()


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        pytest.param("x = 1\ny = (\n", SetupError, r"own_cnn.py, line 2: .* correct the file", id="not Python"),
        pytest.param("\n\nimport no_such_package\n", SetupError, "own_cnn.py, line 3: needs no_such_package", id="a package missing"),
        pytest.param("from math import no_such\n", SetupError, "own_cnn.py, line 1: ImportError: cannot import", id="a name missing"),
        pytest.param("from . import layers\n", SetupError, "line 1: ImportError: attempted relative import", id="a relative import"),
        pytest.param("\n1 / 0\n", SetupError, "own_cnn.py, line 2: ZeroDivisionError: division by zero", id="an exception"),
        pytest.param("import sys\nsys.exit(3)\n", SetupError, "line 2: SystemExit: 3", id="an exit"),
        pytest.param("import layers\n", SetupError, "layers.py, line 1: NameError", id="a neighbour's exception"),
        pytest.param("import broken\n", SetupError, "broken.py, line 1: ", id="a neighbour that is not Python"),
        pytest.param(
            "from training.families import image_classifier\nimage_classifier('No Name', ('a',), 8, 8, 1)\n",
            ContractError,
            "own_cnn.py, line 2: name is 'No Name', expected",
            id="an error of ours",
        ),
        pytest.param("", ContractError, "own_cnn.py: RECIPE is NoneType, expected a Recipe", id="no recipe"),
        pytest.param("RECIPE = 3\n", ContractError, "RECIPE is int, expected a Recipe", id="a number"),
        pytest.param(RECIPE.format(name="other"), ContractError, "is named 'other', expected 'own_cnn'", id="another name"),
        pytest.param("x = '\x00'\n", SetupError, "own_cnn.py, line 1: ", id="a zero byte"),
    ],
)
def test_a_fault_is_one_line_with_its_place(own: Path, text: str, error: type[TandemError], message: str) -> None:
    (own.parent / "layers.py").write_text("undefined\n")
    (own.parent / "broken.py").write_text("x = (\n")
    own.write_text(text)
    with pytest.raises(error, match=message) as caught:
        discover.find(str(own))
    assert "\n" not in str(caught.value)
    assert str(own.parent) not in sys.path


@pytest.mark.parametrize(
    ("model", "message"),
    [
        pytest.param("no/such.py", "no/such.py: there is no such file; give the path", id="no file"),
        pytest.param("{folder}", "is a folder; give the path", id="a folder"),
        pytest.param("{folder}/own_cnn", "did you mean .*own_cnn.py", id="without its ending"),
    ],
)
def test_a_path_to_nothing_is_told(own: Path, model: str, message: str) -> None:
    with pytest.raises(UnknownModelError, match=message):
        discover.find(model.format(folder=f"{own.parent}/x/..".replace("/x/..", "/") if model == "{folder}" else own.parent))


def test_a_file_whose_name_no_model_can_have_is_told(own: Path) -> None:
    own.rename(own.with_name("own-cnn.py"))
    with pytest.raises(ContractError, match="no model can be called 'own-cnn'"):
        discover.find(str(own.with_name("own-cnn.py")))


def test_two_folders_may_have_neighbours_of_one_name(own: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "own_cnn.py"
    other.parent.mkdir()
    for path, version in ((own, "1.0.1"), (other, "1.0.2")):
        (path.parent / "neighbour.py").write_text(f"VERSION = '{version}'\n")
        path.write_text(
            RECIPE.format(name="own_cnn") + "import neighbour\n"
            "RECIPE = replace(RECIPE, contract=replace(RECIPE.contract, version=neighbour.VERSION))\n"
        )
    assert [discover.find(str(path)).contract.version for path in (own, other, own)] == ["1.0.1", "1.0.2", "1.0.1"]
    assert not list(tmp_path.rglob("__pycache__")), "nothing is written beside the user's files"


def test_neighbours_count_and_the_place_does_not(own: Path, tmp_path: Path) -> None:
    package = own.parent / "parts"
    package.mkdir()
    (package / "__init__.py").write_text("from .blocks import WIDTH\n")
    (package / "blocks.py").write_text("import torch\nWIDTH = 3\n")
    (own.parent / "unused.py").write_text("")
    own.write_text("from parts import WIDTH\n" + RECIPE.format(name="own_cnn"))
    before = sources.training_fingerprint(own)
    names = {path.name for path in sources.of_model(own)}
    assert {"own_cnn.py", "blocks.py", "train.py", "pytorch.py"} <= names
    assert "unused.py" not in names
    moved = own.parent.rename(tmp_path / "zzz") / own.name
    assert sources.training_fingerprint(moved) == before
    (moved.parent / "parts" / "blocks.py").write_text("import torch\nWIDTH = 4\n")
    assert sources.training_fingerprint(moved) != before


def test_a_file_from_elsewhere_trains_is_skipped_and_trains_again_when_it_changes(own: Path, small: TrainOptions) -> None:
    outcome = train(str(own), small)
    assert open_handover(outcome.folder).contract.name == "own_cnn"
    assert train(str(own), small).skipped
    own.write_text(own.read_text() + "# changed\n")
    assert not train(str(own), small).skipped


def test_the_command_lists_what_the_folders_hold(
    own: Path, command: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TANDEM_RECIPES", str(own.parent))
    assert command("--list") == 0
    assert "own_cnn_small" in capsys.readouterr().out.split()


@pytest.mark.parametrize(
    ("neighbour", "told"),
    [
        ("def splits(options):\n    return {}['none']\n", "parts.py, line 2: KeyError: 'none'; correct"),
        ("", "own_cnn.py, line 7: AttributeError"),
    ],
    ids=["in a neighbour", "in the file"],
)
def test_what_fails_after_loading_is_told_with_its_line_too(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, neighbour: str, told: str
) -> None:
    (own.parent / "parts.py").write_text(neighbour)
    own.write_text(f"import parts{own.read_text()}def load_data(options):\n    return parts.splits(options)\n")
    own.write_text(f"{own.read_text()}RECIPE = replace(RECIPE, load_data=load_data)\n")
    with pytest.raises(SetupError, match=told):
        train(str(own), TrainOptions(out=tmp_path / "runs"))
    monkeypatch.setenv("TANDEM_DEBUG", "1")
    with pytest.raises((KeyError, AttributeError)):
        train(str(own), TrainOptions(out=tmp_path / "runs"))


def test_a_fault_that_went_through_none_of_the_users_lines_stays_one_of_ours(own: Path) -> None:
    with pytest.raises(ZeroDivisionError), faults_told(own):
        _ = 1 / 0


UNTRACEABLE = """
from dataclasses import replace
from training.models import mnist_cnn
class Picky(mnist_cnn.MnistCnn):
    def forward(self, image):
        if float(image.float().mean()) > 300:
            raise ValueError("too bright")
        return super().forward(image)
RECIPE = replace(mnist_cnn.RECIPE, contract=replace(mnist_cnn.RECIPE.contract, name="own_cnn"), build=Picky)
"""


def test_a_module_that_cannot_leave_is_told_before_it_learns(own: Path, small: TrainOptions, capsys: pytest.CaptureFixture[str]) -> None:
    own.write_text(UNTRACEABLE)
    with pytest.raises(SetupError, match=r"own_cnn.py, line 6: .*[Dd]ata-dependent"):
        train(str(own), small)
    assert "epoch 1" not in capsys.readouterr().err
