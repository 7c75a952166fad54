"""`tandem run --text`: texts are answered as given, refused in words, and only by models that take texts."""

import json
from pathlib import Path

import pytest

from edge.cli import main
from tests.serving_tests.conftest import write_rows
from tests.serving_tests.text_models import write_letters


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that takes texts."""
    return write_letters(tmp_path_factory.mktemp("letters"))


def run(*words: object) -> int:
    return main(["run", *map(str, words), "--target", "server"])


def test_texts_and_files_are_answered_alike(letters: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.txt"
    file.write_text("a bad cab", encoding="utf-8")
    assert run(letters, file, "--text", "a bad cab", "--text", "abc " * 30, "--json") == 0
    first, second, third = json.loads(capsys.readouterr().out)["predictions"]
    assert first["ranking"] == second["ranking"]
    assert second["input"] == "a bad cab"
    assert third["input"] == ("abc " * 30)[:59] + "\N{HORIZONTAL ELLIPSIS}"


def test_a_text_is_never_a_path(letters: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.txt"
    file.write_text("ccc", encoding="utf-8")
    assert run(letters, "--text", file, "--text", "ccc", "--json", "--outputs") == 0
    path, content = json.loads(capsys.readouterr().out)["predictions"]
    assert path["outputs"] != content["outputs"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "tandem: the text is empty, expected one word or more", id="empty"),
        pytest.param("a\ud83d", "half a character (a lone surrogate) at 1", id="half a character"),
        pytest.param("a" * 1_000_001, "1000001 characters, expected at most 1000000", id="too long"),
    ],
)
def test_what_is_no_text_does_not_stop_the_next(letters: Path, capsys: pytest.CaptureFixture[str], text: str, message: str) -> None:
    assert run(letters, "--text", text, "--text", "abc") == 7
    written = capsys.readouterr()
    assert message in written.err
    assert len(written.err.splitlines()) == len(written.out.splitlines()) == 1
    assert len(written.err) < 300
    assert written.out.startswith("abc: ")


@pytest.mark.parametrize("words", [[], ["--text", "a", "--prompt", "b"]], ids=["nothing", "both"])
def test_neither_or_both_is_a_usage_error(letters: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert run(letters, *words) == 2
    assert "expected one INPUT or more, or --prompt for a model that writes texts; --text TEXT is an INPUT too" in capsys.readouterr().err


def test_a_model_that_takes_no_texts_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(write_rows(tmp_path), "--text", "a") == 2
    assert "--text: tiny_rows takes no texts, it is for test; give an INPUT" in capsys.readouterr().err
