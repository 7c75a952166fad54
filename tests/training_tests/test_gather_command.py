"""`tandem data gather` as a person runs it: interrupted, killed, twice at once, told and in JSON."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge import cli
from edge.errors import InputError, SetupError, UsageError
from tests.training_tests.gather_site import Site, running
from training import data_commands
from training.data.gather.store import open_gathering

QUICK = ("--pause", "0", "--backoff", "0.01")


@pytest.fixture
def site() -> Iterator[Site]:
    with running() as site:
        yield site


@pytest.fixture
def gather() -> Callable[..., int]:
    """Runs `tandem data gather` with the words given; an error of Tandem propagates."""

    def call(*words: str) -> int:
        parser = argparse.ArgumentParser()
        data_commands.add_arguments(parser)
        return data_commands.run(parser.parse_args(["gather", *words, *QUICK]))

    return call


def reviews(site: Site, into: Path) -> list[str]:
    fields = ["--items", "reviews", "--text-field", "body", "--stars-field", "stars", "--id-field", "id"]
    return ["reviews", f"{site.url}/reviews?page={{page}}", "--into", str(into), *fields]


def started(words: list[str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "edge", "data", "gather", *words, "--pause", "0.03"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(site: Site, pages: int) -> None:
    deadline = time.monotonic() + 30
    while len(site.paths()) < pages and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(site.paths()) >= pages


def test_reviews_for_people_and_machines(
    site: Site, tmp_path: Path, gather: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert gather(*reviews(site, tmp_path)) == 0
    told = capsys.readouterr().out
    assert f"12 reviews in {tmp_path / 'reviews.csv'} (5 requests); page 4 is empty" in told
    assert "stars: 1: 3, 2: 3, 3: 2, 4: 2, 5: 2" in told
    assert gather(*reviews(site, tmp_path), "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["reviews"], facts["requests"], facts["stars"]["5"]) == (12, 0, 2)


def test_pictures_for_people_and_machines(
    site: Site, tmp_path: Path, gather: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["pictures", f"{site.url}/pictures?page={{page}}", "--into", str(tmp_path), "--items", "data.items"]
    assert gather(*words, "--url-field", "image.url", "--label-field", "what", "--pages", "2") == 0
    told = capsys.readouterr().out
    assert f"8 pictures in {tmp_path}, 8 of them new (11 requests); 2 pages, as many as asked for" in told
    assert gather(*words, "--url-field", "image.url", "--label-field", "what", "--pages", "2", "--json") == 0
    assert json.loads(capsys.readouterr().out)["labels"] == {"cat": 4, "dog": 4}


def test_stock_for_people_and_machines(site: Site, tmp_path: Path, gather: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "stock-months",
        f"{site.url}/stock.csv?y={{year}}&m={{month}}",
        "--into",
        str(tmp_path),
        "--from",
        "2024-01",
        "--to",
        "2024-02",
    ]
    assert gather(*words) == 0
    told = capsys.readouterr().out
    assert f"4 days, 2024-01-02 to 2024-02-04, in {tmp_path}: open, high, low, close, transactions (3 requests)" in told
    assert gather(*words, "--json") == 0
    assert json.loads(capsys.readouterr().out)["no_trade"] == ["2024-01-03", "2024-02-03"]


def test_headers_and_referer_are_sent(site: Site, tmp_path: Path, gather: Callable[..., int]) -> None:
    site.referer = "http://example.org/list"
    with pytest.raises(InputError, match="HTTP 403 .*--referer"):
        gather(*reviews(site, tmp_path))
    assert gather(*reviews(site, tmp_path), "--referer", site.referer, "--header", "X-Key: a:b", "--user-agent", "mine/1 (me)") == 0
    assert (site.asked[-1].headers["X-Key"], site.asked[-1].headers["User-Agent"]) == ("a:b", "mine/1 (me)")
    with pytest.raises(UsageError, match="--header 'X': expected 'Name: value'"):
        gather(*reviews(site, tmp_path), "--header", "X")


def test_a_killed_gathering_goes_on_where_it_was(site: Site, tmp_path: Path) -> None:
    site.pages = 30
    process = started(reviews(site, tmp_path))
    wait_for(site, 8)
    process.kill()
    process.communicate()
    had = {json.loads(line)["key"].removeprefix(f"page {site.url}") for line in (tmp_path / ".gather/index.jsonl").read_text().splitlines()}
    assert 6 <= len(had) < 30
    before = len(site.asked)
    process = started(reviews(site, tmp_path))
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "120 reviews" in out
    later = [one.path for one in site.asked[before:] if one.path != "/robots.txt"]
    assert not had & set(later), "a page that had come was asked for again"
    assert sum(count - 1 for count in Counter(site.paths()).values()) <= 1, "only the page under way may be asked for twice"
    assert not list(tmp_path.rglob("*.partial"))


@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_gathering_says_how_to_go_on(site: Site, tmp_path: Path, way: signal.Signals) -> None:
    site.pages = 1000
    process = started(reviews(site, tmp_path))
    wait_for(site, 4)
    os.kill(process.pid, way)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert f"what has come is kept in {tmp_path}: run the same command again to go on" in err
    assert "Traceback" not in err
    assert not list(tmp_path.rglob("*.partial"))


def test_two_processes_do_not_share_a_folder(site: Site, tmp_path: Path, gather: Callable[..., int]) -> None:
    with (
        open_gathering(tmp_path, {}),
        pytest.raises(UsageError, match=f"process {os.getpid()} gathers into it at this moment; wait for it"),
    ):
        gather(*reviews(site, tmp_path))
    assert site.asked == []


def test_another_gathering_is_not_mixed_in(site: Site, tmp_path: Path, gather: Callable[..., int]) -> None:
    gather(*reviews(site, tmp_path))
    words = ["stock-months", f"{site.url}/stock.csv?y={{year}}&m={{month}}", "--into", str(tmp_path), "--from", "2024-01"]
    with pytest.raises(UsageError, match="holds another gathering, kind reviews, url .* choose another --into"):
        gather(*words)


@pytest.mark.parametrize("tail", ['{"key": "page', '{"key": "page http://x"'], ids=["in a word", "before the end"])
def test_a_torn_last_line_is_cut_off(tmp_path: Path, tail: str) -> None:
    with open_gathering(tmp_path, {}) as gathering:
        gathering.keep("a", "a.json", b"1")
    index = tmp_path / ".gather" / "index.jsonl"
    whole = index.read_text()
    index.write_text(whole + tail)
    with open_gathering(tmp_path, {}) as gathering:
        assert gathering.content("a") == b"1"
        gathering.note("b", left_out="x")
    assert index.read_text() == whole + '{"key": "b", "left_out": "x"}\n'


@pytest.mark.parametrize("line", ["nonsense", "[]", '{"key": 1}', '{"key": "a", "file": "../x", "sha256": "0"}', '{"key": "a", "file": 5}'])
def test_an_altered_index_is_told(tmp_path: Path, line: str) -> None:
    (tmp_path / ".gather").mkdir()
    (tmp_path / ".gather" / "index.jsonl").write_text(line + "\n")
    with pytest.raises(InputError, match=r"line 1: is no record of a gathering; remove the line"), open_gathering(tmp_path, {}):
        pass


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError, match="cannot be written"), open_gathering(tmp_path / "file" / "x", {}):
        pass


def test_a_full_disk_keeps_what_came(site: Site, tmp_path: Path, gather: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync
    calls = iter(range(1000))

    def full(descriptor: int) -> None:
        if next(calls) == 9:
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SetupError, match="No space left on device"):
        gather(*reviews(site, tmp_path))
    monkeypatch.undo()
    had = len((tmp_path / ".gather" / "index.jsonl").read_text().splitlines())
    assert had >= 1
    assert gather(*reviews(site, tmp_path)) == 0
    assert len(site.paths()) <= 4 + 1


@pytest.mark.parametrize("kind", [[], ["stock-months"], ["pictures"], ["reviews"]])
def test_help_says_what_happens(kind: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["data", "gather", *kind, "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "Nothing is asked of any site but the one whose URL you give" in shown
    assert "run the same command again to go on" in shown


def test_exit_codes(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def code(url: str, *words: str) -> int:
        into = ["--into", str(tmp_path / str(len(site.asked)))]
        return cli.main(
            ["data", "gather", "reviews", url, *into, "--text-field", "a", "--stars-field", "b", *QUICK, "--retries", "0", *words]
        )

    assert code("ftp://x") == 2
    assert code(f"{site.url}/reviews", "--pause", "-1") == 2
    assert code(f"{site.url}/reviews") == 7
    assert code("http://127.0.0.1:9/x") == 6
    assert code(f"{site.url}/reviews", "--max-requests", "1") == 6
    assert "Traceback" not in capsys.readouterr().err
