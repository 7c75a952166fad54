"""Sentiment: reviews count once, genuine IMDB is read where there is some, nets leave out what fills up, and a baseline is beaten."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edge.errors import InputError
from edge.steps import preprocessing
from training import text_baseline
from training.data import imdb, movie_sentences, product_reviews_zh, texts
from training.data.overlap import shared
from training.families import text_classifier
from training.frameworks import pytorch
from training.models import sentiment_lstm
from training.recipe import DataOptions, Splits

GOOD, BAD = "a fine and clever film, number {}", "a dull and empty film, number {}"


@pytest.fixture
def acl_imdb(tmp_path: Path) -> Path:
    """A folder as IMDB's authors pack it: 60 reviews to train and 20 to test, and one to train that also tests."""
    for part, count in (("train", 60), ("test", 20)):
        for number in range(count):
            side, text = (("pos", GOOD), ("neg", BAD))[number % 2]
            file = tmp_path / "aclImdb" / part / side / f"{number}_{9 if number % 2 == 0 else 1}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.format(f"{part} {number}"), encoding="utf-8")
    (tmp_path / "aclImdb" / "train" / "pos" / "99_9.txt").write_text("A FINE and<br />clever film, number test 0", encoding="utf-8")
    return tmp_path / "aclImdb"


def sizes(splits: Splits) -> int:
    return sum(len(split) for split in splits.parts().values())


def test_the_sentences_are_the_genuine_ones_and_count_once() -> None:
    splits = movie_sentences.DATASET.load(DataOptions())
    assert sizes(splits) == 10_041
    assert not any(shared(splits).values())


def test_the_chinese_reviews_count_once() -> None:
    splits = product_reviews_zh.DATASET.load(DataOptions())
    assert sizes(splits) == 17_361
    assert not any(shared(splits).values())


def test_reviews_of_both_sides_are_left_out() -> None:
    assert product_reviews_zh.different(["差", "书", "差"], ["好", "书"]) == (["差", "好"], [0, 1])


def test_the_lexicon_is_single_words_in_the_order_of_a_vocabulary() -> None:
    found = movie_sentences.lexicon()
    assert found["great"] > 2 > -2 > found["horrible"]
    assert list(found) == sorted(found)


@pytest.mark.parametrize(
    "line", [pytest.param(b"1\t7\tx", id="beyond 4"), pytest.param(b"1\tx\ty", id="no number"), pytest.param(b"1\t2", id="two cells")]
)
def test_another_table_of_sentences_is_refused(line: bytes) -> None:
    with pytest.raises(InputError, match="line 1 is"):
        movie_sentences.parse(line, "the package")


def test_without_imdb_a_stand_in_says_that_it_is_one() -> None:
    splits = imdb.load(DataOptions())
    assert splits.subset
    assert splits.note.startswith("stand-in for IMDB, not IMDB")


@pytest.mark.parametrize("inner", [True, False], ids=["aclImdb", "the folder around it"])
def test_a_genuine_folder_keeps_its_test_set(acl_imdb: Path, inner: bool) -> None:
    splits = imdb.load(DataOptions(folder=acl_imdb if inner else acl_imdb.parent))
    assert len(splits.test) == 20
    assert sizes(splits) == 80, "the review that stands in both parts is tested only"
    assert not splits.subset
    assert not splits.pinned


def test_a_genuine_table_is_read(tmp_path: Path) -> None:
    rows = [f'"{(GOOD, BAD)[i % 2].format(i)}<br />",{("positive", "negative")[i % 2]}' for i in range(40)]
    (tmp_path / "imdb.csv").write_text("\n".join(["review,sentiment", *rows, rows[0].replace("<br />", "")]), encoding="utf-8")
    splits = imdb.load(DataOptions(folder=tmp_path / "imdb.csv"))
    assert sizes(splits) == 40


def test_what_is_no_imdb_is_refused(acl_imdb: Path) -> None:
    with pytest.raises(InputError, match="expected aclImdb with train and test"):
        imdb.load(DataOptions(folder=acl_imdb / "train"))
    (acl_imdb / "train" / "pos" / "7_7.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="not UTF-8 at byte 0"):
        imdb.load(DataOptions(folder=acl_imdb))


@pytest.mark.parametrize("head", ["mlp", "rnn", "lstm", "gru", "cnn", "pooled"])
def test_what_fills_up_does_not_count(head: str) -> None:
    net = sentiment_lstm.pooled() if head == "pooled" else sentiment_lstm.of_documents(head, 50, 12)
    net.eval()
    short = torch.tensor([[5, 6, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0]], dtype=torch.int32)
    with torch.no_grad():
        before = net(short)
        net.embedding.weight[0] += 1.0
        after = net(short)
    np.testing.assert_allclose(before, after, atol=1e-6)


def test_words_of_the_lexicon_begin_with_their_rating() -> None:
    found = movie_sentences.lexicon()
    net = sentiment_lstm.pooled()
    splits = sentiment_lstm.load(DataOptions())
    vocabulary = splits.assets["vocabulary.txt"].decode().splitlines()
    assert len(vocabulary) == sentiment_lstm.WORDS
    place = 2 + vocabulary.index("horrible")
    assert net.embedding.weight[place, 0].item() == pytest.approx(sentiment_lstm.VALENCE * found["horrible"])


def test_the_baseline_learns_words_and_stands_beside_the_net() -> None:
    contract = replace(text_classifier("a_text", ("bad", "good"), 8, 50))
    written = [(GOOD, BAD)[i % 2].format(i) for i in range(60)]
    splits = texts.numbered(texts.parted(written, 1 - np.arange(60, dtype=np.int64) % 2, ("bad", "good"), "some"), contract)
    for pairs in (False, True):
        np.testing.assert_array_equal(text_baseline.logistic_regression(splits, contract, pairs), splits.test.targets)
    with pytorch.reproducible(0):
        net = sentiment_lstm.of_documents("cnn", 48, 8).eval()
    figures = text_baseline.compared(net, splits, contract).figures
    assert figures["improvement on it"] == figures["accuracy"] - 1.0
    low, high = (figures[f"improvement on it, 95 % interval {end}"] for end in ("from", "to"))
    assert low <= figures["improvement on it"] <= high


def test_chinese_words_are_numbered_as_on_the_device(tmp_path: Path) -> None:
    contract = text_classifier("a_text", ("bad", "good"), 8, 50, unit="jieba")
    written = [f"这本书很{'好' if i % 2 else '差'}，我看了{i}页 OK😀" for i in range(40)]
    splits = texts.numbered(texts.parted(written, np.arange(40, dtype=np.int64) % 2, ("bad", "good"), "some", "characters"), contract)
    (tmp_path / "vocabulary.txt").write_bytes(splits.assets["vocabulary.txt"])
    prepare = preprocessing(contract, tmp_path)
    np.testing.assert_array_equal(splits.test.inputs["ids"], [prepare(text) for text in splits.test.raw])
    assert "本书" in splits.assets["vocabulary.txt"].decode().splitlines()
