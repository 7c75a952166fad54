"""A server that answers what a test says, and a pair that was not measured."""

import time
from dataclasses import replace
from typing import Any

from edge import Model, pair
from edge.contract import Contract
from edge.pair import ALWAYS, Figures, Pair, Point

FIGURES = Figures(50, 0.9, 0.95, 0.95, 0.1, 0.0, (0.0, 0.0))


class Server:
    """A client of a server that answers what the test says; calls are counted, and so are those at the same time."""

    def __init__(self, contract: Contract) -> None:
        self.found, self.error, self.delay_s = contract, None, 0.0
        self.asked: list[Any] = []
        self.contracts, self.at_once, self.most_at_once, self.closed = 0, 0, 0, False
        self.document: Any = None

    def contract(self, model: str, version: str | None = None) -> Contract:
        self.contracts += 1
        if self.error is not None:
            raise self.error
        return self.found

    def answer(self, model: str, value: Any, *, deadline_ms: int | None = None) -> dict[str, Any]:
        self.asked.append(value)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(self.delay_s)
        self.at_once -= 1
        if self.error is not None:
            raise self.error
        ranking = [{"label": "3", "index": 3, "score": 0.5}]
        ours = {"model": self.found.name, "version": self.found.version, "predictions": [{"label": "3", "score": 0.5, "ranking": ranking}]}
        return ours if self.document is None else self.document

    def close(self) -> None:
        self.closed = True


def made(model: Model, server: Server, threshold: float = ALWAYS, **changes: Any) -> Pair:
    small = pair.half(model.bundle, model.variant, model.runtime.name)
    large = pair.Half("mnist_large", "2.0.0", pair.contract_sha256(server.found), "model.onnx", "0" * 64, "onnxruntime")
    curve = (Point(0.0, 0.0, 0.9), Point(ALWAYS, 1.0, 0.95))
    return replace(Pair(1, small, large, threshold, 1.0, 0.01, "made up", FIGURES, FIGURES, curve), **changes)
