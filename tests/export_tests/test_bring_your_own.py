"""The walk-through, executed chapter by chapter in empty folders, and what it promises."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "bring-your-own.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```(python|sh)([^\n]*)\n(.*?)```", re.DOTALL)
MOST_LINES = 30


def chapter(title):
    """The blocks of a chapter: language, the words after it, code."""
    start = GUIDE.index(f"## {title}")
    return BLOCK.findall(GUIDE[start : GUIDE.index("\n## ", start + 1)])


def walk(title, folder):
    """Run a chapter's blocks one after another; give what all of them printed."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(folder)}
    printed = []
    for language, words, code in chapter(title):
        if words.startswith(" file="):
            (folder / words.removeprefix(" file=")).write_text(code)
            continue
        command = ["bash", "-euo", "pipefail", "-c", code] if language == "sh" else [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{code}\n{done.stderr[-2000:]}"
        printed.append(done.stdout)
    return "\n".join(printed)


@pytest.mark.parametrize("title", ["From PyTorch", "From Keras", "From an ONNX file of unknown origin", "From a Hugging Face folder"])
def test_a_chapter_asks_for_fewer_lines_than_it_says(title):
    own = [code for _, words, code in chapter(title) if not words.strip()]
    assert sum(len([line for line in code.splitlines() if line.strip()]) for code in own) <= MOST_LINES


def test_a_module_becomes_a_served_and_an_on_device_model(tmp_path):
    printed = walk("From PyTorch", tmp_path)
    answers = re.findall(r"(model\.\S+) (\d)", printed)
    assert [file for file, _ in answers] == ["model.onnx", "model.static_wi8_ai8.tflite"]
    assert len({digit for _, digit in answers}) == 1


@pytest.mark.slow
def test_a_keras_model_becomes_both_too(tmp_path):
    printed = walk("From Keras", tmp_path)
    assert "model.onnx" in printed
    assert "model.fp32.tflite" in printed


@pytest.mark.slow
def test_a_hugging_face_folder_answers_texts(tmp_path):
    assert re.search(r"\b(bad|good)\b", walk("From a Hugging Face folder", tmp_path).splitlines()[-1])


def test_a_file_of_unknown_origin_is_released_for_parity_only(tmp_path):
    assert "proved: parity only" in walk("From an ONNX file of unknown origin", tmp_path)
