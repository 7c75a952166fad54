"""docs/zoo.md tells what lies in bundles, and nothing of the page is written by hand."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from training import discover

ROW = {
    "version": "1.0.0",
    "metric": {"name": "accuracy", "direction": "higher", "test": 0.9876, "test_interval": [0.98, 0.9901], "test_count": 10000},
    "data": {"name": "mnist", "note": "full MNIST", "stand_in": False, "train": 5, "test": 10000},
    "parameters": 1234,
    "fit_seconds": 61.4,
    "processes": 1,
    "figures": {"rmse of yesterday's value": 0.25},
    "files": [
        {
            "recipe": "fp32",
            "format": "onnx",
            "size_bytes": 4000,
            "runtimes": ["onnxruntime"],
            "metric": 0.9876,
            "loss": 0.0,
            "agreement": 1.0,
        }
    ],
    "commit": None,
    "finished": "",
}


@pytest.fixture
def page(repository: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(repository / "scripts")
    import zoo_page

    return zoo_page


def test_a_row_shows_figure_interval_reference_and_cost(page):
    text = page.render(["model_a"], {"model_a": ROW}, {"model_a": {"figure": "accuracy 0.97", "validity": "valid"}})
    assert "| `model_a` | accuracy **0.9876** (0.98 to 0.9901) | 10,000 | accuracy 0.97 (valid) | full MNIST |" in text
    assert "| `model_a` | 1,234 | 61 s | onnx fp32 | 4.0 kB | 0.9876 | 0.0000 | 1.0000 | onnxruntime |" in text
    assert "| `model_a` | rmse of yesterday's value | 0.25 |" in text
    assert "Not measured" not in text


def test_a_model_that_is_its_own_judge_shows_no_figure_of_its_own(page):
    row = ROW | {"metric": ROW["metric"] | {"name": "rmse", "direction": "lower", "test": 0.0}}
    text = page.render(["model_a"], {"model_a": row}, {})
    assert "| `model_a` | files are held against its own answers: see further figures | 10,000 |" in text
    assert "**0**" not in text


def test_a_name_that_no_recipe_has_is_refused(page, capsys, monkeypatch, tmp_path):
    import zoo

    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        zoo.main(["mnist_cnm"])
    assert "mnist_cnm: no recipe is called so" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_model_without_a_bundle_is_named(page):
    text = page.render(["model_a", "model_b"], {"model_a": ROW}, {})
    assert "`model_b`: no released bundle" in text
    assert "none given" in text


def test_the_page_is_what_the_table_says(repository: Path, page):
    table = json.loads((repository / "docs/zoo.json").read_text(encoding="utf-8"))
    references = json.loads((repository / "scripts/zoo_references.json").read_text(encoding="utf-8"))
    ours = [name for name in discover.names() if name not in page.OWN_DATA]
    assert (repository / "docs/zoo.md").read_text(encoding="utf-8") == page.render(ours, table, references)


def test_a_row_is_read_from_a_real_bundle(repository: Path, bundle: Path, page):
    import zoo

    row = zoo.measured("mnist_cnn", repository / "runs", repository / "bundles")
    assert row is not None
    assert row["metric"]["test"] >= row["metric"]["floor"]
    assert {file["format"] for file in row["files"]} == {"onnx", "tflite"}
    assert zoo.measured("no_such_model", repository / "runs", repository / "bundles") is None


def test_the_command_explains_itself(repository: Path):
    done = subprocess.run([sys.executable, "scripts/zoo.py", "--help"], cwd=repository, capture_output=True, text=True)
    assert done.returncode == 0
    assert "--train" in done.stdout
