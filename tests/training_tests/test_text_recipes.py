"""Every recipe that takes texts, or writes them, refuses in words what is no text for it; a new one is held to it without another line."""

import pytest

from edge.contract import Contract
from edge.errors import InputError, TandemError, TooLargeError
from edge.generation import Order, StepModel, is_generator
from edge.steps import TEXT_STEPS, Pipeline, preprocessing
from training.discover import find, names

WORDS = ("win", "a", "prize", "\u5f88", "\u597d")
BAD = [
    pytest.param("\u0442\u043e\u0432\u0430\u0440", InputError, r"none of the text's letters|does not know '\u0442", id="another language"),
    pytest.param("\u0e2a\u0e34\u0e19\u0e04\u0e49\u0e32", InputError, "none of the text's letters|does not know|there are", id="Thai"),
    pytest.param("GIF89a\1\0", InputError, "it looks like binary content", id="binary as text"),
    pytest.param("win \ud83d", InputError, r"half a character \(a lone surrogate\) at 4", id="a lone surrogate"),
    pytest.param("", InputError, "the text is empty, expected one word", id="empty"),
    pytest.param(" \n\u3000", InputError, "the text is empty, expected one word", id="spaces"),
    pytest.param("win " * 2_621_440, TooLargeError, "the text has 10485760 characters, expected at most 1000000", id="10 MB"),
    pytest.param(b"win", InputError, "a text is bytes, expected a string", id="bytes"),
]


@pytest.fixture(scope="module")
def contracts() -> list[Contract]:
    """What all recipes promise."""
    return [find(name).contract for name in names()]


@pytest.fixture(scope="module")
def readers(contracts: list[Contract], tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Contract, Pipeline]]:
    """The steps of every recipe that takes texts, over assets of a few words."""
    own = set(TEXT_STEPS) - {"wordpiece"}  # the tokenizers of published models know pieces of every script; see test_wordpiece
    taking = [contract for contract in contracts if contract.preprocess and contract.preprocess[0].name in own]
    found = {}
    for contract in taking:
        folder = tmp_path_factory.mktemp(contract.name)
        for path in contract.assets.values():
            lines = (f"{word}\t1.5\n" if path.endswith(".tsv") else f"{word}\n" for word in WORDS)
            (folder / path).write_text("".join(lines), encoding="utf-8")
        found[contract.name] = (contract, preprocessing(contract, folder))
    assert {"spam_lstm", "spam_trees", "spam_trees_tfidf", "sentiment_lstm", "sentiment_zh", "word2vec", "word2vec_zh"} <= set(found)
    return found


@pytest.mark.parametrize(("value", "error", "words"), BAD)
def test_what_is_no_text_is_refused(
    readers: dict[str, tuple[Contract, Pipeline]], value: object, error: type[TandemError], words: str
) -> None:
    for name, (_, read) in readers.items():
        with pytest.raises(error, match=words) as told:
            read(value)
        assert len(str(told.value)) < 300, name


def test_what_is_a_text_is_taken(readers: dict[str, tuple[Contract, Pipeline]]) -> None:
    for name, (contract, read) in readers.items():
        row = read("win \u5f88 prize")
        assert row.dtype == contract.main.inputs[0].dtype, name
        assert row.any(), name


@pytest.mark.parametrize(
    ("prompt", "error", "words"),
    [
        pytest.param(
            "It \u0442", InputError, "the prompt has '\u0442' at 3, which the model does not know; leave it out", id="another language"
        ),
        pytest.param("GIF89a\1\0", InputError, r"the prompt has '\\x01' at 6", id="binary as text"),
        pytest.param("I\ud83d", InputError, r"the prompt has '\\ud83d' at 1", id="a lone surrogate"),
        pytest.param("It \U0001f389", InputError, "the prompt has '\U0001f389' at 3", id="an emoji"),
        pytest.param("", InputError, "the prompt is empty, expected one sign or more", id="empty"),
        pytest.param("win " * 2_621_440, TooLargeError, "the prompt has more than 4096 tokens; send less", id="10 MB"),
        pytest.param(b"It", InputError, "prompt is bytes, expected a text", id="bytes"),
    ],
)
def test_what_cannot_be_gone_on_from_is_refused(contracts: list[Contract], prompt: str, error: type[TandemError], words: str) -> None:
    writers = [contract for contract in contracts if is_generator(contract)]
    assert "char_lstm" in [contract.name for contract in writers]
    for contract in writers:
        with pytest.raises(error, match=words):
            StepModel.of(contract).read(Order.of(prompt).prompt)
