"""`tandem new`: one file, filled in from the data, that passes ruff and holds a recipe that the data fit."""

import argparse
import ast
import csv
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge.errors import InputError, SetupError, TandemError, UsageError
from training import discover, new_commands
from training.new_recipe import KINDS
from training.recipe import DataOptions

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs `tandem new` with the words given, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> int:
        parser = argparse.ArgumentParser()
        new_commands.add_arguments(parser)
        return new_commands.run(parser.parse_args(list(words)))

    return call


def pictures(folder: Path, labels: tuple[str, ...]) -> None:
    random = np.random.default_rng(0)
    for label in labels:
        (folder / label).mkdir(parents=True)
        for number in range(4):
            Image.fromarray(random.integers(0, 256, (30, 20, 3), np.uint8)).save(folder / label / f"{number}.png")


def table(path: Path, header: list[str], rows: list[list[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def marked(folder: Path) -> None:
    """Twelve pictures of two kinds of things with their boxes."""
    random = np.random.default_rng(0)
    folder.mkdir()
    rows: list[list[object]] = []
    for number in range(12):
        Image.fromarray(random.integers(0, 256, (60, 90, 3), np.uint8)).save(folder / f"{number}.png")
        rows += [[f"{number}.png", "ab"[i], 5 + 30 * i + number, 10, 20 + number, 15 + 2 * i] for i in range(2)]
    table(folder / "boxes.csv", ["name", "label", "x", "y", "width", "height"], rows)


ODD = 'a "quoted\\ name'


def data(folder: Path) -> None:
    marked(folder / "things")
    pictures(folder / "pets", ("cat", "dög", ODD.replace("\\", "")))
    table(folder / "t.csv", ["size", ODD, "kind"], [[i * 0.5, "xyz"[i % 3], "ab"[i % 2]] for i in range(30)])
    table(folder / "m.csv", ["size", "colour", "kind"], [[i * 0.5, f"a long colour {i % 12}", f"kind {i % 26:03d}"] for i in range(150)])
    table(folder / "n.csv", ["size", "kind"], [[i * 0.5, i % 2] for i in range(30)])
    table(folder / "x.csv", ["text", "label"], [[f"word{i % 7} comes, word{i % 5} goes; number {i}", "ab"[i % 2]] for i in range(30)])
    table(folder / "c.csv", ["label", "text"], [["ab"[i % 2], "我喜歡" + "貓狗鳥"[i % 3] + chr(0x4E00 + i)] for i in range(30)])


CASES = [
    pytest.param(["--from", "image-classifier"], id="image-classifier"),
    pytest.param(["--from", "keras"], id="keras"),
    pytest.param(["--from", "tabular"], id="tabular"),
    pytest.param(["--from", "text-classifier"], id="text-classifier"),
    pytest.param(["--from", "image-folder", "pets"], id="image-folder"),
    pytest.param(["--from", "csv", "t.csv", "--target", "kind"], id="csv with categories"),
    pytest.param(["--from", "csv", "n.csv", "--target", "kind"], id="csv of numbers"),
    pytest.param(["--from", "csv", "m.csv", "--target", "kind"], id="csv of many labels"),
    pytest.param(["--from", "detector"], id="detector"),
    pytest.param(["--from", "detector", "things"], id="detector of marked pictures"),
    pytest.param(["--from", "text-classifier", "x.csv"], id="texts"),
    pytest.param(["--from", "text-classifier", "c.csv", "--target", "label"], id="texts without spaces"),
]


@pytest.mark.parametrize("kind", ["image-classifier", "keras"])
def test_a_further_image_classifier_costs_under_60_lines(new: Callable[..., int], tmp_path: Path, kind: str) -> None:
    """Lines of code: docstrings, comments and empty lines are what they cost nobody."""
    assert new("my_model", "--from", kind) == 0
    written = (tmp_path / "my_model.py").read_text(encoding="utf-8")
    tree = ast.parse(written)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    statements = {line for node in ast.walk(tree) if hasattr(node, "lineno") for line in (node.lineno, node.end_lineno)}
    lines = [number for number, line in enumerate(written.splitlines(), 1) if line.strip() and number in statements]
    assert 30 < len(lines) < 60


@pytest.mark.parametrize("words", CASES)
def test_a_new_file_is_short_clean_and_a_recipe_for_its_data(new: Callable[..., int], tmp_path: Path, words: list[str]) -> None:
    data(tmp_path)
    assert new("my_model", *words) == 0
    file = tmp_path / "my_model.py"
    assert 40 <= len(file.read_text(encoding="utf-8").splitlines()) <= (140 if "m.csv" in words else 100)
    config = ["--config", str(REPOSITORY / "pyproject.toml"), "--no-cache"]
    for step in (["check", "-q"], ["format", "--check", "-q"]):
        done = subprocess.run([sys.executable, "-m", "ruff", *step, *config, str(file)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
    recipe = discover.find(str(file))
    assert recipe.contract.name == "my_model"
    if len(words) > 2:
        splits = recipe.load_data(DataOptions())
        recipe.check_data(splits)
        inputs = splits.train.take(np.arange(2)).inputs
        from training.frameworks import framework

        assert recipe.contract.main.outputs[0].takes_batch(framework(recipe.framework).runner(recipe.build())(inputs).shape)


def test_every_kind_is_tried_here() -> None:
    assert {case.values[0][1] for case in CASES} == set(KINDS)


def test_what_was_found_is_said(new: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data(tmp_path)
    (tmp_path / "pets" / "cat" / "bad.png").write_bytes(b"x")
    new("pets_cnn", "--from", "image-folder", "pets", "--into", "models")
    said = capsys.readouterr().out
    assert "12 pictures, 20×30 to 20×30 pixels, in colour" in said
    assert "  cat: 4" in said
    assert "cannot be used and will be skipped: 1" in said
    assert "cat/bad.png: the bytes are not a picture" in said
    assert "tandem train models/pets_cnn.py" in said
    text = (tmp_path / "models" / "pets_cnn.py").read_text(encoding="utf-8")
    assert f'FOLDER = Path("{tmp_path}/pets")' in text, "data that lie elsewhere go by their whole path"
    assert "HEIGHT, WIDTH = 32, 32" in text
    assert "CHANNELS = 3" in text


def test_a_file_is_never_written_over(new: Callable[..., int], tmp_path: Path) -> None:
    (tmp_path / "my_model.py").write_text("mine")
    with pytest.raises(UsageError, match=r"my_model.py: is there already and stays as it is"):
        new("my_model")
    assert (tmp_path / "my_model.py").read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        pytest.param(["My-Model"], UsageError, "expected lower-case words joined by '_'", id="capitals"),
        pytest.param(["../x"], UsageError, "expected lower-case words", id="a path"),
        pytest.param(["random"], UsageError, "a module of Python; take another, such as random_model", id="a module's name"),
        pytest.param(["mnist_cnn"], UsageError, "'mnist_cnn' is the name of a model already", id="a model's name"),
        pytest.param(["m", "--from", "parrot"], UsageError, "--from is 'parrot', expected one of image-classifier", id="an unknown kind"),
        pytest.param(["m", "--from", "csv", "n.csv", "t.csv"], UsageError, "and for some a path after it", id="two paths"),
        pytest.param(["m", "--from", "image-folder"], UsageError, "PATH is missing, expected a folder", id="no folder"),
        pytest.param(["m", "--from", "csv"], UsageError, "PATH is missing, expected a CSV file", id="no file"),
        pytest.param(["m", "--from", "csv", "n.csv"], UsageError, "--target is missing, .* n.csv has size, kind", id="no target"),
        pytest.param(
            ["m", "--from", "keras", "pets"], UsageError, "PATH is pets, but this kind begins with built-in data", id="a path more"
        ),
        pytest.param(["m", "--from", "image-folder", "pets", "--target", "x"], UsageError, "--target is 'x'", id="a target more"),
        pytest.param(["m", "--from", "text-classifier", "t.csv"], UsageError, "--target is missing", id="texts without a target"),
        pytest.param(["m", "--from", "image-folder", "none"], InputError, "none: there is no such folder", id="a folder that is none"),
        pytest.param(["m", "--from", "csv", "n.csv", "--target", "x"], InputError, "has no column 'x'", id="no such column"),
        pytest.param(["m", "--into", "n.csv"], SetupError, "cannot be written", id="into a file"),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_is_written(
    new: Callable[..., int], tmp_path: Path, words: list[str], error: type[TandemError], message: str
) -> None:
    data(tmp_path)
    with pytest.raises(error, match=message):
        new(*words)
    assert not list(tmp_path.rglob("*.py"))
