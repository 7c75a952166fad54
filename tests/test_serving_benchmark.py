"""The benchmark of serving, without its peers: its sums, its tables and pictures, its client against a small server."""

import math
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from benchmarks.serving import contenders, environments, goals, page, plan, questions, tables
from benchmarks.serving.connections import answer_length
from benchmarks.serving.figures import percentile, slope, spread
from benchmarks.serving.load import Load, closed_loop, open_loop
from benchmarks.serving.pictures import Bar, bars
from benchmarks.serving.questions import JPEG, JSON, RAW, Question, request
from benchmarks.serving.results import Results, read

TITLES = {"tandem": "Tandem", "starlette": "Starlette", "mosec": "mosec", "mosec_16": "mosec, batch 16"}


class Handler(BaseHTTPRequestHandler):
    """Answers 200, and every fourth request with 503."""

    protocol_version = "HTTP/1.1"
    asked = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        Handler.asked += 1
        content = b"x" * 100_000
        self.send_response(503 if Handler.asked % 4 == 0 else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Takes many connections at once, and is silent about callers that leave."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    server = Server(("127.0.0.1", 0), Handler)
    Handler.asked = 0
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_closed_loop_counts_every_answer(port: int) -> None:
    load = closed_loop(port, request(("/infer", b"y" * 300_000, {})), 3, 0.3, settle=0.0)
    assert len(load.latencies) == load.statuses[200] > 10
    assert load.refused == load.statuses[503] > 2
    assert Handler.asked - 3 <= sum(load.statuses.values()) <= Handler.asked
    assert all(0 < latency < 5 for latency in load.latencies)
    assert load.rate == pytest.approx(load.statuses[200] / 0.3, rel=0.2)


def test_an_open_loop_keeps_its_schedule(port: int) -> None:
    start = time.perf_counter()
    load = open_loop(port, request(("/infer", b"y", {})), 200, 0.3, 50)
    assert time.perf_counter() - start < 3
    assert sum(load.statuses.values()) == 60 == Handler.asked
    assert load.unsent == 0


def test_an_open_loop_says_what_it_could_not_send(port: int) -> None:
    load = open_loop(port, request(("/infer", b"y", {})), 20_000, 0.05, 1)
    assert load.unsent > 0
    assert sum(load.statuses.values()) + load.unsent == 1000


@pytest.mark.parametrize(
    ("data", "length"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-", -1, id="half a head"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12", 43, id="half a body"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", -1, id="chunks to come"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", 59, id="the last chunk"),
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", 27, id="no body"),
    ],
)
def test_the_length_of_an_answer_is_told_from_its_head(data: bytes, length: int) -> None:
    assert answer_length(data) == length


@pytest.mark.parametrize(
    ("count", "share", "expected"),
    [
        pytest.param(100, 0.5, 50, id="median"),
        pytest.param(100, 0.99, 99, id="p99"),
        pytest.param(99, 0.99, None, id="too few for p99"),
        pytest.param(999, 0.999, None, id="too few for p99.9"),
        pytest.param(1000, 0.999, 999, id="p99.9"),
        pytest.param(0, 0.5, None, id="nothing"),
    ],
)
def test_percentiles_are_told_where_values_lie_beyond(count: int, share: float, expected: int | None) -> None:
    assert percentile(list(range(1, count + 1)), share) == expected


def test_spread_and_slope() -> None:
    found = spread([4.0, 1.0, 3.0])
    assert (found.median, found.low, found.high, found.share) == (3.0, 1.0, 4.0, 0.5)
    assert slope([0, 1, 2, 3], [5, 7, 9, 11]) == pytest.approx(2)
    assert slope([1, 1], [2, 3]) == 0


@pytest.fixture
def results() -> Results:
    """Two rounds, in which Tandem is twice as fast as Starlette and as fast as the better mosec."""
    about: dict[str, Any] = {"titles": TITLES, "notes": dict.fromkeys(TITLES, "as it comes"), "rounds": 2, "seconds": 1.0, "minutes": 2.0}
    about |= {
        "device": "cpu",
        "gpu": "",
        "processor": "a processor",
        "processors": 2,
        "memory_gib": 8,
        "system": "Linux 6",
        "python": "3.11",
    }
    made = Results({**about, "load_before": 0.1, "when": "2030-01-01", "versions": {"numpy": "2"}}, missing={"ray": "pip failed"})
    for name, rate in (("tandem", 200), ("starlette", 100), ("mosec", 50), ("mosec_16", 200)):
        for count in (1, 8, 32):
            for faster in (1.0, 1.1):
                latencies = [0.001] * int(rate * faster)
                made.add(name, f"small binary {count}", Load(1.0, [*latencies, 0.002, 0.002, 0.002]), 0.01)
        made.add_server(name, "small", ready_s=1.0, resident=100e6, proportional=90e6, resident_after=110e6)
    made.add_limit("small", {"raw 1": 400.0})
    made.overload["small"] = {"seconds": 1.0, "deadline_ms": 100, "peak": 100.0, "offered": 200.0, "goodput": 95.0, "late": 1, "unsent": 5}
    made.overload["small"] |= {"statuses": {"200": 96, "429": 99}, "resident_before": 100, "resident_after": 103}
    return made


