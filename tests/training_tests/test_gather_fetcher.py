"""The polite fetcher against a site on this machine: pauses, patience, limits, robots.txt, redirects."""

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from edge.errors import InputError, SetupError, TooLargeError, UsageError
from tests.training_tests.gather_site import Site, running
from training.data.gather.addresses import checked, fill, host_of
from training.data.gather.manners import LimitReachedError, Manners, NotAllowedError, RefusedError, UnavailableError
from training.data.gather.polite import Fetcher
from training.data.gather.waiting import Pace, retry_after

QUICK = {"pause_s": 0.0, "backoff_s": 0.01, "timeout_s": 5.0}


@pytest.fixture
def site() -> Iterator[Site]:
    with running() as site:
        yield site


@pytest.fixture
def fetcher(site: Site) -> Callable[..., Fetcher]:
    """Makes a fetcher for the site that hardly waits, unless told otherwise."""
    return lambda **settings: Fetcher(site.url, Manners(**{**QUICK, **settings}))


def test_a_page_comes_with_who_asks_in_the_headers(site: Site, fetcher: Callable[..., Fetcher]) -> None:
    asking = fetcher(referer="http://example.org/x", headers={"X-Key": "1"})
    page = asking.get(f"{site.url}/reviews?page=1")
    assert b"reviews" in page.content
    headers = site.asked[-1].headers
    assert headers["User-Agent"].startswith("tandem-gather/")
    assert (headers["Referer"], headers["X-Key"]) == ("http://example.org/x", "1")
    assert asking.requests == len(site.asked) == 2  # robots.txt first


def test_nothing_is_asked_before_the_first_page(site: Site, fetcher: Callable[..., Fetcher]) -> None:
    assert fetcher().requests == 0
    assert site.asked == []


def test_there_is_a_pause_between_requests(site: Site, fetcher: Callable[..., Fetcher]) -> None:
    asking = fetcher(pause_s=0.05)
    for number in range(4):
        asking.get(f"{site.url}/reviews?page={number}")
    pauses = [later.at - earlier.at for earlier, later in zip(site.asked, site.asked[1:], strict=False)]
    assert len(pauses) == 4
    assert min(pauses) >= 0.05


def test_pauses_differ_and_are_the_same_for_one_seed() -> None:
    def waits(seed: int) -> list[float]:
        pace = Pace(0.0, 0.5, seed)
        return [pace.back_off(1.0, attempt) for attempt in (1, 2, 3)]

    assert waits(3) == waits(3) != waits(4)
    assert all(base <= wait <= 1.5 * base for base, wait in zip((1, 2, 4), waits(0), strict=True))


@pytest.mark.parametrize("trouble", ["500", "503", "429", "drop", "cut"])
def test_trouble_is_tried_again(site: Site, fetcher: Callable[..., Fetcher], trouble: str) -> None:
    site.troubles = [trouble, trouble]
    assert b"reviews" in fetcher().get(f"{site.url}/reviews").content
    assert len(site.paths()) == 3


def test_silence_and_dripping_are_tried_again(site: Site, fetcher: Callable[..., Fetcher]) -> None:
    site.troubles, site.slow_s = ["slow", "drip"], 1.0
    assert b"reviews" in fetcher(timeout_s=0.6, request_s=1.0).get(f"{site.url}/reviews").content
    assert len(site.paths()) == 3


def test_waits_double(site: Site, fetcher: Callable[..., Fetcher]) -> None:
    site.troubles = ["500"] * 3
    fetcher(backoff_s=0.05, jitter=0).get(f"{site.url}/reviews")
    times = [one.at for one in site.asked[1:]]
    waits = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert all(wait >= least for wait, least in zip(waits, (0.05, 0.1, 0.2), strict=True))


def test_patience_ends(site: Site, fetcher: Callable[..., Fetcher]) -> None:
    site.troubles = ["500"] * 9
    with pytest.raises(UnavailableError, match=r"HTTP 500 .*asked 3 times; run it again later, what has come is kept"):
        fetcher(retries=2).get(f"{site.url}/reviews")
    assert len(site.paths()) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 418])
def test_a_no_is_not_tried_again(site: Site, fetcher: Callable[..., Fetcher], status: int) -> None:
    site.troubles = [str(status)] * 2
    with pytest.raises(RefusedError, match=f"HTTP {status} .*expected the page; ") as caught:
        fetcher().get(f"{site.url}/reviews")
    assert caught.value.status == status
    assert len(site.paths()) == 1


def test_the_server_says_how_long_to_wait(site: Site, fetcher: Callable[..., Fetcher]) -> None:
    site.least_pause_s, site.retry_after = 0.9, "1"
    asking = fetcher()
    asking.get(f"{site.url}/reviews")  # 429, as robots.txt was asked just before
    first, second = (one.at for one in site.asked[1:])
    assert second - first >= 1


def test_a_longer_wait_than_allowed_ends_the_run(site: Site, fetcher: Callable[..., Fetcher]) -> None:
    site.troubles, site.retry_after = ["503"], "3600"
    with pytest.raises(SetupError, match=r"asks to wait 3600 s, longer than 120 s \(--longest-wait\); run it again then"):
        fetcher().get(f"{site.url}/reviews")
    assert len(site.paths()) == 1


NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        pytest.param("7", 7.0, id="seconds"),
        pytest.param(format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0, id="a date"),
        pytest.param(format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0.0, id="a date that has passed"),
        pytest.param(None, None, id="none"),
        pytest.param("soon", None, id="a word"),
        pytest.param("-5", None, id="negative"),
        pytest.param("9" * 400, None, id="an endless number"),
    ],
)
def test_retry_after_is_read(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds


@pytest.mark.parametrize("declared", [True, False], ids=["told in the header", "not told"])
def test_a_huge_answer_is_not_read(site: Site, fetcher: Callable[..., Fetcher], declared: bool) -> None:
    headers = {} if declared else {"Content-Length": "x"}
    site.answers["/huge"] = (200, headers, bytes(300_000))
    with pytest.raises(TooLargeError, match=r"larger than 100,000 bytes \(--max-mb\)"):
        fetcher(max_bytes=100_000).get(f"{site.url}/huge")


def test_an_unasked_packing_is_not_unpacked(site: Site, fetcher: Callable[..., Fetcher]) -> None:
    site.answers["/packed"] = (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b")
    with pytest.raises(InputError, match="came packed as 'gzip'"):
        fetcher().get(f"{site.url}/packed")


def test_the_number_of_requests_is_limited(site: Site, fetcher: Callable[..., Fetcher]) -> None:
    asking = fetcher(max_requests=3)
    asking.get(f"{site.url}/reviews?page=1")
    asking.get(f"{site.url}/reviews?page=2")
    with pytest.raises(LimitReachedError, match=r"stopped after 3 requests \(--max-requests\); what has come is kept"):
        asking.get(f"{site.url}/reviews?page=3")
    assert len(site.asked) == 3


def test_the_time_is_limited(site: Site, fetcher: Callable[..., Fetcher]) -> None:
    asking = fetcher(max_seconds=60)
    asking.get(f"{site.url}/reviews?page=1")
    asking._started -= 61
    with pytest.raises(LimitReachedError, match="--max-minutes"):
        asking.get(f"{site.url}/reviews?page=2")


def test_robots_are_kept(site: Site, fetcher: Callable[..., Fetcher]) -> None:
    site.robots = "User-agent: tandem-gather\nDisallow: /reviews\nCrawl-delay: 1\n"
    asking = fetcher()
    with pytest.raises(NotAllowedError, match=r"robots.txt forbids it to programs such as 'tandem-gather'"):
        asking.get(f"{site.url}/reviews")
    assert site.paths() == []
    asking.get(f"{site.url}/pictures")
    asking.get(f"{site.url}/pictures")
    assert site.asked[2].at - site.asked[1].at >= 1, "the crawl delay"
    assert [one.path for one in site.asked].count("/robots.txt") == 1


def test_redirects_are_followed_on_the_same_host_only(site: Site, fetcher: Callable[..., Fetcher]) -> None:
    site.answers["/old"] = (302, {"Location": "/reviews?page=2"}, b"")
    assert fetcher().get(f"{site.url}/old").url == f"{site.url}/reviews?page=2"
    with running() as other:
        site.answers["/away"] = (301, {"Location": f"{other.url}/reviews"}, b"")
        with pytest.raises(NotAllowedError, match=rf"{host_of(other.url)}.*redirects there.*allow it with --allow-host"):
            fetcher().get(f"{site.url}/away")
        assert other.asked == []
        allowed = fetcher(allowed_hosts=frozenset({host_of(other.url)}), headers={"X-Key": "secret"})
        assert b"reviews" in allowed.get(f"{site.url}/away").content
        assert all("X-Key" not in one.headers for one in other.asked), "a header went to a host that it was not meant for"


@pytest.mark.parametrize("place", ["file:///etc/hostname", "ftp://127.0.0.1/x", "javascript:1", "http://[", "http://a:b@x/"])
def test_redirects_lead_to_no_other_scheme(site: Site, fetcher: Callable[..., Fetcher], place: str) -> None:
    site.answers["/out"] = (302, {"Location": place}, b"")
    with pytest.raises(RefusedError, match="redirects to what is no page"):
        fetcher().get(f"{site.url}/out")


def test_redirects_in_a_circle_end(site: Site, fetcher: Callable[..., Fetcher]) -> None:
    site.answers["/circle"] = (302, {"Location": "/circle"}, b"")
    with pytest.raises(RefusedError, match="more than 5 redirects"):
        fetcher().get(f"{site.url}/circle")
    assert len(site.paths()) == 6


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://x/y", "no address", "http://", "http://a:b@x/", "http://x:99999/", "http://x/\ny", "http://x/\\y"]
)
def test_only_plain_addresses_are_asked(url: str) -> None:
    with pytest.raises(UsageError, match="URL"):
        checked(url)


def test_addresses_are_written_in_ascii() -> None:
    assert checked("http://bücher.example/a b/日?q=開 1#part") == "http://xn--bcher-kva.example/a%20b/%E6%97%A5?q=%E9%96%8B%201"
    assert checked("https://X.example/%E6?a=b&c={}") == "https://x.example/%E6?a=b&c=%7B%7D"


def test_templates_take_known_placeholders_only() -> None:
    assert fill("http://x/{year}{month}01", {"year": "2024", "month": "02"}) == "http://x/20240201"
    with pytest.raises(UsageError, match=r"placeholder \{yaer\}, expected one of \{year\}"):
        fill("http://x/{yaer}", {"year": "2024"})


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"pause_s": -1}, id="a negative pause"),
        pytest.param({"timeout_s": float("nan")}, id="no number"),
        pytest.param({"max_requests": 0}, id="no request"),
        pytest.param({"headers": {"A": "b\r\nEvil: 1"}}, id="a header of two lines"),
        pytest.param({"headers": {"A b": "c"}}, id="a name with a blank"),
        pytest.param({"user_agent": ""}, id="nobody asks"),
    ],
)
def test_unusable_manners_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Manners(**settings)


def test_a_host_that_is_not_there_is_told() -> None:
    with pytest.raises(UnavailableError, match="no answer"):
        Fetcher("http://127.0.0.1:9", Manners(**QUICK, retries=0)).get("http://127.0.0.1:9/x")
