"""Texts become numbers: the same ones everywhere, by a vocabulary that is an asset."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contract import Contract, Graph, Metric, Step, Tensor
from edge.errors import BundleError, ContractError, InputError, TandemError, TooLargeError
from edge.steps import preprocessing
from edge.steps.context import Context
from edge.steps.text import tokenize, tokens


@pytest.fixture
def assets(tmp_path):
    (tmp_path / "vocabulary.txt").write_text("the\ncat\n!\nsat\n我\n", encoding="utf-8")
    return Context(assets=tmp_path)


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        pytest.param("The CAT sat!", "words", ["the", "cat", "sat", "!"], id="capitals and signs"),
        pytest.param("don't  stop\n2day", "words", ["don", "'", "t", "stop", "2day"], id="apostrophe, spaces, digits"),
        pytest.param("cafe\u0301 CAFÉ", "words", ["café", "café"], id="an accent apart or composed"),
        pytest.param("我 喜歡", "characters", ["我", "喜", "歡"], id="characters"),
        pytest.param("我喜歡", "words", ["我喜歡"], id="a script without spaces is one word"),
        pytest.param(" \t\n", "words", [], id="spaces only"),
    ],
)
def test_a_text_is_taken_apart(text, unit, expected):
    assert tokens(text, unit) == expected


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        pytest.param("the cat", [2, 3, 0, 0], id="filled up"),
        pytest.param("the dog sat !", [2, 1, 5, 4], id="an unknown word"),
        pytest.param("the cat sat on the mat", [2, 3, 5, 1], id="cut"),
        pytest.param(np.array("The Cat"), [2, 3, 0, 0], id="as golden files hold it"),
    ],
)
def test_words_become_their_places_in_the_vocabulary(assets, value, ids):
    row = tokenize(value, assets, length=4)
    assert row.dtype == np.int32
    assert row.tolist() == ids


def test_a_path_is_read_and_a_string_never_is_one(assets, tmp_path):
    (tmp_path / "a.txt").write_text("\ufeffthe cat", encoding="utf-8")
    assert tokenize(tmp_path / "a.txt", assets, length=2).tolist() == [2, 3]
    assert tokenize(str(tmp_path / "a.txt"), assets, length=2).tolist() != [2, 3]


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        pytest.param("", InputError, "empty, expected one word", id="nothing"),
        pytest.param("  ", InputError, "empty, expected one word", id="spaces"),
        pytest.param(3, InputError, "a text is int", id="a number"),
        pytest.param(b"the", InputError, "a text is bytes", id="bytes"),
        pytest.param(np.array(["a"]), InputError, "a text is ndarray", id="several"),
        pytest.param("a" * 1_000_001, TooLargeError, "1000001 characters, expected at most", id="too long"),
        pytest.param(Path("no/such.txt"), InputError, "no/such.txt: cannot be read", id="no file"),
    ],
)
def test_what_is_no_text_is_refused(assets, value, error, message):
    with pytest.raises(error, match=message):
        tokenize(value, assets, length=4)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "vocabulary.txt: cannot be read", id="missing"),
        pytest.param(b"\xff\xfe", "not UTF-8 at byte 0", id="not UTF-8"),
        pytest.param(b"a\nb\na\n", "an entry twice", id="twice"),
        pytest.param(b"a\n\nb\n", "empty lines", id="an empty line"),
    ],
)
def test_a_damaged_vocabulary_is_told(tmp_path, content, message):
    if content is not None:
        (tmp_path / "vocabulary.txt").write_bytes(content)
    with pytest.raises(BundleError, match=message):
        tokenize("a", Context(assets=tmp_path), length=4)


def test_without_assets_the_step_says_so():
    with pytest.raises(ContractError, match="no folder of assets"):
        tokenize("a", Context(), length=4)


def test_a_changed_vocabulary_is_read_again(assets, tmp_path):
    assert tokenize("dog", assets, length=1).tolist() == [1]
    (tmp_path / "vocabulary.txt").write_text("a\nlonger\ndog\n")
    assert tokenize("dog", assets, length=1).tolist() == [4]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        pytest.param({"length": 0}, "length=0", id="no length"),
        pytest.param({"length": True}, "length=True", id="a truth value"),
        pytest.param({"length": 8, "unit": "lines"}, "unit='lines'", id="an unknown unit"),
        pytest.param({"length": 8, "vocabulary": "../x"}, "vocabulary='../x'", id="a path that escapes"),
        pytest.param({"length": 8, "markup": 1}, "markup=1, expected true or false", id="a number for a switch"),
        pytest.param({"length": 8, "own_script": "yes"}, "own_script='yes', expected true", id="a word for a switch"),
    ],
)
def test_parameters_that_cannot_be_used_are_refused(parameters, message):
    ids = Tensor("ids", "int32", ("batch", 8), "NL")
    logits = Tensor("logits", "float32", ("batch", 2), "NC")
    graph = Graph("main", (ids,), (logits,))
    contract = Contract(
        1, "a_text", "1.0.0", "text", (graph,), Metric("accuracy", "higher", None), preprocess=(Step("tokenize", **parameters),)
    )
    with pytest.raises(ContractError, match=message):
        preprocessing(contract)


@given(st.text(max_size=60), st.integers(1, 12), st.sampled_from(["words", "characters"]))
def test_any_text_gives_its_row_or_an_error_of_ours(tmp_path_factory, text, length, unit):
    folder = tmp_path_factory.getbasetemp() / "vocabulary"
    folder.mkdir(exist_ok=True)
    (folder / "vocabulary.txt").write_text("a\nb\n", encoding="utf-8")
    try:
        row = tokenize(text, Context(assets=folder), length=length, unit=unit)
    except TandemError:
        assert "\0" in text or not tokens(text, unit)
        return
    assert row.shape == (length,)
    assert 0 <= row.min() <= row.max() <= 3
