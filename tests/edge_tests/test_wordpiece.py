"""The step `wordpiece`: ids as the tokenizer says, always of one length; what is missing or damaged is told."""

import builtins

import pytest

from edge.errors import BundleError, ContractError, InputError, RuntimeMissingError
from edge.steps.context import Context
from edge.steps.wordpiece import _read, check_wordpiece, wordpiece
from tests.export_tests.huggingface_models import tokenizer


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    folder = tmp_path_factory.mktemp("assets")
    tokenizer(folder)
    return Context(assets=folder)


@pytest.mark.parametrize(
    ("text", "length", "ids"),
    [
        pytest.param("The CAT sat", 8, [2, 4, 5, 7, 3, 0, 0, 0], id="filled up, whatever the file itself wants"),
        pytest.param("cats running", 8, [2, 5, 13, 1, 3, 0, 0, 0], id="a piece of a word, and a word that is unknown"),
        pytest.param("the cat sat on a mat", 5, [2, 4, 5, 7, 3], id="cut before the last mark"),
        pytest.param("the cat sat on a mat", 8, [2, 4, 5, 7, 9, 10, 11, 3], id="exactly as long"),
    ],
)
def test_a_text_becomes_ids_of_one_length(context, text, length, ids):
    found = wordpiece(text, context, length=length)
    assert found.dtype.name == "int32"
    assert found.tolist() == ids


def test_another_id_may_fill_up(context):
    assert wordpiece("cat", context, length=5, padding=9).tolist() == [2, 5, 3, 9, 9]


@pytest.mark.parametrize("value", ["", "  \n", 7, None])
def test_what_is_no_text_is_refused(context, value):
    with pytest.raises(InputError):
        wordpiece(value, context, length=4)


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"{}", b'{"model": {"type": "WordPiece"}}'])
def test_a_tokenizer_that_is_missing_or_damaged_is_told(tmp_path, content):
    if content is not None:
        (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(BundleError, match="copy"):
        wordpiece("cat", Context(assets=tmp_path), length=4)


def test_without_the_library_the_extra_is_named(context, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "tokenizers":
            raise ImportError(name)
        return real(name, *rest)

    _read.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(RuntimeMissingError, match="the extra wordpiece of tandem-edge"):
        wordpiece("cat", context, length=4)


def test_without_assets_the_contract_is_wrong():
    with pytest.raises(ContractError, match="no folder of assets"):
        wordpiece("cat", Context(), length=4)


@pytest.mark.parametrize(
    ("parameters", "fragment"),
    [
        ({"length": 0}, "length=0"),
        ({"length": True}, "length=True"),
        ({"length": 8, "padding": -1}, "padding=-1"),
        ({"length": 8, "tokenizer": "../x.json"}, "tokenizer='../x.json'"),
        ({"length": 8, "mask": 4}, "mask=4"),
        ({"length": 8, "own_script": 1}, "own_script=1"),
        ({"length": 8, "padding": 1, "tokenizer": "a/b.json"}, ""),
    ],
)
def test_parameters_are_checked(parameters, fragment):
    found = check_wordpiece(**parameters)
    assert (fragment in found) if fragment else found == ""


@pytest.mark.parametrize(
    "text", ["\U0001f600", "unknown words 日本", "x" * 1000, "\x01\u200b"], ids=["emoji", "words", "one long word", "no sign"]
)
def test_a_text_of_which_no_piece_is_known_is_refused_where_that_is_asked_for(context, text):
    with pytest.raises(InputError, match="expected one in the model's language"):
        wordpiece(text, context, length=8, own_script=True)
    assert wordpiece(text, context, length=8)[0] == 2


def test_one_piece_that_is_known_is_enough(context):
    assert wordpiece("日本 cat", context, length=6, own_script=True).tolist() == [2, 1, 1, 5, 3, 0]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("the cat " * 100_000, [2, 4, 5, 4, 5, 3]),
        (" " * 5000 + "cat" + " dog" * 2000, [2, 5, 6, 6, 6, 3]),
        ("cat\n" * 100_000, [2, 5, 5, 5, 5, 3]),
    ],
    ids=["words", "spaces before", "lines"],
)
def test_a_long_text_is_cut_before_it_is_taken_apart(context, text, ids, monkeypatch):
    read = []
    real = _read

    class Spy:
        def __init__(self, encoder):
            self.encoder = encoder

        def encode(self, text):
            read.append(len(text))
            return self.encoder.encode(text)

    monkeypatch.setattr("edge.steps.wordpiece._read", lambda *arguments: Spy(real(*arguments)))
    assert wordpiece(text, context, length=6).tolist() == ids
    assert read == [1200]
