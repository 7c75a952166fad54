"""The step `number_words`: one word or three and more, all of them known; how much of the ranking that asks for."""

from pathlib import Path

import numpy as np
import pytest

from edge.contract import Contract, Graph, Metric, Step, Tensor
from edge.errors import BundleError, ContractError, InputError, TandemError, TooLargeError
from edge.steps import preprocessing
from edge.steps.context import Context
from edge.steps.ratings import Wanted
from edge.steps.words import NEAREST, number_words

KNOWN = ("breakfast", "cereal", "dinner", "lunch", "北京", "上海", "苹果", "café", "ｗｉｎ")


@pytest.fixture(scope="module")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """A vocabulary whose entries have the numbers from 2."""
    folder = tmp_path_factory.mktemp("words")
    (folder / "vocabulary.txt").write_text("".join(f"{word}\n" for word in KNOWN), encoding="utf-8")
    return Context(assets=folder)


def pipeline(assets: Context, **parameters: object):
    graph = Graph("main", (Tensor("ids", "int32", ("batch", 6), "NL"),), (Tensor("scores", "float32", ("batch", 9), "NC"),))
    contract = Contract(
        1, "a_text", "1.0.0", "words", (graph,), Metric("mae", "lower", None), preprocess=(Step("number_words", **parameters),)
    )
    return preprocessing(contract, assets.assets)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        pytest.param("dinner", [4, 0, 0, 0, 0, 0], id="one"),
        pytest.param("Breakfast CEREAL lunch", [2, 3, 5, 0, 0, 0], id="three, in any letters"),
        pytest.param("breakfast, cereal; dinner/lunch.", [2, 3, 4, 5, 0, 0], id="signs between them"),
        pytest.param("北京、上海，苹果", [6, 7, 8, 0, 0, 0], id="Chinese, with its own signs"),
        pytest.param("北京\u3000上海 lunch", [6, 7, 5, 0, 0, 0], id="of both languages, a wide space"),
        pytest.param("\U0001f389 cafe\u0301", [9, 0, 0, 0, 0, 0], id="an emoji is no word; an accent composed"),
        pytest.param("ＷＩＮ", [10, 0, 0, 0, 0, 0], id="full-width letters are letters of their own"),
        pytest.param("breakfast cereal dinner lunch 北京 上海", [2, 3, 4, 5, 6, 7], id="as many as may be"),
        pytest.param(np.array("lunch"), [5, 0, 0, 0, 0, 0], id="as golden files hold it"),
    ],
)
def test_words_become_their_numbers(assets: Context, text: object, ids: list[int]) -> None:
    row = number_words(text, assets, length=6)
    assert row.dtype == np.int32
    assert row.tolist() == ids


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        pytest.param("", InputError, "the text is empty, expected one word, to find those nearest to it, or 3 to 6", id="empty"),
        pytest.param(" \U0001f389!", InputError, "the text is empty", id="signs alone"),
        pytest.param("dinner lunch", InputError, "there are 2 words, expected one word, .* or 3 to 6, to find the odd one out", id="two"),
        pytest.param("a b c d e f g", InputError, "there are 7 words", id="too many"),
        pytest.param("lunch " * 100_000, InputError, "there are 100000 words", id="far too many"),
        pytest.param("gandalf", InputError, "does not know 'gandalf', expected words among the 9 of its vocabulary", id="unknown"),
        pytest.param("lunch frodo 北京 sam frodo", InputError, "does not know 'frodo', 'sam', expected", id="unknown ones, each once"),
        pytest.param("北京上海", InputError, "does not know '北京上海'", id="two words of Chinese without a space are one"),
        pytest.param("\u0442\u043e\u0432\u0430\u0440", InputError, "does not know '\u0442\u043e\u0432\u0430\u0440'", id="another language"),
        pytest.param("w" * 1_000_000, InputError, r"does not know 'w+\.\.\.w+', expected", id="a megabyte in one word"),
        pytest.param("lunch dinner lunch", InputError, "the word 'lunch' comes twice, expected each word once", id="one twice"),
        pytest.param("lunch \ud83d", InputError, r"half a character \(a lone surrogate\) at 6", id="a lone surrogate"),
        pytest.param("GIF89a\1\0", InputError, "it looks like binary content", id="binary"),
        pytest.param(b"lunch", InputError, "a text is bytes, expected a string", id="bytes"),
        pytest.param("lunch " * 200_000, TooLargeError, "1200000 characters, expected at most 1000000", id="above a megabyte"),
    ],
)
def test_what_cannot_be_asked_is_told_in_words(assets: Context, value: object, error: type[TandemError], message: str) -> None:
    with pytest.raises(error, match=message) as told:
        number_words(value, assets, length=6)
    assert len(str(told.value)) < 400, "a refusal does not send the text back"


@pytest.mark.parametrize(
    ("text", "most"),
    [
        pytest.param("dinner", NEAREST, id="the nearest of one"),
        pytest.param("lunch dinner cereal", 3, id="each of three"),
        pytest.param("breakfast cereal dinner lunch 北京 上海", 6, id="each of six"),
    ],
)
def test_as_much_of_the_ranking_as_was_asked_for(assets: Context, text: str, most: int) -> None:
    row, aside = pipeline(assets, length=6).framed(text)
    assert row.shape == (6,)
    assert aside == Wanted(most)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        pytest.param({"length": 2}, "length=2, expected a whole number from 3 to 20", id="too short"),
        pytest.param({"length": 21}, "length=21", id="too long"),
        pytest.param({"length": True}, "length=True", id="a truth value"),
        pytest.param({"vocabulary": "../x"}, "vocabulary='../x'", id="a path that escapes"),
    ],
)
def test_parameters_that_cannot_be_used_are_refused(assets: Context, parameters: dict[str, object], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        pipeline(assets, **parameters)


def test_a_missing_vocabulary_is_told(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"vocabulary.txt: cannot be read"):
        number_words("lunch", Context(assets=tmp_path))
