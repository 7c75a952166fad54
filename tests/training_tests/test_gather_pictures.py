"""Gathering pictures: labels, manifest, other hosts, what is left out, what hostile sites send."""

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edge.errors import InputError, TandemError, TooLargeError, UsageError
from tests.training_tests.gather_site import Site, bomb, picture, running
from training.data.gather import picture_check, picture_pages
from training.data.gather.addresses import host_of
from training.data.gather.json_pages import Paging
from training.data.gather.manners import Manners, NotAllowedError, RefusedError, UnavailableError
from training.data.gather.picture_pages import PictureFields

QUICK = Manners(pause_s=0, backoff_s=0.01, retries=2, max_requests=100)
CAT = PictureFields("url", label="cat")


@pytest.fixture
def site() -> Iterator[Site]:
    with running() as site:
        yield site


def pictures(site: Site) -> Paging:
    return Paging(f"{site.url}/pictures?page={{page}}", "data.items")


def one_page(site: Site, items: list[object]) -> Paging:
    """The site has one page, of these items."""
    site.answers["/one"] = (200, {}, json.dumps(items).encode())
    return Paging(f"{site.url}/one")


def test_pictures_come_with_labels_and_a_manifest(site: Site, tmp_path: Path) -> None:
    site.referer = "http://example.org/"
    fields = PictureFields("image.url", label_field="what")
    done = picture_pages.gather(pictures(site), fields, tmp_path, replace(QUICK, referer=site.referer))
    assert (done.labels, done.new, done.left_out) == ({"cat": 6, "dog": 6}, 12, {})
    with (tmp_path / "manifest.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        number = int(row["source"].split("/")[-1].split(".")[0])
        assert (tmp_path / row["file"]).read_bytes() == picture(number)
        assert row["label"] == ("cat" if number % 2 else "dog")
        assert row["file"].startswith(f"{row['label']}/")
        assert row["file"].endswith(".png"), "the type is that of the content, not of the name"
    asked = len(site.paths())
    again = picture_pages.gather(pictures(site), fields, tmp_path, QUICK)
    assert (again.new, again.requests, len(site.paths())) == (0, 0, asked)
    next(tmp_path.glob("cat/*.png")).unlink()
    again = picture_pages.gather(pictures(site), fields, tmp_path, replace(QUICK, referer=site.referer))
    assert (again.new, again.labels, len(site.paths())) == (1, {"cat": 6, "dog": 6}, asked + 1), "a lost picture is asked for again"


def test_a_forbidden_site_ends_at_once_and_names_the_referer(site: Site, tmp_path: Path) -> None:
    paging = one_page(site, [{"url": f"/picture/{n}"} for n in range(9)])
    site.troubles = ["ok", *["403"] * 9]
    with pytest.raises(RefusedError, match="HTTP 403 .*--referer"):
        picture_pages.gather(paging, CAT, tmp_path, QUICK)
    assert len(site.paths()) == 2


def test_what_is_no_picture_is_left_out(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site.answers["/bomb.png"] = (200, {}, bomb())
    site.answers["/huge.png"] = (200, {}, bytes(200_000))
    site.answers["/page.png"] = (200, {"Content-Type": "image/png"}, b"<html>")
    site.answers["/half.png"] = (200, {}, picture(1)[:200])
    site.answers["/away"] = (302, {"Location": "file:///etc/hostname"}, b"")
    site.answers["/none.png"] = (404, {}, b"")
    site.answers["/photo"] = (200, {"Content-Type": "text/html"}, picture(2, "JPEG", 40))
    site.answers["/moving"] = (200, {}, picture(3, "GIF"))
    site.answers["/again"] = (200, {}, picture(2, "JPEG", 40))
    names = ["bomb.png", "huge.png", "page.png", "half.png", "none.png", "photo", "moving", "again"]
    links = [5, "", "data:image/png;base64,xx", "http://[", "/\ud800", "/away"]
    items: list[object] = [*({"url": link} for link in [*(f"/{name}" for name in names), *links]), {"other": 1}]
    paging = one_page(site, items)
    done = picture_pages.gather(paging, CAT, tmp_path, replace(QUICK, max_bytes=100_000))
    assert done.labels == {"cat": 2}
    assert sorted(path.suffix for path in (tmp_path / "cat").iterdir()) == [".jpg", ".png"]
    assert done.left_out == {
        "too large": 2,
        "no picture, or damaged": 2,
        "refused by the site (HTTP 404)": 1,
        "refused by the site (HTTP 302)": 1,
        "the same picture twice": 1,
        "without an address": 3,
        "without a usable address or label": 3,
    }
    assert "bomb.png: has 12000×12000 pixels, expected at most 25,000,000" in capsys.readouterr().err
    asked = len(site.paths())
    assert picture_pages.gather(paging, CAT, tmp_path, QUICK).requests == 0
    assert len(site.paths()) == asked
    with pytest.raises(InputError, match=r"12000×12000"):
        picture_pages.gather(paging, replace(CAT, strict=True), tmp_path / "strict", QUICK)


@pytest.mark.parametrize("label", ["../../out", "/etc", "a/b", "..", "", ".hidden", "x" * 65, "a\0b", "a\\b", "\n"])
def test_a_label_that_leads_out_of_the_folder_is_not_used(site: Site, tmp_path: Path, label: str) -> None:
    site.answers["/ok.png"] = (200, {}, picture(1))
    paging = one_page(site, [{"url": "/ok.png", "what": label}, {"url": "/ok.png", "what": "貓 1"}])
    done = picture_pages.gather(paging, PictureFields("url", label_field="what"), tmp_path / "in", QUICK)
    assert done.labels == {"貓 1": 1}
    assert sorted(path.name for path in tmp_path.rglob("*.png")) == [next((tmp_path / "in" / "貓 1").iterdir()).name]


def test_pictures_of_other_hosts_are_asked_only_where_allowed(site: Site, tmp_path: Path) -> None:
    with running() as other:
        paging = one_page(site, [{"url": f"{other.url}/picture/1"}, {"url": f"{other.url}/picture/2"}])
        with pytest.raises(UsageError, match=f"no picture came: .*allow it with --allow-host {host_of(other.url)}"):
            picture_pages.gather(paging, CAT, tmp_path, QUICK)
        assert other.asked == []
        manners = replace(QUICK, allowed_hosts=frozenset({host_of(other.url)}))
        assert picture_pages.gather(paging, CAT, tmp_path, manners).labels == {"cat": 2}
        site.robots = "User-agent: *\nDisallow: /one"
        with pytest.raises(NotAllowedError, match="robots.txt"):
            picture_pages.gather(paging, CAT, tmp_path / "b", manners)


def test_a_picture_that_cannot_be_had_now_is_asked_for_next_time(site: Site, tmp_path: Path) -> None:
    paging = one_page(site, [{"url": f"/picture/{n}"} for n in range(4)])
    site.troubles = ["ok", "ok", "500", "500", "500"]
    done = picture_pages.gather(paging, CAT, tmp_path, QUICK)
    assert (done.labels, done.left_out) == ({"cat": 3}, {"not to be had this time": 1})
    assert picture_pages.gather(paging, CAT, tmp_path, QUICK).labels == {"cat": 4}
    site.troubles = ["ok", *["500"] * 99]
    with pytest.raises(UnavailableError, match="HTTP 500"):
        picture_pages.gather(paging, CAT, tmp_path / "down", QUICK)
    assert 99 - len(site.troubles) == 9, "three pictures in a row, three times each"


def test_two_labels_share_a_folder(site: Site, tmp_path: Path) -> None:
    picture_pages.gather(replace(pictures(site), max_pages=1), replace(CAT, url="image.url"), tmp_path, QUICK)
    site.answers["/dog.png"] = (200, {}, picture(99))
    dogs = one_page(site, [{"url": "/dog.png"}, {"url": "/picture/1?x"}])
    done = picture_pages.gather(dogs, PictureFields("url", label="dog"), tmp_path, QUICK)
    assert done.labels == {"cat": 4, "dog": 1}
    assert done.left_out == {"the same picture twice under another label": 1}


def test_pictures_need_one_way_to_a_label() -> None:
    for labels in ({}, {"label": "a", "label_field": "b"}, {"label": "../x"}):
        with pytest.raises(UsageError, match="label"):
            PictureFields("url", **labels)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_what_is_written_is_a_picture_of_its_suffix(tmp_path: Path, form: str) -> None:
    checked = picture_check.check(picture(5, form, 30), 900)
    path = tmp_path / f"x.{checked.suffix}"
    path.write_bytes(checked.content)
    with Image.open(path) as read:
        assert {"png": "PNG", "jpg": "JPEG"}[checked.suffix] == read.format
        assert read.size == (checked.width, checked.height) == (30, 30)
    with pytest.raises(TooLargeError, match="has 30×30 pixels, expected at most 899"):
        picture_check.check(picture(5, form, 30), 899)


@given(st.binary(max_size=200) | st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=8)).map(lambda at: _spoilt(*at)))
def test_any_bytes_are_a_picture_or_refused_in_words(content: bytes) -> None:
    try:
        width = picture_check.check(content, 10_000).width
    except TandemError:
        return
    assert width > 0


def _spoilt(at: int, by: bytes) -> bytes:
    content = picture(1)
    return content[:at] + by + content[at + len(by) :]
