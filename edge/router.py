"""The device answers what it is sure of, a server the rest; and where there is no server, the device says so.

with Router(Model.open("mnist_mlp"), server="http://192.168.1.20:3000", pair="pair.json") as router:
router.predict(frame).source    # "device" or "server"

The device always answers first, so there is always an answer. The server is asked at most once for each input, never beyond an
allowance of requests a second, never while its circuit is open, and no longer than the deadline.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from html import escape
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Optional, Union

from edge import pair as pairs
from edge.breaker import Allowance, Breaker
from edge.client import Client
from edge.companion import Check, Companion, Server, sendable
from edge.contract import Contract
from edge.errands import Errands, LateError
from edge.errors import BundleError, ContractError, InputError, RemoteError, TandemError, UsageError
from edge.model import Model
from edge.pair import Pair
from edge.prediction import Prediction
from edge.steps.scores import Ranked
from edge.stream import Stream
from edge.tls import Tls

Source = Literal["device", "server"]
Reason = Literal["sure", "unsure", "unreachable", "late", "waiting", "refused", "another model", "allowance"]
OFFLINE = ("unreachable", "late", "waiting")
DEADLINE_MS = 500
_OF_THE_INPUT = (400, 406, 413, 415, 422)  # the server is well, and another input may be answered


@dataclass(frozen=True, repr=False)
class Routed:
    """The answer that counts, who gave it, and why; `device` is what the device said, whoever gave it.

    `reason` is `sure` (the device was), `unsure` (the device was not, and the server answered), or what kept the server from
    answering: `unreachable`, `late`, `waiting` (its circuit is open), `refused`, `another model`, `allowance`. `why` says it in words.
    """

    prediction: Prediction
    source: Source
    reason: Reason
    why: str
    device: Prediction

    @property
    def offline(self) -> bool:
        """Whether the server was wanted, and could not be had."""
        return self.reason in OFFLINE

    @property
    def label(self) -> str:
        """The best class."""
        return self.prediction.label

    @property
    def score(self) -> float:
        """The score of the best class."""
        return self.prediction.score

    @property
    def ranking(self) -> tuple[Ranked, ...]:
        """The best classes, the best first."""
        return self.prediction.ranking

    def to_dict(self) -> dict[str, Any]:
        """Give the answer as JSON data: that of the prediction, with `source`, `offline`, `reason` and `why`."""
        told = {"source": self.source, "offline": self.offline, "reason": self.reason, "why": self.why}
        return {**self.prediction.to_dict(), **told}

    def __repr__(self) -> str:
        """Say answer, source and reason in one line."""
        said = f"label={self.label!r}, score={self.score:.4f}, source={self.source}"
        return f"Routed({said}{', offline' if self.offline else ''}: {self.why})"

    def _repr_html_(self) -> str:
        """Show the answer in a notebook; what a server said of itself is text, and never markup."""
        return f"{self.prediction._repr_html_()}<p>source: {self.source}; {escape(self.why)}</p>"


class Router:
    """A model on this device with a heavier one behind it; safe to use from several threads."""

    def __init__(
        self,
        model: Model,
        server: Union[str, Server],
        *,
        pair: Union[str, Path, Pair, None] = None,
        deadline_ms: int = DEADLINE_MS,
        token: Optional[str] = None,
        tls: Optional[Tls] = None,
        breaker: Optional[Breaker] = None,
        allowance: Optional[Allowance] = None,
    ) -> None:
        """Hold the pair against the model; no request is made before an input needs one.

        Args:
            model: The device's; it stays the caller's to close.
            server: An address such as `http://192.168.1.20:3000`, or a client that nobody else uses.
            pair: What `tandem pair` wrote; without it, the contract's own `companion` and `offload_below`.
            deadline_ms: How long the server may take for one input, the way there and back included.
            token: What a server that asks for one is shown.
            tls: Certificates, see `edge.client.Client`.
            breaker: When a server that fails is asked again.
            allowance: How many requests may go out.

        Raises:
            UsageError: There is no pair and the contract names no companion, or a value makes no sense.
            BundleError: The pair was measured with another model or file than this one.
            ContractError: The pair cannot be read, or the model gives no confidence.
        """
        if not 1 <= deadline_ms <= 600_000:
            raise UsageError(f"deadline_ms is {deadline_ms}, expected 1 to 600000")
        self.model, self.deadline_ms = model, deadline_ms
        self.breaker, self.allowance = breaker or Breaker(), allowance or Allowance()
        name, self.threshold, check = _plan(model, pairs.load(Path(pair)) if isinstance(pair, (str, Path)) else pair)
        client = Client(server, timeout=deadline_ms / 1000, token=token, resend=False, tls=tls) if isinstance(server, str) else server
        self._companion = Companion(client, model.contract, name, check)
        self._errands = Errands("tandem-router", self._companion.close)
        self._lock, self._counts, self._last = threading.Lock(), Counter[str](), ""

    def predict(self, value: Any) -> Routed:
        """Answer one input: by the device where it is sure, else by the server, else by the device after all.

        Raises:
            InputError: The value does not fit the device's model.
            UsageError: The router or the model is closed.
        """
        device = self.model.predict(value)
        if device.score >= self.threshold:
            return self._told(device, device, "sure", f"the device is sure: {device.score:.4f} >= {self.threshold:.4f}")
        return self._asked(device, value)

    def stream(self, frames: Union[str, Path, Iterable[Any]], *, skip: Optional[bool] = None) -> Stream[Routed]:
        """Answer frames as they come; see `Model.stream`."""
        return Stream(self.predict, frames, skip)

    def check(self) -> Contract:
        """Ask the server now whether it has the pair's model, and give its contract; for a start that shall fail early.

        Raises:
            RemoteError: The server cannot be reached, or has no such model.
            BundleError: It is another model.
        """
        return self._errands.run(lambda _: self._companion.check(), self.deadline_ms / 1000)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many inputs had which reason so far."""
        with self._lock:
            return dict(self._counts)

    def close(self) -> None:
        """Close the connection and end its thread; the model stays open."""
        self._errands.close()

    def __enter__(self) -> Router:
        """Give the router itself."""
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        """Close the router."""
        self.close()

    def _asked(self, device: Prediction, value: Any) -> Routed:
        """Ask the server once, where it may be asked."""
        ticket = self.breaker.admit()
        if ticket is None:
            return self._told(device, device, "waiting", f"{self._last}; the server is asked again in {self.breaker.wait_s:.1f} s")
        with ExitStack() as unasked:  # unless the breaker is told how it went, the ticket goes back, after an interruption too
            unasked.callback(self.breaker.withdraw, ticket)
            if not self.allowance.take():
                return self._told(device, device, "allowance", "no more requests are allowed at the moment")
            try:
                sent = sendable(self.model.contract, value)
            except InputError as error:
                return self._told(device, device, "refused", str(error))
            try:
                answer = self._errands.run(lambda left: self._companion.ask(sent, left), self.deadline_ms / 1000)
            except UsageError:
                raise
            except TandemError as error:
                unasked.pop_all()
                return self._failed(device, ticket, error)
            unasked.pop_all()
        self.breaker.report(ticket, ok=True)
        return self._told(answer, device, "unsure", f"the device is not sure: {device.score:.4f} < {self.threshold:.4f}")

    def _failed(self, device: Prediction, ticket: int, error: TandemError) -> Routed:
        """Tell the breaker what went wrong, and fall back on the device."""
        well = isinstance(error, RemoteError) and error.status in _OF_THE_INPUT
        if not well:
            self._last = str(error)
        wait_s = float((isinstance(error, RemoteError) and error.retry_after) or 0)
        self.breaker.report(ticket, ok=well, wait_s=wait_s)
        return self._told(device, device, _reason(error), str(error))

    def _told(self, prediction: Prediction, device: Prediction, reason: Reason, why: str) -> Routed:
        with self._lock:
            self._counts[reason] += 1
        return Routed(prediction, "server" if reason == "unsure" else "device", reason, why, device)


def _reason(error: TandemError) -> Reason:
    if isinstance(error, LateError):
        return "late"
    if isinstance(error, BundleError) and not isinstance(error, ContractError):
        return "another model"
    is_refusal = isinstance(error, RemoteError) and 400 <= error.status < 500
    return "refused" if is_refusal else "unreachable"  # what cannot be read comes from a proxy or a login page, not from the server


def _plan(model: Model, pair: Optional[Pair]) -> tuple[str, float, Check]:
    """Give the server's model, the threshold, and what is asked of the model's contract."""
    problem = pairs.confidence_of(model.contract)
    if problem is not None:
        raise UsageError(problem)
    if pair is not None:
        pair.check_device(model.bundle, model.variant)
        return pair.server.name, pair.threshold, pair.check_server
    name, below = model.contract.companion, model.contract.confidence.offload_below
    if name is None or below is None:
        raise UsageError(
            f"{model.contract.name} names no companion to ask; measure a pair with 'tandem pair {model.contract.name} SERVER', "
            "and give its pair.json"
        )

    def named(found: Contract) -> None:
        if found.name != name:
            raise BundleError(f"the server's model is {found.name}, the contract's companion is {name}")

    return name, below, named
