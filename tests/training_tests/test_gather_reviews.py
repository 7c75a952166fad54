"""Gathering pages of reviews: stop conditions, HTML, what is left out, pages that are none."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import InputError
from edge.steps import encoded
from tests.training_tests.gather_site import Site, running
from training.data.gather import plain_text, review_pages
from training.data.gather.json_pages import Paging, items_of
from training.data.gather.manners import Manners
from training.data.gather.review_pages import Review, ReviewFields

QUICK = Manners(pause_s=0, backoff_s=0.01, retries=2, max_requests=100)
REVIEW = ReviewFields("body", "stars", "id")


@pytest.fixture
def site() -> Iterator[Site]:
    with running() as site:
        yield site


def reviews(site: Site) -> Paging:
    return Paging(f"{site.url}/reviews?page={{page}}", "reviews", "id")


def one_page(site: Site, items: list[object]) -> Paging:
    """The site has one page, of these items."""
    site.answers["/one"] = (200, {}, json.dumps(items).encode())
    return Paging(f"{site.url}/one")


@pytest.mark.parametrize(
    ("settings", "endless", "count", "asked", "words"),
    [
        pytest.param({}, False, 12, 4, "page 4 is empty", id="an empty page"),
        pytest.param({}, True, 12, 4, "page 4 brings nothing new", id="the last page for ever"),
        pytest.param({"max_pages": 2}, True, 8, 2, "2 pages, as many as asked for", id="pages"),
        pytest.param({"max_items": 6}, True, 6, 2, "6 items, as many as asked for", id="items"),
        pytest.param(
            {"since": date(2024, 1, 23), "date_field": "day"}, False, 6, 3, "brings nothing new, or nothing since 2024-01-23", id="a date"
        ),
        pytest.param({"first_page": 3}, False, 4, 2, "page 2 is empty", id="a later first page"),
        pytest.param({"page_step": 2}, False, 8, 3, "page 3 is empty", id="steps"),
    ],
)
def test_gathering_stops(
    site: Site, tmp_path: Path, settings: dict[str, object], endless: bool, count: int, asked: int, words: str
) -> None:
    site.endless = endless
    found = review_pages.gather(replace(reviews(site), **settings), REVIEW, tmp_path, QUICK)
    assert (len(found.reviews), len(site.paths())) == (count, asked)
    assert words in found.stopped
    again = review_pages.gather(replace(reviews(site), **settings), REVIEW, tmp_path, QUICK)
    assert (again.requests, len(site.paths())) == (0, asked), "a finished gathering asked somebody"
    assert again.reviews == found.reviews


def test_a_url_without_a_placeholder_is_one_page(site: Site, tmp_path: Path) -> None:
    found = review_pages.gather(one_page(site, [{"body": "a", "stars": 1}]), ReviewFields("body", "stars"), tmp_path, QUICK)
    assert (found.stopped, len(site.paths())) == ("the URL has no {page}: one page", 1)


def test_reviews_are_clean_and_come_back(site: Site, tmp_path: Path) -> None:
    found = review_pages.gather(reviews(site), REVIEW, tmp_path, QUICK)
    assert found.reviews[7] == Review("Text 7 & more", 3.0, "7")
    assert review_pages.read_reviews(tmp_path) == found.reviews
    assert (tmp_path / "reviews.csv").read_text(encoding="utf-8").startswith("text,stars,id\nText 0 & more,1,0\n")


def test_reviews_are_left_out_for_reasons(site: Site, tmp_path: Path) -> None:
    texts = ["好吃！", "<b>好吃</b>!!", "  ", None, "<script>alert(1)</script>", "no", "fine meal", "FINE  meal.", 'three\nlines, "quoted"']
    items: list[object] = [{"body": text, "stars": "4.5"} for text in texts]
    items += [{"body": "no stars here", "stars": None}, {"body": "nor here"}, {"body": "<a b='" * 4000, "stars": 1}]
    found = review_pages.gather(one_page(site, items), ReviewFields("body", "stars", min_length=3), tmp_path, QUICK)
    assert [review.text for review in found.reviews] == ["好吃！", "fine meal", 'three lines, "quoted"']
    assert found.left_out == {"repeated": 2, "empty": 3, "too short": 1, "without stars": 2, "too long": 1}
    assert review_pages.read_reviews(tmp_path) == found.reviews


@pytest.mark.parametrize(
    ("html", "text"),
    [
        pytest.param("<p>One</p><p>two<br/>three</p>", "One two three", id="breaks"),
        pytest.param("a &lt;b&gt; &amp;amp; &#20320;&nbsp;x", "a <b> &amp; 你 x", id="entities"),
        pytest.param("<style>p{}</style>x<script>if (a<b) {}</script>", "x", id="what is not shown"),
        pytest.param("5 < 6 and 7 > 3, I <3 it", "5 < 6 and 7 > 3, I <3 it", id="no tags"),
        pytest.param("wo<b>r</b>d <!-- secret -->!", "word !", id="inside a word"),
        pytest.param("<![if !x]>a<![endif]>b <![foo[ c", "a b", id="marked sections"),
        pytest.param("a\ud800b", "ab", id="half a character"),
        pytest.param("a\u200bb\u202e\ufeffc\u3000d\x00", "abc d", id="invisible"),
    ],
)
def test_html_becomes_text(html: str, text: str) -> None:
    assert plain_text.from_html(html) == text


@given(st.text(max_size=100) | st.text("<>![]-/?&;='\" ax", max_size=60))
def test_cleaned_text_has_single_blanks_and_no_controls(text: str) -> None:
    cleaned = plain_text.from_html(text)
    assert cleaned == " ".join(cleaned.split())
    assert not any(ord(character) < 32 for character in cleaned)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"<html><title>Sign in</title>", "is a page of HTML titled 'Sign in', expected JSON; .*--referer", id="HTML"),
        pytest.param(b'[{"a": 1', "is no JSON .*it begins", id="cut off"),
        pytest.param(b"", "is empty, expected JSON", id="empty"),
        pytest.param(b"[NaN]", "NaN is no number of JSON", id="NaN"),
        pytest.param(b"[1" + b"0" * 9999 + b"]", "is no JSON|list of other things", id="a number of ten thousand digits"),
        pytest.param(
            b'{"data": {"list": [{}]}}', "the page is an object, expected a list of objects; there are lists at data.list", id="inside"
        ),
        pytest.param(b"[1, 2]", "a list of other things than objects", id="numbers"),
        pytest.param(b"7", "the page is a number", id="a number"),
    ],
)
def test_what_is_no_page_of_items_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        items_of(content, "", "http://x")


def test_a_path_leads_into_objects_and_lists() -> None:
    assert encoded.pick({"a": [{"b": 1}]}, "a.0.b") == 1
    assert encoded.pick({"a": [{"b": 1}]}, "a.1.b") is None
    assert encoded.pick({"a": 1}, "a.b") is None


def test_a_misspelt_field_is_told(site: Site, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no item has a field 'boddy', they have body, day, id, stars; name the right one"):
        review_pages.gather(reviews(site), ReviewFields("boddy", "stars"), tmp_path, QUICK)
    with pytest.raises(InputError, match="'stars' is list, expected a number; name another --stars-field"):
        review_pages.gather(one_page(site, [{"body": "a", "stars": [1]}]), ReviewFields("body", "stars"), tmp_path / "b", QUICK)
    with pytest.raises(InputError, match=r"no review is left \(1 empty\)"):
        review_pages.gather(one_page(site, [{"body": "<p>", "stars": 1}]), ReviewFields("body", "stars"), tmp_path / "c", QUICK)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param("text,star\na,1\n", "stars is missing", id="a column"),
        pytest.param("text,stars\na,many\n", "row 2, column stars: 'many' is no number", id="a word for stars"),
        pytest.param("text,stars\na,b,1\n", "row 2: has another number of cells", id="a comma in a text"),
        pytest.param("text,stars\n,1\n", "row 2, column text: is empty", id="no text"),
    ],
)
def test_a_table_of_reviews_that_is_not_right_is_told(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "r.csv").write_text(content)
    with pytest.raises(InputError, match=words):
        review_pages.read_reviews(tmp_path / "r.csv")
