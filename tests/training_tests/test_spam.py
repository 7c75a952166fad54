"""Lists of words and rarities of terms come from training texts alone, and all spam recipes are held against the same messages."""

from dataclasses import replace

import numpy as np
import pytest

from edge.contract import Step
from edge.errors import ContractError, InputError
from training.data import sms_spam, terms
from training.data.overlap import shared
from training.discover import find
from training.models import spam_trees
from training.recipe import DataOptions, Split, Splits

NAMES = ("spam_lstm", "spam_trees", "spam_trees_tfidf")
CODE = replace(spam_trees.RECIPE.contract, preprocess=(Step("mark_words", length=spam_trees.LENGTH),))


def some() -> Splits:
    """Twelve training texts, and one to validate and test whose words no training text has."""

    def split(*written: str) -> Split:
        return Split({"text": np.array(written, object)}, np.array(["prize" in text for text in written], np.int64))

    train = [f"{word} at home" for word in ("see", "you", "me", "her", "him", "us")] + [f"a prize of {n} at last" for n in range(6)]
    return Splits("some", "", "", sms_spam.LABELS, split(*train), split("unseen prize", "unseen"), split("hidden prize", "hidden"))


def test_the_list_is_of_spam_of_the_training_split_alone() -> None:
    found = terms.marked(some(), CODE, kind=1, most=4)
    listed = found.assets["words.txt"].decode().split()
    assert listed == ["a", "last", "of", "prize"]
    assert "at" not in listed, "which weighs in both classes"
    assert found.test.inputs["code"][:, :3].tolist() == [[1, 2, 0], [1, 0, 0]]
    assert found.test.inputs["code"].dtype == np.float32


def test_weights_know_the_training_split_alone() -> None:
    count = len({word for text in some().train.inputs["text"] for word in text.split()})
    row = replace(spam_trees._WEIGHTS, shape=("batch", count))
    graph = replace(spam_trees._WEIGHTED.main, inputs=(row,))
    contract = replace(spam_trees._WEIGHTED, graphs=(graph,))
    found = terms.weighted(some(), contract)
    lines = dict(line.split("\t") for line in found.assets["terms.tsv"].decode().splitlines())
    assert {"prize", "home"} <= set(lines)
    assert not {"unseen", "hidden"} & set(lines)
    assert float(lines["prize"]) == pytest.approx(np.log(13 / 7) + 1)
    assert not found.test.inputs["weights"][1].any(), "no word of it is known"
    narrow = replace(graph, inputs=(replace(row, shape=("batch", count + 1)),))
    with pytest.raises(ContractError, match=rf"takes {count + 1} terms, the training texts have {count}"):
        terms.weighted(some(), replace(contract, graphs=(narrow,)))


def test_a_class_without_words_of_its_own_is_told() -> None:
    same = Split({"text": np.array(["a b", "b a"], object)}, np.array([0, 1]))
    with pytest.raises(InputError, match="'spam' has no word of its own among its 9 heaviest"):
        terms.marked(replace(some(), train=same), CODE, kind=1, most=9)
    with pytest.raises(InputError, match="no training text is of class 1"):
        terms.top_words([["a"]], np.array([0]), 1, 9)


def test_another_step_is_refused() -> None:
    with pytest.raises(ContractError, match="expected the step weigh_terms alone"):
        terms.weighted(some(), CODE)


@pytest.fixture(scope="module")
def loaded() -> dict[str, Splits]:
    """The data of each recipe."""
    return {name: find(name).load_data(DataOptions()) for name in NAMES}


def test_every_recipe_is_held_against_the_same_messages(loaded: dict[str, Splits]) -> None:
    messages = sms_spam.load(DataOptions())
    for name, splits in loaded.items():
        find(name).check_data(splits)
        for part, split in splits.parts().items():
            assert split.raw is not None
            assert split.raw.tolist() == messages.parts()[part].inputs["text"].tolist(), name


@pytest.mark.parametrize(
    "again",
    [
        pytest.param("please CALL  0871 now", id="capitals, spaces and numbers"),
        pytest.param("Please call 08712402972 NOW!!!", id="a longer number and signs"),
        pytest.param("<b>Please</b> call 12 now", id="markup"),
    ],
)
def test_messages_of_one_template_count_once(again: str) -> None:
    assert sms_spam.template(again) == sms_spam.template("Please call 09001234 now.") == "please call 0 now"


def test_other_messages_do_not() -> None:
    found = {sms_spam.template(text) for text in ("Please call now", "Please do not call now", ":)", ":(", "645")}
    assert len(found) == 5


def test_no_message_is_both_learned_and_tested(loaded: dict[str, Splits]) -> None:
    messages = sms_spam.load(DataOptions())
    assert not any(shared(messages).values())
    keys = [{sms_spam.template(text) for text in split.inputs["text"]} for split in messages.parts().values()]
    assert sum(map(len, keys)) == len(set.union(*keys)) == sum(len(split) for split in messages.parts().values())
    assert loaded["spam_trees"].assets["words.txt"].count(b"\n") <= spam_trees.LISTED
