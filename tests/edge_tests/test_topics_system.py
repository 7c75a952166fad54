"""The system `topics`: many reviews counted by what they are about, and what is no list of reviews refused in words."""

from types import SimpleNamespace

import numpy as np
import pytest

from edge.contract import Step
from edge.errors import ContractError, InputError
from edge.steps.scores import Ranked
from edge.systems import Request, find_system
from edge.systems.topics import BATCH, MAX_REVIEWS, Topics

LABELS = ("camera", "phone", "no topic")


class Reader:
    """Looks for two words; the longer a text, the less sure it is."""

    def __init__(self, kind="wordpiece", labels=LABELS):
        self.contract = SimpleNamespace(name="reading", preprocess=(Step(kind),), labels=labels)
        self.batches = []

    def prepare(self, text):
        if not text.strip():
            raise InputError("the text is empty, expected one word or more")
        topic = next((number for number, word in enumerate(LABELS[:2]) if word in text), 2)
        return {"row": np.array([topic, len(text)])}

    def stack(self, rows):
        return {"row": np.stack([row["row"] for row in rows])}

    def run(self, inputs):
        self.batches.append(len(inputs["row"]))
        return inputs

    def interpret(self, outputs):
        return [SimpleNamespace(ranking=(Ranked(LABELS[topic], int(topic), 1 / length),)) for topic, length in outputs["row"]]


def test_reviews_are_counted_by_topic_the_surest_shown_first():
    reviews = ["a phone it is", "camera", "phone", "a good camera", "my phone", "well"]
    answer = Topics(Reader()).answer(Request({"reviews": reviews, "examples": 2}))
    assert [(one["name"], one["count"]) for one in answer["topics"]] == [("phone", 3), ("camera", 2), ("no topic", 1)]
    assert answer["topics"][0]["examples"] == ["phone", "my phone"]
    assert answer["topics"][0]["share"] == 0.5
    assert answer["reviews"][1] == {"topic": "camera", "score": 1 / 6}
    assert len(answer["reviews"]) == 6


def test_a_text_is_one_review_a_line():
    answer = Topics(Reader()).answer(Request({"text": "my phone\n\n  \nmy camera\r\n"}))
    assert [one["topic"] for one in answer["reviews"]] == ["phone", "camera"]


def test_many_reviews_are_read_in_batches():
    reader = Reader()
    assert len(Topics(reader).sort(["phone"] * (2 * BATCH + 3), 0)["reviews"]) == 2 * BATCH + 3
    assert reader.batches == [BATCH, BATCH, 3]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({}, "the field 'text' is missing", id="nothing"),
        pytest.param({"text": " \n "}, "'reviews' is 0 texts, expected a list of 1 to 500 texts", id="an empty text"),
        pytest.param({"reviews": []}, "'reviews' is 0 texts", id="no reviews"),
        pytest.param({"reviews": ["phone"] * (MAX_REVIEWS + 1)}, "'reviews' is 501 texts", id="too many"),
        pytest.param({"reviews": "phone"}, "'reviews' is str, expected a list", id="one text"),
        pytest.param({"reviews": {"a": 1}}, "'reviews' is dict, expected a list", id="an object"),
        pytest.param({"reviews": ["phone", 7]}, "review 2 is int, expected a text", id="a number"),
        pytest.param({"reviews": ["phone", " "]}, "review 2: the text is empty", id="an empty review"),
        pytest.param({"reviews": ["phone"], "examples": -1}, "examples is -1, expected a whole number from 0 to 20", id="examples"),
        pytest.param({"reviews": ["phone"], "examples": True}, "examples is True", id="a truth"),
        pytest.param({"reviews": ["phone"], "more": 1}, "the field 'more' is unknown, expected only reviews, text, examples", id="more"),
    ],
)
def test_what_is_no_list_of_reviews_is_refused(fields, words):
    with pytest.raises(InputError, match=words):
        Topics(Reader()).answer(Request(fields))


@pytest.mark.parametrize("reader", [Reader(kind="resize"), Reader(labels=())], ids=["pictures", "no labels"])
def test_a_model_that_ranks_no_texts_is_refused(reader):
    with pytest.raises(ContractError, match="reading: is no model that ranks what a text is about"):
        Topics.of({"reader": reader})


def test_it_is_listed():
    assert find_system("topics") is Topics
    assert Topics(Reader()).answer(Request(Topics.EXAMPLES["two reviews"]))["topics"][0]["count"] == 1
