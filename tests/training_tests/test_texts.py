"""Labelled texts: equal ones count once, the vocabulary is the training split's, and its numbers are those of the device."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge import golden
from edge.errors import BundleError, ContractError, InputError
from edge.steps import preprocessing
from export.handover import open_handover
from training.data import sms_spam, texts
from training.data.overlap import shared
from training.families import text_classifier
from training.finished import TrainOptions
from training.new_recipe import Asked, draft
from training.recipe import DataOptions, Splits
from training.train import train

CONTRACT = text_classifier("a_text", ("no", "yes"), 6, 50)


def some(count: int = 40) -> Splits:
    written = [f"Common words, and number{i} of {'good' if i % 2 else 'bad'} ones" for i in range(count)]
    return texts.parted(written, np.arange(count, dtype=np.int64) % 2, ("no", "yes"), "some")


def test_texts_that_differ_in_capitals_or_spaces_count_once() -> None:
    splits = texts.parted(
        [*(f"text {i}" for i in range(20)), "TEXT  3", "", "?!"], np.array([i % 2 for i in range(23)]), ("no", "yes"), "some"
    )
    assert sum(len(split) for split in splits.parts().values()) == 21, "and one without a word, but with signs, is a text"
    assert not any(shared(splits).values())


def test_the_vocabulary_is_of_the_training_split_alone() -> None:
    splits = some()
    words = texts.numbered(splits, CONTRACT).assets["vocabulary.txt"].decode().split()
    assert words == texts.vocabulary(splits.train.inputs["text"], "words", 99)
    assert {"common", "good", "bad"} <= set(words)
    assert not any(word.startswith("number") for word in words), "each stands in one text only"
    assert len(texts.numbered(splits, CONTRACT, most=3).assets["vocabulary.txt"].split()) == 3


def test_numbers_are_those_of_the_device(tmp_path: Path) -> None:
    numbered = texts.numbered(some(), CONTRACT)
    (tmp_path / "vocabulary.txt").write_bytes(numbered.assets["vocabulary.txt"])
    prepare = preprocessing(CONTRACT, tmp_path)
    for split in numbered.parts().values():
        assert split.inputs["ids"].dtype == np.int32
        np.testing.assert_array_equal(split.inputs["ids"], [prepare(text) for text in split.raw])


def test_texts_without_common_words_are_refused() -> None:
    splits = texts.parted([f"word{i}" for i in range(20)], np.arange(20, dtype=np.int64) % 2, ("no", "yes"), "some")
    with pytest.raises(InputError, match="none of 1. words stands in 2 of"):
        texts.numbered(splits, CONTRACT)


def test_a_contract_without_the_step_is_refused() -> None:
    with pytest.raises(ContractError, match="expected the step tokenize alone"):
        texts.numbered(some(), replace(CONTRACT, preprocess=()))


def test_the_messages_are_the_genuine_ones() -> None:
    splits = sms_spam.DATASET.load(DataOptions())
    counts = [len(split) for split in splits.parts().values()]
    assert sum(counts) == 4481
    assert sum(int(split.targets.sum()) for split in splits.parts().values()) == 523
    assert not any(shared(splits).values())


@pytest.mark.parametrize("content", [pytest.param(b"eggs\tx\n", id="another label"), pytest.param(b"ham x\n", id="no tab")])
def test_other_content_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match="row 1 begins with"):
        sms_spam.parse(content, "the package")


def test_a_text_model_is_handed_over_with_its_vocabulary_and_raw_texts(tmp_path: Path) -> None:
    file = tmp_path / "spam_text.py"
    file.write_text(draft("text-classifier", Asked("spam_text", file, None, None)).text, encoding="utf-8")
    outcome = train(str(file), TrainOptions(out=tmp_path / "runs", epochs=1, limit=256))
    handover = open_handover(outcome.folder)
    assert (outcome.folder / "assets" / "vocabulary.txt").read_text(encoding="utf-8").splitlines()[0] in ".?,"
    raw = handover.golden.raw
    assert len(raw) == 16
    assert all(value.dtype.kind == "U" for value in raw)
    golden.replay_steps(handover.golden, handover.contract, outcome.folder / "assets")
    (outcome.folder / "assets" / "vocabulary.txt").write_text("other\n")
    with pytest.raises(BundleError, match=r"vocabulary.txt: SHA-256 is"):
        open_handover(outcome.folder)
