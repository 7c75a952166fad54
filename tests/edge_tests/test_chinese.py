"""Chinese words: the same ones everywhere, with nothing written and nothing read that others could have written."""

import subprocess
import sys
import threading

import numpy as np
import pytest

from edge.errors import RuntimeMissingError
from edge.steps import chinese
from edge.steps.context import Context
from edge.steps.text import tokenize, tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("这本书很好", ["这", "本书", "很", "好"], id="words without spaces"),
        pytest.param("很好，很好！", ["很", "好", "，", "很", "好", "！"], id="signs of Chinese"),
        pytest.param("我 喜欢\niPhone 15", ["我", "喜欢", "iphone", "15"], id="mixed with English, in small letters"),
        pytest.param("好😀", ["好", "😀"], id="an emoji"),
        pytest.param("ＡＢ", ["ａ", "ｂ"], id="full-width letters stay what they are"),
        pytest.param(" \t\n", [], id="spaces only"),
        pytest.param("她去了杭研大厦", ["她", "去", "了", "杭研", "大厦"], id="a word that the dictionary lacks"),
    ],
)
def test_a_text_is_taken_apart(text, expected):
    assert tokens(text, "jieba") == expected


def test_signs_can_be_left_out():
    assert tokens("很好，😀！", "jieba", signs=False) == ["很", "好"]


def test_words_become_their_places_in_the_vocabulary(tmp_path):
    (tmp_path / "vocabulary.txt").write_text("很\n好\n", encoding="utf-8")
    row = tokenize("这本书很好", Context(assets=tmp_path), length=6, unit="jieba")
    assert row.dtype == np.int32
    assert row.tolist() == [1, 1, 2, 3, 0, 0]


def test_a_long_text_is_read_as_far_as_its_words_can_need():
    long = "这本书写得很好我喜欢" * 100_000
    assert len(chinese.segment(long, 8)) <= 8 * chinese.LONGEST_WORD
    assert chinese.segment(long, 8)[:8] == chinese.segment(long[:2000], 2000)[:8]
    assert chinese.segment(" " * 100_000 + "好", 1) == ["好"], "spaces do not use it up"


def test_threads_share_one_dictionary(monkeypatch):
    monkeypatch.setattr(chinese, "_LOADED", [])
    made = []
    monkeypatch.setattr(chinese, "_load", lambda: made.append(1) or type("Fake", (), {"cut": lambda _, text: [text]})())
    threads = [threading.Thread(target=chinese.segment, args=("好", 1)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]


def test_nothing_is_written_said_or_warned_of(tmp_path):
    code = "from edge.steps import chinese; assert chinese.segment('这本书很好', 9) == ['这', '本书', '很', '好']"
    environment = {"TMPDIR": str(tmp_path), "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_a_cache_file_of_others_is_not_read(tmp_path, monkeypatch):
    (tmp_path / "jieba.cache").write_bytes(b"not a dictionary")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(chinese, "_LOADED", [])
    assert chinese.segment("很好", 2) == ["很", "好"]
    assert (tmp_path / "jieba.cache").read_bytes() == b"not a dictionary"


def test_without_the_library_the_remedy_is_told(monkeypatch):
    monkeypatch.setattr(chinese, "_LOADED", [])
    monkeypatch.setitem(sys.modules, "jieba", None)
    with pytest.raises(RuntimeMissingError, match="install the extra chinese of tandem-edge"):
        tokens("很好", "jieba")
