"""The heavier model on a server, asked by a device: whose answers it takes, and what of an input it sends."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable, Optional, Protocol

import numpy as np

from edge import png
from edge.contract import Contract
from edge.errors import BundleError, InputError, TandemError
from edge.prediction import Prediction
from edge.schema import decode
from edge.steps.scores import Ranked
from edge.storage import UNREADABLE

Check = Callable[[Contract], None]


class Server(Protocol):
    """What is needed of `edge.client.Client`."""

    def contract(self, model: str, version: Optional[str] = None) -> Contract:
        """Give a model's contract."""

    def answer(self, model: str, value: Any, *, deadline_ms: Optional[int] = None) -> dict[str, Any]:
        """Give the whole answer to one input."""

    def close(self) -> None:
        """Close the connection."""


class Companion:
    """One model of a server; its contract is looked at before its first answer, and again after anything went wrong."""

    def __init__(self, server: Server, device: Contract, name: str, check: Check) -> None:
        """Keep whom to ask.

        Args:
            server: A client; nobody else uses it.
            device: The contract of the model on the device: what its labels are, and whether it takes pictures.
            name: The model's name on the server.
            check: Raises BundleError for a contract of which no answer may be taken.
        """
        self._server, self._device, self._name, self._check = server, device, name, check
        self._known: Optional[Contract] = None

    def check(self) -> Contract:
        """Look at the contract of the server's model, and refuse another one.

        Raises:
            RemoteError: The server cannot be reached, or has no such model.
            BundleError: It is another model, or one with other labels.
        """
        self._known = None
        found = self._server.contract(self._name)
        if found.labels != self._device.labels:
            raise BundleError(f"the server's {found.name} {found.version} has other labels than {self._device.name} {self._device.version}")
        self._check(found)
        self._known = found
        return found

    def ask(self, value: Any, seconds: float) -> Prediction:
        """Have one input answered; the server is told after how long the answer is of no use.

        Raises:
            RemoteError: The server refuses, or cannot be reached.
            BundleError: It is another model than it should be.
            InputError: The value cannot be sent, or the answer cannot be read.
        """
        known = self._known or self.check()
        self._known = None  # until all has gone well
        document: Any = self._server.answer(self._name, value, deadline_ms=max(1, int(seconds * 1000)))
        if not isinstance(document, dict):
            raise InputError(f"the server's answer is {str(document)[:80]}, expected model, version and predictions")
        answered = (document.get("model"), document.get("version"))
        if answered != (known.name, known.version):
            raise BundleError(f"the server answered by {answered[0]} {answered[1]}, its contract was of {known.name} {known.version}")
        prediction = Prediction({}, self._ranking(document.get("predictions")))
        self._known = known
        return prediction

    def close(self) -> None:
        """Close the connection."""
        self._server.close()

    def _ranking(self, predictions: Any) -> tuple[Ranked, ...]:
        """Read the ranking of a single answer, which came from outside."""
        try:
            (prediction,) = predictions
            ranking = tuple(decode(Ranked, item) for item in prediction["ranking"])
        except (TypeError, ValueError, KeyError, TandemError):
            raise InputError(f"the server's answer is {str(predictions)[:80]}, expected one ranking of labels") from None
        if not ranking or any(not 0 <= item.index < len(self._device.labels) for item in ranking):
            raise InputError("the server's answer ranks nothing, or labels that are not there")
        return ranking


def sendable(device: Contract, value: Any) -> Any:
    """Give an input as it is sent: pixels as a PNG without loss, everything else as the client sends it.

    Args:
        device: The contract of the model on the device.
        value: What its `predict` takes.

    Raises:
        InputError: The value cannot be read.
    """
    if not device.preprocess or device.preprocess[0].name != "decode_image":
        return value
    if isinstance(value, Mapping):
        (value,) = value.values()
    if isinstance(value, (str, os.PathLike)):
        path = Path(value)
        value = _array(path) if path.suffix == ".npy" else path
    if not isinstance(value, np.ndarray):
        return value
    return png.encode(value[:, :, None] if value.ndim == 2 else value)


def _array(path: Path) -> Any:
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, *UNREADABLE) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
