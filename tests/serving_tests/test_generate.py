"""Texts as server-sent events: the same as on a device, refused before the start, told in an event after it, and never past a bound."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from edge.generation import Generation, Order, StepModel, written
from edge.model import Model
from serving.app import create_app
from serving.settings import Settings
from tests.edge_tests.step_models import contract, step, write_writer

PATH = "/generate/tiny_writer"
PLAN = StepModel.of(contract())


def expected(**order: Any) -> tuple[list[str], str]:
    generation = Generation(PLAN, Order.of(**order))
    return [piece.text for piece in written(step, generation)], generation.reason


def events(text: str) -> list[tuple[str, str, Any]]:
    """Take a stream apart: kind, id and data of each event."""
    found = []
    for block in text.split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        found.append((fields.get("event", "message"), fields.get("id", ""), json.loads(fields["data"])))
    return found


@pytest.fixture(scope="module")
def writers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("writers")
    write_writer(root)
    return root


@pytest.fixture(scope="module")
def writer(writers: Path, serve: Any) -> Iterator[TestClient]:
    with serve(Settings(writers, device="cpu")) as client:
        yield client


def test_every_token_is_an_event_and_the_last_says_why(writer: TestClient) -> None:
    order = {"prompt": "abc", "length": 12, "temperature": 0.9, "top_k": 5, "seed": 4}
    answer = writer.post(PATH, json=order)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert answer.headers["cache-control"] == "no-store"
    *tokens, last = events(answer.text)
    texts, reason = expected(**order)
    assert [(kind, number, data["text"]) for kind, number, data in tokens] == [("message", str(i), text) for i, text in enumerate(texts)]
    facts = {"reason": reason, "tokens": len(texts), "seed": 4, "model": "tiny_writer", "version": "1.0.0"}
    assert last == ("done", "", facts)


def test_a_seed_by_chance_is_told_and_gives_the_text_again(writer: TestClient) -> None:
    first = writer.post(PATH, json={"prompt": "a", "length": 20})
    seed = events(first.text)[-1][2]["seed"]
    assert writer.post(PATH, json={"prompt": "a", "length": 20, "seed": seed}).text == first.text


def test_texts_at_once_share_batches_and_stay_apart(writers: Path, direct_app: Any) -> None:
    async def test(ask: Any, app: Any) -> None:
        orders = [{"prompt": "ab", "length": 25, "seed": seed} for seed in range(8)]
        answers = await asyncio.gather(*(ask(order) for order in orders))
        for order, (messages, _) in zip(orders, answers, strict=True):
            texts = [data["text"] for kind, _, data in events(body(messages)) if kind == "message"]
            assert texts == expected(**order)[0]
        [(_, lane)] = app.inference._lanes.values()
        assert lane.ran > lane.batches, "nothing ran together"

    direct_app(test)


@pytest.mark.parametrize(
    ("sent", "code", "words"),
    [
        ({"json": {"length": 3}}, 400, 'expected an object with "prompt"'),
        ({"json": ["a"]}, 400, 'expected an object with "prompt"'),
        ({"json": {"prompt": 3}}, 400, "prompt is int, expected a text"),
        ({"json": {"prompt": None}}, 400, "prompt is NoneType"),
        ({"json": {"prompt": "abx"}}, 400, "the prompt has 'x' at 2"),
        ({"json": {"prompt": "a", "length": 5000}}, 400, "length is 5000, expected a whole number of tokens from 1 to 4096"),
        ({"json": {"prompt": "a", "temperature": "hot"}}, 400, "temperature is 'hot'"),
        ({"json": {"prompt": "a", "top_p": 1}}, 400, "the body has 'top_p', expected only prompt, length"),
        ({"json": {"prompt": "a" * 5000}}, 413, "more than 4096 tokens"),
        ({"content": b"a", "headers": {"content-type": "text/plain"}}, 415, "expected application/json"),
        ({"json": {"prompt": "a"}, "headers": {"x-request-timeout-ms": "soon"}}, 400, "expected whole milliseconds"),
    ],
)
def test_before_the_start_a_refusal_has_its_status(writer: TestClient, sent: dict[str, Any], code: int, words: str) -> None:
    answer = writer.post(PATH, **sent)
    assert (answer.status_code, words in answer.json()["error"]) == (code, True), answer.text
    assert writer.get(PATH).status_code == 405
    assert writer.post("/generate/nobody", json={"prompt": "a"}).status_code == 404


def test_a_model_that_writes_no_texts_says_so(client: TestClient) -> None:
    refused = client.post("/generate/tiny_rows", json={"prompt": "a"})
    assert (refused.status_code, "does not write texts" in refused.json()["error"]) == (400, True)


def test_texts_are_counted(writer: TestClient) -> None:
    def count(text: str, name: str) -> float:
        return sum(float(value) for value in re.findall(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE))

    tokens = 'tandem_generated_tokens_total{model="tiny_writer",version="1.0.0"}'
    requests = 'tandem_requests_total{code="200",model="tiny_writer",route="/generate/{model}",version="1.0.0"}'
    before = writer.get("/metrics").text
    sent = len(events(writer.post(PATH, json={"prompt": "a", "length": 5, "seed": 1}).text)) - 1
    after = writer.get("/metrics").text
    assert (count(after, tokens) - count(before, tokens), count(after, requests) - count(before, requests)) == (sent, 1)
    assert 'tandem_stage_seconds_count{model="tiny_writer",stage="first_token",version="1.0.0"}' in after


def body(messages: list[Any]) -> str:
    return b"".join(message.get("body", b"") for message in messages).decode()


@pytest.fixture
def direct_app(writers: Path) -> Callable[..., None]:
    """Runs a coroutine over the application without a server; the caller goes away, or stops reading, where the test wants."""

    def run(test: Callable[..., Any], **options: Any) -> None:
        app = create_app(Settings(writers, device="cpu", **options))

        async def ask(order: Any, *, leave_after: int = 10**9, stop_after: int = 10**9, **headers: str) -> tuple[list[Any], int]:
            sent: list[Any] = []
            gone = asyncio.Event()
            bodies = [{"type": "http.request", "body": json.dumps(order).encode(), "more_body": False}]

            async def receive() -> Any:
                if bodies:
                    return bodies.pop()
                await gone.wait()
                return {"type": "http.disconnect"}

            async def send(message: Any) -> None:
                sent.append(message)
                if len(sent) > leave_after:
                    gone.set()
                if len(sent) > stop_after:
                    await asyncio.sleep(60)
                await asyncio.sleep(0)

            raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
            scope = {"type": "http", "method": "POST", "path": PATH, "headers": raw, "query_string": b"", "root_path": ""}
            await app(scope, receive, send)
            return sent, len(sent)

        async def main() -> None:
            async with app.web.router.lifespan_context(app.web):
                while not app._registry.ready:
                    await asyncio.sleep(0.01)
                await test(ask, app)

        asyncio.run(main())

    return run


def long_order(**changes: Any) -> dict[str, Any]:
    """A text that does not end by itself: only the best of many is taken, which is never the end here."""
    return {"prompt": "a", "length": 4000, "temperature": 0, **changes}


def test_the_long_text_is_long() -> None:
    assert expected(**long_order())[1] == "length"


def test_a_caller_that_goes_away_stops_the_work(direct_app: Any) -> None:
    async def test(ask: Any, app: Any) -> None:
        messages, count = await ask(long_order(), leave_after=10)
        assert 10 < count < 20
        assert messages[0]["status"] == 200
        [(_, lane)] = app.inference._lanes.values()
        assert lane.idle
        app._metrics.carry()
        values = app._metrics.sums()
        labels = (("model", "tiny_writer"), ("reason", "disconnected"), ("route", "/generate/{model}"), ("version", "1.0.0"))
        assert values["tandem_errors_total", labels] == 1

    direct_app(test)


def test_a_deadline_after_the_start_is_an_event(direct_app: Any) -> None:
    async def test(ask: Any, app: Any) -> None:
        messages, _ = await ask(long_order(length=4096, temperature=0), x_request_timeout_ms="40")
        *_, last = events(body(messages))
        assert (last[0], last[2]["reason"], set(last[2])) == ("error", "deadline", {"error", "reason", "request_id"})

    direct_app(test)


def test_a_caller_that_does_not_read_is_given_up_at_the_deadline(direct_app: Any) -> None:
    async def test(ask: Any, app: Any) -> None:
        messages, count = await ask(long_order(), stop_after=5, x_request_timeout_ms="200")
        assert count == 6
        assert "error" not in body(messages)
        [(_, lane)] = app.inference._lanes.values()
        assert lane.idle

    direct_app(test)


def test_a_failure_after_the_start_is_an_event_without_a_trace(direct_app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = iter(range(1000))
    run = Model.run

    def failing(self: Model, inputs: Any) -> Any:
        if len(inputs["token"]) == 1 and inputs["memory"].any() and next(runs) > 60:
            raise ZeroDivisionError("secret")
        return run(self, inputs)

    monkeypatch.setattr(Model, "run", failing)

    async def test(ask: Any, app: Any) -> None:
        messages, _ = await ask(long_order())
        *tokens, last = events(body(messages))
        assert tokens
        assert (last[0], last[2]["reason"]) == ("error", "internal")
        assert "secret" not in body(messages)

    direct_app(test)


def test_a_stopping_server_finishes_what_it_writes(writers: Path, direct_app: Any) -> None:
    async def test(ask: Any, app: Any) -> None:
        asked = asyncio.create_task(ask({"prompt": "a", "length": 400, "temperature": 0}))
        await asyncio.sleep(0.01)
        app.inference._draining = True
        messages, _ = await asked
        assert events(body(messages))[-1][0] == "done"
        refused, _ = await ask({"prompt": "a"})
        assert refused[0]["status"] == 503

    direct_app(test)
