"""The device first, the server where the device is unsure, and words for whatever keeps the server from answering."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from edge import Model, Router
from edge.breaker import Allowance, Breaker
from edge.companion import sendable
from edge.errors import BundleError, ContractError, InputError, RemoteError
from tests.edge_tests.pair_parts import Server, made

GONE = RemoteError("http://server cannot be reached (refused); check the address, and that the server runs")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def router(model: Model, server: Server, clock: Clock) -> Iterator[Router]:
    breaker = Breaker(failures=2, first_s=10, clock=clock, chance=lambda: 1.0)
    with Router(model, server, pair=made(model, server), breaker=breaker, allowance=Allowance(1, 20, clock=clock)) as router:
        yield router
    assert server.closed or not server.contracts
    assert not [thread for thread in threading.enumerate() if thread.name == "tandem-router"]


def test_a_notebook_shows_what_a_server_says_as_text(router: Router, server: Server, digit: np.ndarray) -> None:
    server.error = RemoteError("server answers 500: <script>alert(1)</script>", status=500)
    answer = router.predict(digit)
    assert "<script>" in answer.why
    assert "<p>source: device; server answers 500: &lt;script&gt;" in answer._repr_html_()


def test_a_sure_device_asks_nobody(model: Model, server: Server, digit: np.ndarray) -> None:
    with Router(model, server, pair=made(model, server, 0.5)) as router:
        answer = router.predict(digit)
    assert (answer.source, answer.reason, answer.offline, answer.label) == ("device", "sure", False, model.predict(digit).label)
    assert answer.prediction is answer.device
    assert (server.asked, server.contracts) == ([], 0)


def test_an_unsure_device_asks_the_server_once(router: Router, server: Server, model: Model, digit: np.ndarray) -> None:
    answer = router.predict(digit)
    assert (answer.source, answer.reason, answer.offline, answer.label, answer.score) == ("server", "unsure", False, "3", 0.5)
    assert answer.device.label == model.predict(digit).label
    assert answer.why.startswith("the device is not sure: ")
    data = json.loads(json.dumps(answer.to_dict()))
    assert {key: data[key] for key in ("label", "source", "offline", "reason")} == {
        "label": "3", "source": "server", "offline": False, "reason": "unsure",
    }  # fmt: skip
    assert repr(answer).startswith("Routed(label='3', score=0.5000, source=server: the device is not sure")
    router.predict(digit)
    assert (len(server.asked), server.contracts) == (2, 1), "the contract is looked at once"
    assert server.asked[0].startswith(b"\x89PNG")
    assert router.counts == {"unsure": 2}


@pytest.mark.parametrize(
    ("error", "reason", "offline", "opens"),
    [
        pytest.param(GONE, "unreachable", True, True, id="no server"),
        pytest.param(RemoteError("answers 503", status=503), "unreachable", True, True, id="not ready"),
        pytest.param(RemoteError("answers 404: no such model", status=404), "refused", False, True, id="no such model"),
        pytest.param(RemoteError("answers 401", status=401), "refused", False, True, id="no key"),
        pytest.param(RemoteError("answers 400: not a picture", status=400), "refused", False, False, id="this input"),
        pytest.param(RemoteError("answers 413: too large", status=413), "refused", False, False, id="too large an input"),
        pytest.param(InputError("the answer is no JSON"), "unreachable", True, True, id="a login page"),
        pytest.param(ContractError("contract of mnist_large: not valid JSON"), "unreachable", True, True, id="a login page for a contract"),
    ],
)
def test_whatever_goes_wrong_the_device_answers(
    error: Exception, reason: str, offline: bool, opens: bool, router: Router, server: Server, digit: np.ndarray
) -> None:
    server.error = error
    for _ in range(2):
        answer = router.predict(digit)
        assert (answer.source, answer.reason, answer.offline, answer.why) == ("device", reason, offline, str(error))
        assert answer.label == answer.device.label
    assert router.breaker.state == ("open" if opens else "closed")


def test_an_open_circuit_sends_nothing_and_one_probe_closes_it(router: Router, server: Server, clock: Clock, digit: np.ndarray) -> None:
    server.error = GONE
    for _ in range(30):
        answer = router.predict(digit)
    assert server.contracts == 2, "two failures open the circuit, and 28 inputs sent nothing"
    assert (answer.reason, answer.offline) == ("waiting", True)
    assert answer.why == f"{GONE}; the server is asked again in 10.0 s"
    clock.now += 10
    assert router.predict(digit).reason == "unreachable"
    assert (server.contracts, router.breaker.wait_s) == (3, 20)
    clock.now += 20
    server.error = None
    assert router.predict(digit).source == "server"
    assert (router.breaker.state, len(server.asked)) == ("closed", 1)
    assert router.counts == {"unreachable": 3, "waiting": 28, "unsure": 1}


class Interrupted(BaseException):
    """Somebody presses Ctrl-C."""


@pytest.mark.parametrize("instead", ["interrupted", "not allowed"])
def test_a_probe_that_was_not_sent_leaves_the_next_one_free(
    instead: str, router: Router, server: Server, clock: Clock, digit: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.error = GONE
    for _ in range(2):
        router.predict(digit)
    server.error, clock.now = None, 10.0
    with monkeypatch.context() as patch:
        if instead == "interrupted":
            patch.setattr(router._errands, "run", Mock(side_effect=Interrupted))
            with pytest.raises(Interrupted):
                router.predict(digit)
        else:
            patch.setattr(router.allowance, "take", lambda: False)
            assert router.predict(digit).reason == "allowance"
    assert router.predict(digit).source == "server"


def test_no_more_is_sent_than_is_allowed(router: Router, server: Server, clock: Clock, digit: np.ndarray) -> None:
    reasons = [router.predict(digit).reason for _ in range(25)]
    assert reasons == ["unsure"] * 20 + ["allowance"] * 5
    clock.now += 2
    assert [router.predict(digit).reason for _ in range(3)] == ["unsure", "unsure", "allowance"]
    assert len(server.asked) == 22


def test_the_deadline_holds_and_nothing_piles_up(model: Model, server: Server, digit: np.ndarray) -> None:
    server.delay_s = 0.4
    with Router(model, server, pair=made(model, server), deadline_ms=50, breaker=Breaker(failures=9)) as router:
        started = time.monotonic()
        answers = [router.predict(digit) for _ in range(3)]
        assert time.monotonic() - started < 0.35
        assert [(answer.reason, answer.offline) for answer in answers] == [("late", True)] * 3
        assert answers[0].why == "no answer within 50 ms"
        assert len(server.asked) == 1, "nothing is sent while the first one is out"


def test_another_model_on_the_server_is_not_believed(router: Router, server: Server, model: Model, clock: Clock, digit: np.ndarray) -> None:
    right = server.found
    server.found = replace(right, version="2.1.0")
    answer = router.predict(digit)
    assert (answer.source, answer.reason, answer.offline, server.asked) == ("device", "another model", False, [])
    assert "the server's model is mnist_large 2.1.0, not mnist_large 2.0.0" in answer.why
    server.found = replace(right, description="another")
    assert "another content of that version" in router.predict(digit).why
    with pytest.raises(BundleError, match="another content"):
        router.check()
    server.found = right
    clock.now += 100
    assert router.check() == right
    assert router.predict(digit).source == "server"
    server.document = {"model": "mnist_large", "version": "3.0.0", "predictions": []}
    assert "the server answered by mnist_large 3.0.0" in router.predict(digit).why
    server.found, server.document = replace(right, labels=("a", "b")), None
    assert "has other labels than mnist_cnn" in router.predict(digit).why


@pytest.mark.parametrize(
    "document",
    [
        pytest.param([], id="no object"),
        pytest.param({"model": "mnist_large", "version": "2.0.0"}, id="no predictions"),
        pytest.param({"model": "mnist_large", "version": "2.0.0", "predictions": [{}, {}]}, id="two"),
        pytest.param({"model": "mnist_large", "version": "2.0.0", "predictions": [{"ranking": []}]}, id="nothing ranked"),
        pytest.param({"model": "mnist_large", "version": "2.0.0", "predictions": [{"ranking": [{"label": 1}]}]}, id="no ranking"),
        pytest.param(
            {"model": "mnist_large", "version": "2.0.0", "predictions": [{"ranking": [{"label": "x", "index": 10, "score": 1.0}]}]},
            id="a label that is not there",
        ),
    ],
)
def test_an_answer_that_cannot_be_read(document: Any, router: Router, server: Server, digit: np.ndarray) -> None:
    server.document = document
    answer = router.predict(digit)
    assert (answer.source, answer.reason) == ("device", "unreachable")


def test_many_threads(router: Router, server: Server, digit: np.ndarray) -> None:
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.extend(router.predict(digit) for _ in range(5))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(answers), server.most_at_once, len(server.asked)) == (40, 1, 20)
    assert router.counts == {"unsure": 20, "allowance": 20}


def test_frames_are_routed_too(router: Router, digit: np.ndarray) -> None:
    with router.stream([digit, digit], skip=False) as answers:
        assert [answer.source for answer in answers] == ["server", "server"]


@pytest.fixture
def forms(digit: np.ndarray, tmp_path: Path) -> Callable[[str], Any]:
    np.save(tmp_path / "digit.npy", digit)
    (tmp_path / "digit.jpg").write_bytes(b"as it is")
    given = {"array": digit, "flat": digit[:, :, 0], "mapping": {"image": digit}, "npy": str(tmp_path / "digit.npy")}
    return {**given, "bytes": b"as it is", "path": str(tmp_path / "digit.jpg")}.__getitem__


@pytest.mark.parametrize("form", ["array", "flat", "mapping", "npy"])
def test_pixels_travel_as_png(form: str, forms: Callable[[str], Any], model: Model) -> None:
    assert sendable(model.contract, forms(form)) == sendable(model.contract, forms("array"))
    assert sendable(model.contract, forms(form)).startswith(b"\x89PNG")


def test_what_is_encoded_already_travels_as_it_is(forms: Callable[[str], Any], model: Model, tmp_path: Path) -> None:
    assert sendable(model.contract, forms("bytes")) == b"as it is"
    assert sendable(model.contract, forms("path")) == tmp_path / "digit.jpg"
    plain = replace(model.contract, preprocess=())
    assert sendable(plain, "a text") == "a text"
    with pytest.raises(InputError, match="cannot be read"):
        sendable(model.contract, tmp_path / "nothing.npy")
