"""Children of ours find what this process finds, whatever lies in the folder that they start in."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge import child, tuning
from edge.bundle import open_bundle
from edge.doctor import software
from edge.runtimes import xnnpack


@pytest.fixture
def _trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in a folder whose files are called like modules that every child needs."""
    for name in ("edge", "json", "numpy", "runpy", "onnxruntime"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('trapped')\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place])


def out(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.usefixtures("_trap")
def test_words_come_as_they_are() -> None:
    assert json.loads(out(child.program("import json; print(json.dumps(sys.argv[1:]))", "a b", "-c", ""))) == ["a b", "-c", ""]
    assert json.loads(out(child.program("import json; print(json.dumps(sys.path))"))) == [os.path.realpath(place) for place in sys.path]
    assert out(child.module("edge", "--version")).startswith("tandem-edge ")


@pytest.mark.usefixtures("_trap")
def test_nothing_in_the_folder_is_run(repository: Path) -> None:
    released = open_bundle(repository / "tests/edge_tests/corpus/format_1/logic_gates_xor/1.0.0")
    (way,) = tuning.candidates(released, ["ai-edge-litert"], (1,), "device")[:1]
    assert tuning.try_out(released, way).problem == ""
    assert xnnpack.inspect("ai-edge-litert").state == "on"
    assert software._load("onnxruntime") == ""


@pytest.mark.usefixtures("_trap")
def test_bench_of_several_threads(tandem: Callable[..., tuple[int, str, str]], bundle: Path) -> None:
    code, told, _ = tandem("bench", bundle, "--threads", "1,2", "--runs", "2", "--json")
    assert code == 0
    assert [row["threads"] for row in json.loads(told)["threads"]] == [1, 2]
