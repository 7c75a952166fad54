"""Kept conversions: exports of one model at once share a folder, and none of them fails of what another does there."""

import shutil

import pytest

from export import cache
from export.cache import Cache


@pytest.fixture
def convert(tmp_path):
    """Make a file through a cache; tell whether it was made or kept."""

    def run(kept, word):
        output, made = tmp_path / "output", []

        def work(request):
            made.append(request)
            output.write_text(word)
            return {"word": word}

        assert kept.through("step", {"word": word, "output": str(output)}, work) == {"word": word}
        assert output.read_text() == word
        return bool(made)

    return run


def test_a_conversion_is_done_once_and_a_damaged_one_again(tmp_path, convert):
    kept = Cache(tmp_path / "cache", "here")
    assert [convert(kept, word) for word in ("one", "two", "one")] == [True, True, False]
    assert len(kept.entries()) == 2
    for entry in kept.entries():
        (entry.folder / "output").write_text("bad")
    assert convert(kept, "one")


def test_what_another_export_takes_away_meanwhile_is_passed_over(tmp_path, convert, monkeypatch):
    kept, read = Cache(tmp_path / "cache", "here"), cache._facts
    convert(kept, "gone")
    gone = kept.entries()[0].folder

    def facts(place):
        found = read(place)
        shutil.rmtree(gone, ignore_errors=True)
        return found

    monkeypatch.setattr(cache, "_facts", facts)
    assert convert(kept, "made")
    assert [entry.words["word"] for entry in kept.entries()] == ["made"]


def test_the_least_recently_used_leave_first(tmp_path, convert):
    convert(Cache(tmp_path / "cache", "here"), "large" * 200)
    kept = Cache(tmp_path / "cache", "here", limit_bytes=1200)
    convert(kept, "small")
    assert [entry.words["word"] for entry in kept.entries()] == ["small"]
