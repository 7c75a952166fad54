"""The tutorial's commands, executed one after another in an empty folder, and what it promises of them."""

import fcntl
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TUTORIAL = Path(__file__).resolve().parents[2] / "docs" / "your-own-model.md"
BLOCKS = re.findall(r"```sh\n(.*?)```", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The folder that a reader has at the end, and what each block printed; one of the processes that run the tests reads for all."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder, outputs = shared / "reader", shared / "reader.json"
    with (shared / "reader.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not outputs.exists():
            folder.mkdir()
            outputs.write_text(json.dumps(read_on(folder)), encoding="utf-8")
    return folder, json.loads(outputs.read_text(encoding="utf-8"))


def read_on(folder: Path) -> list[str]:
    """Execute the blocks in an empty folder; return what each printed."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    printed = []
    for block in BLOCKS:
        command = ["bash", "-euo", "pipefail", "-c", block]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{block}\n{done.stderr[-2000:]}"
        printed.append(done.stdout)
    return printed


def printed_by(words: str, told: tuple[Path, list[str]]) -> str:
    (found,) = [output for block, output in zip(BLOCKS, told[1], strict=True) if words in block]
    return found


def promised(name: str) -> float:
    """The least accuracy that the text promises after a training."""
    text = TUTORIAL.read_text(encoding="utf-8")
    return float(re.search(r"Test accuracy is above (0\.\d+)", text[text.index(f"tandem train ./{name}.py --epochs") :])[1])


@pytest.mark.parametrize("name", ["my_digits", "wines"])
def test_the_accuracy_is_as_promised(told: tuple[Path, list[str]], name: str) -> None:
    found = re.search(rf"{name} 1\.0\.0: test accuracy (\d\.\d+)", printed_by(f"tandem train ./{name}.py", told))
    assert float(found[1]) > promised(name)


def test_what_was_found_is_said(told: tuple[Path, list[str]]) -> None:
    assert "600 pictures, 8×8 to 8×8 pixels, grey" in printed_by("tandem new my_digits", told)
    assert "178 rows; grower: A 59, B 71, C 48" in printed_by("tandem new wines", told)


@pytest.mark.parametrize(
    "path",
    [
        "my_digits.py",
        "runs/my_digits/1.0.0/run.html",
        "bundles/my_digits/1.0.0/model.static_wi8_ai8.tflite",
        "bundles/my_digits/1.0.0/report.html",
        "wines.py",
        "bundles/wines/1.0.0/model.onnx",
    ],
)
def test_the_files_are_there(told: tuple[Path, list[str]], path: str) -> None:
    assert (told[0] / path).is_file()


def test_nothing_else_is_written_beside_them(told: tuple[Path, list[str]]) -> None:
    assert {path.name for path in told[0].iterdir()} == {"bundles", "digits", "my_digits.py", "runs", "wine.csv", "wines.py"}


def test_the_answers_are_right(told: tuple[Path, list[str]]) -> None:
    assert re.search(r"7\.png: 7 \(", printed_by("tandem run bundles/my_digits", told))
    assert printed_by("Model.open", told).strip() == "A"
