"""Sentences of English and Chinese: what ends one and what does not, and places that fit the text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.sentences import MAX_SIGNS, count_words, split


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        pytest.param("One. Two! Three?", ["One.", "Two!", "Three?"], id="plain"),
        pytest.param("Mr. Smith met Dr. Lee. They left.", ["Mr. Smith met Dr. Lee.", "They left."], id="titles"),
        pytest.param("It cost 3.50 dollars. See www.a.b/c.html now.", ["It cost 3.50 dollars.", "See www.a.b/c.html now."], id="decimals"),
        pytest.param("The U.S. Army left the U.S. The end.", ["The U.S. Army left the U.S.", "The end."], id="initials of a name"),
        pytest.param("J. R. Jones came, e.g. on Jan. 5.", ["J. R. Jones came, e.g. on Jan. 5."], id="initials and dates"),
        pytest.param("He came in Jan. The ice held.", ["He came in Jan.", "The ice held."], id="a month at the end"),
        pytest.param("So am I. You too.", ["So am I.", "You too."], id="I is no initial"),
        pytest.param('"Really?" he said. "Yes." She left.', ['"Really?" he said.', '"Yes."', "She left."], id="quotes"),
        pytest.param("She left (at last!) and sang. Fine.", ["She left (at last!) and sang.", "Fine."], id="a bracket within"),
        pytest.param("He paused... and went. Wait... Now.", ["He paused... and went.", "Wait...", "Now."], id="three points"),
        pytest.param("a line\nthat goes on\n\nA heading\n \nText.", ["a line\nthat goes on", "A heading", "Text."], id="empty lines"),
        pytest.param("1. First. 2. Second.", ["1. First.", "2. Second."], id="a list"),
        pytest.param("今天下雨。路很滑！真的嗎？是的", ["今天下雨。", "路很滑！", "真的嗎？", "是的"], id="Chinese, without spaces"),
        pytest.param(
            "他說：「好。」然後走了。「是的。」，她說。", ["他說：「好。」", "然後走了。", "「是的。」，她說。"], id="Chinese quotes"
        ),
        pytest.param("价格是3.5元。OK. 好的。", ["价格是3.5元。", "OK.", "好的。"], id="both"),
        pytest.param("no end at all", ["no end at all"], id="no end"),
        pytest.param(" \n\t ", [], id="nothing"),
    ],
)
def test_sentences_end_where_readers_end_them(text, sentences):
    assert [each.text for each in split(text)] == sentences


@given(st.text(alphabet='aA. \n!?。！」"(1。，', max_size=400))
def test_places_fit_the_text_and_nothing_is_lost(text):
    found = split(text)
    assert [text[each.start : each.end] for each in found] == [each.text for each in found]
    assert [each.start for each in found] == sorted(each.start for each in found)
    assert "".join(each.text for each in found).replace(" ", "").replace("\n", "") == "".join(text.split())


@pytest.mark.parametrize("text", ["a" * 50_000, "word " * 10_000, "a," * 25_000, "." * 50_000])
def test_what_has_no_end_is_cut(text):
    found = split(text)
    assert max(len(each.text) for each in found) <= MAX_SIGNS
    assert len(found) <= 2 * len(text) / MAX_SIGNS + 1
    assert not any(each.text.startswith("ord") for each in found), "at a space where there is one"


@pytest.mark.parametrize(("text", "count"), [("The cat's 3.5 mats", 6), ("你好，世界 abc", 5), ("", 0), ("...", 0)])
def test_words_are_counted(text, count):
    assert count_words(text) == count