def test_ratios_are_formed_round_by_round_against_the_best_setting(results: Results) -> None:
    found, whom = goals.reached(results, goals.RATIOS[0], 8)
    assert found is not None
    assert (found.median, whom) == (pytest.approx(1.975, abs=0.02), "starlette")
    assert goals.reached(results, goals.RATIOS[1], 8)[1] == "mosec_16"
    assert goals.reached(results, goals.RATIOS[2], 8)[0] is None


def test_goals_are_judged(results: Results) -> None:
    met = {verdict.title: verdict.met for verdict in goals.others(results)}
    assert met["goodput over peak at twice the peak, small"] is True
    assert met["accepted and answered after the deadline, small"] is False
    assert met["p99 over p50, small model, json, 8 connections"] is None
    assert met["resident memory with the small model, MB"] is True


def test_tables_hold_every_contender_and_no_figure_that_was_not_measured(results: Results) -> None:
    text = tables.rates(results, "small", RAW)
    assert text.splitlines()[2].startswith("| **Tandem** | 21")
    assert text.count("\n") == 5
    assert tables.latencies(results, "small", RAW).splitlines()[2].split("|")[2].strip() == "1 / 2 / –"
    assert "not measured" in tables.ratios(results)
    assert "wanted ≥ 1.7: yes" in tables.ratios(results)
    assert "wanted ≥ 2.3: **no**" in tables.ratios(results)


def test_the_page_is_written_from_the_figures_alone(results: Results, tmp_path: Path) -> None:
    results.write(tmp_path / "figures.json")
    page.write(read(tmp_path / "figures.json"), tmp_path / "docs" / "performance.md")
    text = (tmp_path / "docs" / "performance.md").read_text(encoding="utf-8")
    assert "GPU: not measured." in text
    assert "- ray: pip failed" in text
    assert "None" not in text
    for link in ("serving-small-binary-32.svg", "serving-small-binary-1.svg"):
        assert f"(pictures/{link})" in text
        ElementTree.parse(tmp_path / "docs" / "pictures" / link)


def test_a_picture_draws_the_longest_bar_first() -> None:
    drawn = bars("a < b", "/s", [Bar("slow & steady", 1, 1, 1), Bar("quick", 3, 2, 4, True)])
    root = ElementTree.fromstring(drawn)
    widths = [float(rect.attrib["width"]) for rect in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert widths[0] == pytest.approx(3 * widths[1], rel=0.01)


def test_the_plan_fits_the_minutes() -> None:
    everyone, every = list(contenders.CONTENDERS.values()), plan.cases(["small", "mobilenet"], quick=False)
    each = plan.seconds_each(everyone, every, 3, 15)
    taking = [case for contender in everyone for model in ("small", "mobilenet") for case in plan.asked(contender, every, model)]
    assert 0.5 < each < 2
    assert 3 * each * sum(case.weight for case in taking) < 15 * 60
    assert plan.seconds_each(everyone, every, 3, 30) > 2 * each
    assert plan.seconds_each(everyone, every, 3, 1) == plan.LEAST_S


@pytest.fixture
def question() -> Question:
    logits = np.linspace(-1, 1, 10, dtype=np.float32)[None]
    return Question("small", np.arange(784, dtype=np.uint8).reshape(1, 28, 28, 1), b"\xff\xd8jpeg", logits, "class_0009")


@pytest.mark.parametrize("dialect", sorted({contender.dialect.__name__ for contender in contenders.CONTENDERS.values()}))
@pytest.mark.parametrize("kind", [RAW, JSON, JPEG])
def test_every_dialect_writes_a_whole_request(question: Question, dialect: str, kind: str) -> None:
    sent = request(getattr(questions, dialect)(question, kind), **{"X-Request-Timeout-Ms": "9"})
    head, _, content = sent.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /")
    assert f"Content-Length: {len(content)}".encode() in head
    assert b"X-Request-Timeout-Ms: 9" in head


def test_wrong_answers_are_told_from_right_ones(question: Question) -> None:
    right = question.logits[0].tolist()
    assert question.answered_by(RAW, b"{}" + question.logits.tobytes())
    assert question.answered_by(JSON, str({"shape": [1, 10], "data": right}).replace("'", '"').encode())
    assert question.answered_by(JPEG, b'[{"label": "class_0009"}]')
    assert not question.answered_by(RAW, (question.logits + 1).tobytes())
    assert not question.answered_by(JSON, str(right[:-1]).encode())
    assert not question.answered_by(JPEG, b'[{"label": "class_0008"}]')


def test_every_peer_is_pinned_and_none_needs_torch() -> None:
    pins = sorted(environments.PEERS.glob("*.txt"))
    assert len(pins) == 7
    for path in pins:
        lines = path.read_text(encoding="utf-8").splitlines()
        assert all(line.count("==") == 1 for line in lines), path.name
        assert not [line for line in lines if line.startswith("torch")], path.name
        assert (path.parent / f"{path.stem}_server.py").is_file()


def test_the_models_are_of_the_size_that_their_names_promise() -> None:
    from benchmarks.serving import graphs

    weights = sum(math.prod(tensor.dims) for tensor in graphs.mobilenet().graph.initializer)
    assert 3.4e6 < weights < 3.6e6
