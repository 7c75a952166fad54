"""Recipes are found by listing a folder, and a file at fault is named."""

import subprocess
import sys
from pathlib import Path

import pytest

import training.models
from edge.errors import ContractError, SetupError, UnknownModelError
from training import discover

RECIPE = """
from dataclasses import replace
from training.models import mnist_cnn
RECIPE = replace(mnist_cnn.RECIPE, contract=replace(mnist_cnn.RECIPE.contract, name="{name}"))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A second folder of models beside the real one."""
    monkeypatch.setattr(training.models, "__path__", [*training.models.__path__, str(tmp_path)])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("training.models."):
            del sys.modules[name]


def test_the_models_of_this_repository_are_listed() -> None:
    assert {"mnist_cnn", "mnist_cnn_documents"} <= set(discover.names())


@pytest.mark.parametrize("name", discover.names())
def test_every_name_listed_is_found(name: str) -> None:
    assert discover.find(name).contract.name == name


@pytest.mark.parametrize("stem", discover.files())
def test_every_recipe_of_a_file_is_listed(stem: str) -> None:
    recipes = discover._recipes_in(discover.files()[stem])
    assert {recipe.contract.name for recipe in recipes} <= set(discover.names())


def test_listing_imports_no_framework(repository: Path) -> None:
    heavy = "[name for name in ('torch', 'keras', 'matplotlib') if name in sys.modules]"
    code = f"import sys; from training import commands, discover; discover.names(); print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        pytest.param("mnist_cmn", "did you mean mnist_cnn", id="a slip"),
        pytest.param("mnist_cnn_document", "did you mean mnist_cnn_documents", id="a variant's slip"),
        pytest.param("unheard_of", "no model is called 'unheard_of'; there are: ", id="nothing like it"),
        pytest.param("mnist_cnn_..x", "no model is called", id="dots"),
        pytest.param("", "no model is called ''", id="nothing"),
        pytest.param("MNIST_CNN", "no model is called 'MNIST_CNN'", id="capitals"),
    ],
)
def test_an_unknown_name_lists_what_exists(asked: str, hint: str) -> None:
    with pytest.raises(UnknownModelError) as caught:
        discover.find(asked)
    assert hint in str(caught.value)
    assert "mnist_cnn, mnist_cnn_documents" in str(caught.value)


def test_a_new_file_is_all_that_a_new_model_needs(folder: Path) -> None:
    (folder / "new_cnn.py").write_text(RECIPE.format(name="new_cnn"))
    assert "new_cnn" in discover.names()
    assert discover.find("new_cnn").contract.name == "new_cnn"


def test_a_file_with_a_longer_name_goes_before_a_variant(folder: Path) -> None:
    (folder / "mnist_cnn_wide.py").write_text(RECIPE.format(name="mnist_cnn_wide"))
    assert discover.file_of("mnist_cnn_wide") == folder / "mnist_cnn_wide.py"
    assert discover.file_of("mnist_cnn_documents").name == "mnist_cnn.py"


def test_private_files_are_not_models(folder: Path) -> None:
    (folder / "_draft.py").write_text("")
    assert not [name for name in discover.names() if "draft" in name]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        pytest.param("", ContractError, "RECIPE is NoneType, expected a Recipe", id="no recipe"),
        pytest.param("RECIPE = 3", ContractError, "RECIPE is int", id="a number"),
        pytest.param(RECIPE.format(name="other_name"), ContractError, "named 'other_name', expected 'bad_cnn'", id="another name"),
        pytest.param(
            RECIPE.format(name="bad_cnn") + "VARIANTS = (replace(RECIPE, contract=replace(RECIPE.contract, name='stray')),)",
            ContractError,
            r"VARIANTS\[0\] is named 'stray', expected 'bad_cnn' and _<variant>",
            id="a stray variant",
        ),
        pytest.param("import no_such_package", SetupError, "needs no_such_package, which is not installed", id="a package missing"),
        pytest.param("RECIPE = (", SetupError, "bad_cnn.py, line 1", id="not Python"),
    ],
)
def test_a_file_at_fault_is_named(folder: Path, text: str, error: type[Exception], message: str) -> None:
    (folder / "bad_cnn.py").write_text(text)
    assert "bad_cnn" in discover.names(), "a broken file must not hide itself or others"
    with pytest.raises(error, match=message):
        discover.find("bad_cnn")


def test_a_variant_that_its_file_does_not_have_is_unknown() -> None:
    with pytest.raises(UnknownModelError, match="mnist_cnn_huge"):
        discover.find("mnist_cnn_huge")
