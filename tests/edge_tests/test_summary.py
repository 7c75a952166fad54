"""The system `summary`: which sentences are chosen, in which order, how many, and what of a long text was left out."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from edge.contract import Graph, Step, Tensor
from edge.errors import ContractError, InputError
from edge.systems import Request
from edge.systems.summary import MAX_READ, Length, Summary, choose, joined, spread

WORDS = {"river": 0, "bridge": 1, "cat": 2}


class Encoder:
    """Counts three words; what else stands there does not matter."""

    def __init__(self, kind="tokenize", shape=("batch", 4)):
        graph = Graph("main", (Tensor("ids", "int32", ("batch", 4), "NL"),), (Tensor("vector", "float32", shape, "NC"),))
        self.contract = SimpleNamespace(name="counting", preprocess=(Step(kind),), main=graph)
        self.batches = []

    def prepare(self, text):
        row = np.zeros(4, np.int32)
        for word in text.lower().replace(".", "").split():
            row[WORDS.get(word, 3)] += 1 if word in WORDS else 0
        return {"ids": row}

    def stack(self, rows):
        return {"ids": np.stack([row["ids"] for row in rows])}

    def run(self, inputs):
        self.batches.append(len(inputs["ids"]))
        return {"vector": inputs["ids"].astype(np.float32) + 0.1}


def rows(*places):
    found = np.array(places, np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_relevance_alone_takes_the_middle_and_difference_takes_what_is_new():
    vectors = rows([1, 0.1, 0], [1, 0, 0], [1, 0.2, 0], [0, 0, 1])
    near = [row for row, _, _ in choose(vectors, [1] * 4, Length(2), 1.0)]
    assert near == [0, 2], "the two nearest to the mean, (.744, .074, .25): .748 and .744, and .7439 for the third"
    assert [row for row, _, _ in choose(vectors, [1] * 4, Length(2), 0.5)][1] == 3, "the second is the one that is different"


def test_scores_are_those_of_the_formula():
    vectors = rows([1, 0], [0, 1])
    (first, relevance, score), (second, other, less) = choose(vectors, [1, 1], Length(2), 0.7)
    assert (first, second) == (0, 1), "of equal ones the first"
    assert (relevance, other) == pytest.approx((2**-0.5, 2**-0.5))
    assert (score, less) == pytest.approx((0.7 * 2**-0.5, 0.7 * 2**-0.5)), "they have nothing in common, so nothing is taken off"
    again = choose(rows([1, 0], [1, 0]), [1, 1], Length(2), 0.7)
    assert again[1][2] == pytest.approx(0.7 - 0.3)


@pytest.mark.parametrize(
    ("length", "chosen"),
    [
        pytest.param(Length(), 3, id="three by default"),
        pytest.param(Length(sentences=1), 1, id="one"),
        pytest.param(Length(sentences=50), 5, id="more than there are"),
        pytest.param(Length(share=0.4), 2, id="a share"),
        pytest.param(Length(share=0.01), 1, id="a small share is one sentence"),
        pytest.param(Length(words=6), 2, id="words: 4 and 2, since another 4 do not fit"),
        pytest.param(Length(words=1), 1, id="fewer words than any sentence has"),
    ],
)
def test_a_length_bounds_how_many(length, chosen):
    vectors = rows([3, 0, 0], [2, 0.1, 0], [2, 0, 0.2], [0, 1, 0], [0, 0, 1])
    assert len(choose(vectors, [4, 4, 4, 2, 7], length)) == chosen


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"sentences": 0}, "sentences is 0, expected a whole number from 1 to 100"),
        ({"sentences": 2.0}, "sentences is 2.0"),
        ({"sentences": True}, "sentences is True"),
        ({"words": 10_001}, "words is 10001"),
        ({"share": 0}, "share is 0, expected a number above 0, at most 1"),
        ({"share": "half"}, "share is 'half'"),
        ({"share": 0.5, "words": 3}, "words and share are given, expected one limit"),
        ({"lambda": 1.5}, "lambda is 1.5, expected a number from 0 to 1"),
        ({"lambda": None}, "lambda is None"),
        ({"beams": 2}, "the field 'beams' is unknown"),
        ({"text": "  "}, "the text is empty"),
        ({"text": 3}, "the field 'text' is int"),
        ({"text": "a\0b"}, "binary content"),
    ],
)
def test_a_request_that_does_not_fit_is_refused_in_words(fields, words):
    with pytest.raises(InputError, match=words):
        Summary.of({"encoder": Encoder()}).answer(Request({"text": "A river. A cat.", **fields}))


def test_sentences_come_in_the_order_of_the_text_with_their_places():
    text = "The cat sat. A river and a bridge! The bridge is old. Nothing else."
    answer = Summary(Encoder()).summarize(text, Length(2))
    assert json.loads(json.dumps(answer)) == answer
    assert answer["summary"] == " ".join(one["text"] for one in answer["sentences"])
    assert [text[one["start"] : one["end"]] for one in answer["sentences"]] == [one["text"] for one in answer["sentences"]]
    numbers = [one["number"] for one in answer["sentences"]]
    assert numbers == sorted(numbers)
    assert (answer["found"], answer["read"], answer["left_out"], answer["words"]) == (4, 4, 0, 14)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("One sentence", 1),
        ("x" * 50_000, 50),
        ("word " * 100_000, 500),
        (" ".join(f"River {i} rose again." for i in range(25_000)), 25_000),
    ],
    ids=["one", "one word of 50,000 signs", "100,000 words without an end", "100,000 words"],
)
def test_however_long_a_text_is_so_much_is_read(text, found):
    encoder = Encoder()
    answer = Summary(encoder).summarize(text)
    assert answer["found"] == found
    assert answer["read"] == min(found, MAX_READ)
    assert answer["left_out"] == found - answer["read"]
    assert max(encoder.batches) <= 32
    assert sum(encoder.batches) <= min(found, MAX_READ), "and equal sentences once"


def test_what_is_read_of_a_long_text_is_spread_over_it():
    found = spread(5000, 1024)
    assert (len(found), found[0], found[-1]) == (1024, 0, 4999)
    assert set(np.diff(found).tolist()) == {4, 5}
    assert spread(3, 1024) == [0, 1, 2]


@pytest.mark.parametrize(
    ("texts", "whole"), [(["A b.", "C."], "A b. C."), (["今天。", "明天。"], "今天。明天。"), (["今天。", "Yes."], "今天。 Yes.")]
)
def test_sentences_are_joined_as_their_script_does(texts, whole):
    assert joined(texts) == whole


@pytest.mark.parametrize("encoder", [Encoder(kind="resize"), Encoder(shape=("batch", 4, 4))], ids=["of pictures", "of states"])
def test_a_model_that_encodes_no_sentences_is_refused(encoder):
    with pytest.raises(ContractError, match="expected an encoder of sentences"):
        Summary(encoder)


def test_the_command_takes_a_file_or_standard_input_and_says_what_was_left_out(monkeypatch, tmp_path, capsys):
    import io

    from edge.cli import main
    from edge.commands import summarize

    class Opened(Encoder):
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    monkeypatch.setattr(summarize, "Model", SimpleNamespace(open=lambda *_, **__: Opened()))
    path = tmp_path / "a.txt"
    path.write_text("A river. A cat. A bridge.", encoding="utf-8")
    assert main(["summarize", str(path), "--sentences", "1"]) == 0
    assert capsys.readouterr().out.strip() in path.read_text()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(("A river. " * 2000).encode())))
    assert main(["summarize", "-"]) == 0
    assert "1024 of 2000 sentences were read, evenly over the text" in capsys.readouterr().err
    assert main(["summarize", str(path), "--share", "0.5", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["sentences"]) == 2
    for words, code, said in (
        (["--sentences", "0"], 7, "sentences is 0"),
        (["--beams", "2"], 2, "--beams is for --t5; leave one of them out"),
        (["--t5", "x", "--lambda", "1"], 2, "--lambda is for sentences of the text itself"),
        (["--t5", str(tmp_path / "none")], 7, "no such directory"),
    ):
        assert main(["summarize", str(path), *words]) == code
        assert said in capsys.readouterr().err
    monkeypatch.setattr(summarize, "Model", None)  # no time is spent on a model before the text is there
    assert main(["summarize", str(Path("nowhere.txt"))]) == 7
    assert "nowhere.txt: cannot be read (No such file or directory)" in capsys.readouterr().err
