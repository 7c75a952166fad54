"""Golden vectors of texts: what every stage must make of emoji, full-width letters, mixed scripts, markup, nothing and far too much."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import InputError, TandemError, TooLargeError
from edge.steps.context import Context
from edge.steps.text import UNITS, tokenize, tokens
from edge.steps.wordpiece import wordpiece
from tests.serving_tests.echo_models import asset

WORDS = ("win", "a", "prize", "!", "\u559c\u6b61", "caf\u00e9", "\U0001f389", "<", "3", "you", "\uff57\uff49\uff4e", "&", "\u6211")
PARTY = "\U0001f389"
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"  # three emoji and two joiners


@pytest.fixture(scope="module")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """A vocabulary whose entries have the numbers from 2."""
    folder = tmp_path_factory.mktemp("vectors")
    (folder / "vocabulary.txt").write_text("".join(f"{word}\n" for word in WORDS), encoding="utf-8")
    return Context(assets=folder)


@pytest.mark.parametrize(
    ("text", "options", "ids"),
    [
        pytest.param("WIN a Prize!", {}, [2, 3, 4, 5, 0, 0], id="case and signs"),
        pytest.param("win a prize!", {"signs": False}, [2, 3, 4, 0, 0, 0], id="without signs"),
        pytest.param(f"win{PARTY}{PARTY}a", {}, [2, 8, 8, 3, 0, 0], id="emoji are signs, one by one"),
        pytest.param(f"win {PARTY}", {"signs": False}, [2, 0, 0, 0, 0, 0], id="emoji left out"),
        pytest.param(FAMILY, {}, [1, 1, 1, 1, 1, 0], id="joined emoji are their parts"),
        pytest.param("\uff37\uff29\uff2e win", {}, [12, 2, 0, 0, 0, 0], id="full-width letters are letters of their own, in small ones"),
        pytest.param("\uff01!", {}, [1, 5, 0, 0, 0, 0], id="a full-width sign is another sign"),
        pytest.param("win \u559c\u6b61 a", {}, [2, 6, 3, 0, 0, 0], id="Chinese between spaces"),
        pytest.param("win\u559c\u6b61a", {}, [1, 0, 0, 0, 0, 0], id="Chinese and English without spaces are one word"),
        pytest.param("\u6211a!", {"unit": "characters"}, [14, 3, 5, 0, 0, 0], id="characters of both"),
        pytest.param("\u6211 a!", {"unit": "characters", "signs": False}, [14, 3, 0, 0, 0, 0], id="characters without signs"),
        pytest.param("cafe\u0301 CAFE\u0301", {}, [7, 7, 0, 0, 0, 0], id="accents composed"),
        pytest.param("\u0130", {}, [1, 1, 0, 0, 0, 0], id="a capital whose small letter is a letter and a sign"),
        pytest.param("<b>win</b> a<br/>prize", {"markup": True}, [2, 3, 4, 0, 0, 0], id="tags"),
        pytest.param("<a href='x>y'>win", {"markup": True}, [1, 1, 1, 2, 0, 0], id="a tag ends at its first bracket"),
        pytest.param("win &amp; a &lt;3", {"markup": True}, [2, 13, 3, 9, 10, 0], id="entities"),
        pytest.param("&lt;b&gt; win", {"markup": True}, [9, 1, 1, 2, 0, 0], id="an entity makes no tag"),
        pytest.param("you <3 a > win", {"markup": True}, [11, 9, 10, 3, 1, 2], id="brackets that are no tags"),
        pytest.param("<!-- you --> win <", {"markup": True}, [2, 9, 0, 0, 0, 0], id="a comment, and a bracket at the end"),
        pytest.param("<b>win", {}, [9, 1, 1, 2, 0, 0], id="markup stays where nothing is said"),
        pytest.param("win\u00a0a\u3000prize\r\n!", {}, [2, 3, 4, 5, 0, 0], id="every kind of space"),
        pytest.param("win " * 250_000, {}, [2] * 6, id="a megabyte"),
        pytest.param("w" * 1_000_000, {}, [1, 0, 0, 0, 0, 0], id="a megabyte in one word"),
        pytest.param("<b" * 500_000, {"markup": True}, [9, 1, 9, 1, 9, 1], id="a megabyte of tags that never end"),
        pytest.param("&amp" * 250_000, {"markup": True}, [13] * 6, id="a megabyte of entities that never end"),
    ],
)
def test_golden_vectors(assets: Context, text: str, options: dict[str, object], ids: list[int]) -> None:
    row = tokenize(text, assets, length=6, **options)
    assert row.dtype == np.int32
    assert row.tolist() == ids


CHINESE = ("\u8fd9", "\u672c\u4e66", "\u5f88", "\u597d", "win", PARTY, "\uff0c", "\u559c\u6b22")


@pytest.mark.parametrize(
    ("text", "options", "ids"),
    [
        pytest.param("\u8fd9\u672c\u4e66\u5f88\u597d", {}, [2, 3, 4, 5, 0, 0], id="words without spaces"),
        pytest.param("\u8fd9\u672c\u4e66WIN\u5f88\u597d", {}, [2, 3, 6, 4, 5, 0], id="Chinese and English without spaces"),
        pytest.param("\u559c\u6b22 win iPhone 15", {}, [9, 6, 1, 1, 0, 0], id="mixed, unknown words and numbers"),
        pytest.param(f"\u5f88\u597d{PARTY}{PARTY}", {}, [4, 5, 7, 7, 0, 0], id="emoji"),
        pytest.param(f"\u5f88\u597d\uff0c{PARTY}", {"signs": False}, [4, 5, 0, 0, 0, 0], id="without signs"),
        pytest.param("\uff37\uff29\uff2e\u5f88\u597d\uff0c", {}, [1, 1, 1, 4, 5, 8], id="full-width letters, one by one, and sign"),
        pytest.param("<b>\u5f88</b>&nbsp;\u597d", {"markup": True}, [4, 5, 0, 0, 0, 0], id="markup"),
        pytest.param("\u8fd9\u672c\u4e66\u5f88\u597d" * 200_000, {}, [2, 3, 4, 5, 2, 3], id="a megabyte"),
    ],
)
def test_golden_vectors_of_chinese_words(tmp_path: Path, text: str, options: dict[str, object], ids: list[int]) -> None:
    (tmp_path / "vocabulary.txt").write_text("".join(f"{word}\n" for word in CHINESE), encoding="utf-8")
    assert tokenize(text, Context(assets=tmp_path), length=6, unit="jieba", **options).tolist() == ids


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        pytest.param("WIN a Prize!", [2, 4, 5, 6, 8, 3, 0, 0], id="case and signs"),
        pytest.param("wins prizes", [2, 4, 7, 6, 7, 3, 0, 0], id="pieces of words"),
        pytest.param(f"win {PARTY}", [2, 4, 12, 3, 0, 0, 0, 0], id="an emoji"),
        pytest.param(f"win{PARTY}", [2, 1, 3, 0, 0, 0, 0, 0], id="an emoji at a word is part of it, and unknown with it"),
        pytest.param("win\u559c\u6b61a", [2, 4, 9, 10, 5, 3, 0, 0], id="Chinese characters stand alone"),
        pytest.param("\uff37\uff29\uff2e!", [2, 1, 8, 3, 0, 0, 0, 0], id="full-width letters are others"),
        pytest.param("cafe\u0301 CAF\u00c9", [2, 11, 11, 3, 0, 0, 0, 0], id="accents are left out"),
        pytest.param("<b>win", [2, 13, 15, 14, 4, 3, 0, 0], id="markup stays"),
        pytest.param("win " * 250_000, [2, 4, 4, 4, 4, 4, 4, 3], id="a megabyte"),
        pytest.param("w" * 1_000_000, [2, 1, 3, 0, 0, 0, 0, 0], id="a megabyte in one word"),
    ],
)
def test_golden_vectors_of_pieces(tmp_path: Path, text: str, ids: list[int]) -> None:
    (tmp_path / "tokenizer.json").write_bytes(asset("tokenizer.json"))
    assert wordpiece(text, Context(assets=tmp_path), length=8).tolist() == ids


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        pytest.param("", InputError, "the text is empty, expected one word or more", id="empty"),
        pytest.param(" \t\u3000", InputError, "the text is empty", id="spaces"),
        pytest.param("a \ud83d win", InputError, r"half a character \(a lone surrogate\) at 2", id="a lone surrogate"),
        pytest.param("\udc00", InputError, r"a lone surrogate\) at 0", id="a low surrogate alone"),
        pytest.param("win\0a", InputError, "a character of value 0 at 3, expected text; it looks like binary", id="binary"),
        pytest.param(b"win", InputError, "a text is bytes, expected a string", id="bytes"),
        pytest.param("w" * 1_000_001, TooLargeError, "1000001 characters, expected at most 1000000", id="above a megabyte"),
    ],
)
def test_what_is_no_text_is_refused_in_words(assets: Context, value: object, error: type[TandemError], message: str) -> None:
    for unit in UNITS:
        with pytest.raises(error, match=message):
            tokenize(value, assets, length=6, unit=unit)
    with pytest.raises(error, match=message):
        wordpiece(value, assets, length=6)


def test_a_binary_file_is_refused_in_words(assets: Context, tmp_path: Path) -> None:
    file = tmp_path / "picture.png"
    for content, message in ((b"\x89PNG\r\n\x1a\n", "not UTF-8 at byte 0, expected a text file"), (b"II*\0win", "it looks like binary")):
        file.write_bytes(content)
        with pytest.raises(InputError, match=message):
            tokenize(file, assets, length=6)


@pytest.mark.parametrize("sign", ["a", "\u559c", PARTY])
def test_a_file_of_ten_megabytes_is_refused_as_too_large(assets: Context, tmp_path: Path, sign: str) -> None:
    (tmp_path / "long.txt").write_text(sign * (10_485_760 // len(sign.encode())), encoding="utf-8")
    with pytest.raises(TooLargeError, match=r"long.txt: more than 4000003 bytes, expected a text of at most 1000000 characters"):
        tokenize(tmp_path / "long.txt", assets, length=6)


def test_the_largest_file_is_read(assets: Context, tmp_path: Path) -> None:
    (tmp_path / "long.txt").write_text("\ufeff" + PARTY * 1_000_000, encoding="utf-8")
    assert tokenize(tmp_path / "long.txt", assets, length=6).tolist() == [8] * 6


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        pytest.param("\u0442\u043e\u0432\u0430\u0440", True, id="Cyrillic"),
        pytest.param("\u5546\u54c1\u5f88\u597d!", True, id="Chinese characters that the vocabulary does not have"),
        pytest.param("zzz a \u0442\u043e\u0432\u0430\u0440", False, id="a mixture"),
        pytest.param("Gewinn", False, id="another language in the same letters"),
        pytest.param(f"{PARTY} 645 :-)", False, id="no letters at all"),
    ],
)
def test_another_script_is_refused_where_the_contract_says_so(assets: Context, text: str, refused: bool) -> None:
    assert tokenize(text, assets, length=6).max() >= 1, "and everywhere else it is answered, as unknown words"
    if refused:
        with pytest.raises(InputError, match=r"none of the text's letters, such as '.', stands in the model's vocabulary"):
            tokenize(text, assets, length=6, own_script=True)
    else:
        assert tokenize(text, assets, length=6, own_script=True).max() >= 1


@given(st.text(max_size=80))
def test_without_signs_the_words_stay(text: str) -> None:
    with_signs = tokens(text, markup=True)
    without = tokens(text, markup=True, signs=False)
    assert without == [word for word in with_signs if re.fullmatch(r"\w+", word)]
    assert not any(character.isspace() for word in with_signs for character in word)
