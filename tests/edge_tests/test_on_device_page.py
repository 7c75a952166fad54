"""docs/on-device.md: every snippet runs and prints what stands below it; the figures of the pair are those of the measurement."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge import Model, pair
from edge.pair import Figures, Pair
from tests.edge_tests.step_models import write_writer

BLOCK = re.compile(r"<!-- (?:test: (\w+)|camera) -->\n```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.DOTALL)
FIGURES = Figures(50, 0.9, 0.95, 0.95, 0.1, 0.0, (0.0, 0.0))


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return (repository / "docs" / "on-device.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def run(page: str, repository: Path, bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[str, str]]:
    """Runs a snippet as a reader would, with models of the names that it uses; gives what it prints and what it should."""
    folder = tmp_path_factory.mktemp("page")
    writer = write_writer(folder / "bundles")
    writer.parent.rename(folder / "bundles" / "char_lstm")
    (folder / "bundles" / "mnist_mlp").symlink_to(bundle.parent, target_is_directory=True)
    with Model.open(bundle) as model:
        one = pair.half(model.bundle, model.variant, model.runtime.name)
    (folder / "pair.json").write_text(Pair(1, one, one, 0.5, 1.0, 0.0, "none", FIGURES, FIGURES, ()).dumps(), encoding="utf-8")
    found = {name: (code, expected) for name, code, expected in BLOCK.findall(page) if name}

    def running(name: str) -> tuple[str, str]:
        code, expected = found[name]
        code = code.replace('"pair.json"', repr(str(folder / "pair.json")))
        code = re.sub(r'"(char_lstm|mnist_mlp)"', lambda match: repr(str(folder / "bundles" / match[1])), code)
        environment = {**os.environ, "PYTHONPATH": str(repository)}
        done = subprocess.run([sys.executable, "-c", code], cwd=repository, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout, expected

    return running


@pytest.mark.parametrize("name", ["open", "kinds", "many", "stream", "folder", "boxes", "writer", "router"])
def test_a_snippet_prints_what_stands_below_it(name: str, run: Callable[[str], tuple[str, str]]) -> None:
    printed, expected = run(name)
    assert expected, "the page says what it prints"
    assert printed == expected


def test_no_snippet_is_forgotten(page: str) -> None:
    assert len(BLOCK.findall(page)) == page.count("```python"), "each is run here, or is marked as one for a camera"
    for name, code, _ in BLOCK.findall(page):
        if not name:
            compile(code, "docs/on-device.md", "exec")


def test_the_figures_are_those_of_the_measurement(page: str, repository: Path) -> None:
    found = pair.load(repository / "docs" / "pair-mnist.json")
    one = found.checked
    table = page.partition("<!-- figures -->")[2].partition("![")[0]
    assert (found.device.name, found.server.name, one.samples) == ("mnist_mlp", "mnist_cnn", 5000)
    assert f"| {100 * one.device:.2f} % | 0 % |" in table
    assert f"| {100 * one.server:.2f} % | 100 % |" in table
    assert f"below a confidence of {found.threshold:.4f} | {100 * one.pair:.2f} % | {100 * one.traffic:.1f} % |" in table
    ((share, right),) = re.findall(r"asking for ([\d.]+) % of the digits already gives ([\d.]+) %", page)
    nearest = min(found.curve, key=lambda point: abs(point.traffic - float(share) / 100))
    assert (f"{100 * nearest.traffic:.1f}", f"{100 * nearest.accuracy:.2f}") == (share, right)
    assert f"({found.calibration_error:.4f} here)" in page


def test_links_and_pictures_lead_somewhere(page: str, repository: Path) -> None:
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", page) if not target.startswith("http")]
    assert len(targets) > 4
    assert not [target for target in targets if not (repository / "docs" / target).exists()]


def test_the_measured_pair_still_reads(repository: Path) -> None:
    text = (repository / "docs" / "pair-mnist.json").read_text(encoding="utf-8")
    assert pair.load(repository / "docs" / "pair-mnist.json").dumps() == text
