"""The page of what models cost on a device: a row for each model, and the machine's name beside the figures."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def script(repository: Path) -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("edge_footprint", repository / "scripts" / "edge_footprint.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_each_has_a_row_and_what_cannot_be_opened_says_why(
    script: ModuleType, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "TIMES", 1)
    for name, target in (("broken", tmp_path), ("mnist_cnn", bundle)):
        (tmp_path / "bundles" / name).mkdir(parents=True)
        (tmp_path / "bundles" / name / "1.0.0").symlink_to(target, target_is_directory=True)
    words = ["--bundles", str(tmp_path / "bundles"), "--out", str(tmp_path / "page.md"), "--runs", "5", "--note", "It was busy."]
    assert script.main(words) == 1
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert script.machine() in page
    assert "It was busy." in page
    assert re.search(
        r"^\| mnist_cnn \| model\.\S+ \| ai-edge-litert \S+ \| \d+ \| \d\.\d{3} \| \d\.\d{3} \| \d+\.\d \|$", page, re.MULTILINE
    )
    assert re.search(r"^\| broken \| – .* not a released directory.* \|$", page, re.MULTILINE)
    assert re.search(r"^\| `import edge` \| \d+\.\d \| \d+\.\d \|$", page, re.MULTILINE)


def test_the_page_in_the_repository_has_a_row_for_a_model_and_names_a_machine(repository: Path) -> None:
    page = (repository / "docs" / "edge-footprint.md").read_text(encoding="utf-8")
    assert re.search(r"^Written by `scripts/edge_footprint.py` on .+ cores, .+, Python 3\.", page, re.MULTILINE)
    assert "| mnist_cnn |" in page
    assert "no Raspberry Pi's" in page
