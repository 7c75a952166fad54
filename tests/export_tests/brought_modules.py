"""Modules of every shape that people bring, with inputs and with what becomes of them; docs/bring-your-own.md lists the same."""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

ROWS = 10
RELEASED = "released"


class TwoByTwo(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(6, 3), nn.Linear(4, 2)

    def forward(self, left, right):
        return self.a(left), self.b(right)


class Dictionaries(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(6, 3), nn.Linear(4, 3)

    def forward(self, batch):
        scores = self.a(batch["left"]) + self.b(batch["right"])
        return {"scores": scores, "total": scores.sum(1, keepdim=True)}


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.scores = nn.Embedding(50, 8), nn.Linear(8, 3)

    def forward(self, ids):
        return self.scores(self.embedding(ids).mean(1))


class Optional(nn.Module):
    def __init__(self):
        super().__init__()
        self.scores = nn.Linear(6, 3)

    def forward(self, x, scale=None, mask=None):
        x = x if scale is None else x * scale
        return self.scores(x if mask is None else x * mask)


class Signal(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.scores = nn.Conv1d(2, 4, 5), nn.Linear(4, 3)

    def forward(self, signal):
        return self.scores(self.body(signal).relu().mean(2))


class Volume(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.scores = nn.Conv3d(1, 4, 3), nn.Linear(4, 3)

    def forward(self, volume):
        return self.scores(self.body(volume).relu().mean((2, 3, 4)))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.step, self.scores = nn.LSTMCell(4, 8), nn.Linear(8, 3)

    def forward(self, x, hidden, cell):
        hidden, cell = self.step(x, (hidden, cell))
        return self.scores(hidden), hidden, cell


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.scores = nn.Linear(6, 3)
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, x):
        self.seen += 1
        return self.scores(x) + self.seen


class Scribbling(nn.Module):
    def __init__(self):
        super().__init__()
        self.scores = nn.Linear(6, 3)

    def forward(self, x):
        return self.scores(x.view(-1, 6).mul_(2))


class Working(nn.Module):
    """Writes into tensors of its own alone, as `inplace=True` does."""

    def __init__(self):
        super().__init__()
        self.scores = nn.Linear(6, 3)

    def forward(self, x):
        return torch.relu_(self.scores(x)).add_(1)


class Choosy(nn.Module):
    def __init__(self):
        super().__init__()
        self.scores = nn.Linear(6, 3)

    def forward(self, x):
        return self.scores(x if x.sum() > 0 else -x)


class Cond(nn.Module):
    def __init__(self):
        super().__init__()
        self.scores = nn.Linear(6, 3)

    def forward(self, x):
        return torch.cond(x.sum() > 0, lambda x: self.scores(x), lambda x: self.scores(-x), (x,))


@dataclass(frozen=True)
class Case:
    """A module, what it takes and gives, and what becomes of it on servers and devices: `released`, or a fragment of the refusal."""

    words: str
    module: type
    inputs: dict
    outputs: dict = field(default_factory=lambda: {"scores": (3,)})
    server: str = RELEASED
    device: str = RELEASED
    opened: dict = field(default_factory=dict)

    @property
    def row(self):
        """The row of docs/bring-your-own.md."""
        cells = [each if each == RELEASED else f"refused: “{each}”" for each in (self.server, self.device)]
        return f"| {self.words} | {' | '.join(cells)} |"

    def contract(self, targets):
        """A contract's content."""

        def tensor(name, dtype, shape):
            return {"name": name, "dtype": str(dtype), "shape": ["batch", *shape], "layout": "any"}

        inputs = [tensor(n, a.dtype, [self.opened.get((n, i), s) for i, s in enumerate(a.shape[1:], 1)]) for n, a in self.inputs.items()]
        graph = {"name": "main", "inputs": inputs, "outputs": [tensor(n, "float32", s) for n, s in self.outputs.items()]}
        runtimes = ["onnxruntime"] * ("server" in targets) + ["ai-edge-litert"] * ("device" in targets)
        facts = {
            "schema": 1,
            "name": "brought",
            "version": "1.0.0",
            "task": "any",
            "licence": "MIT",
            "source": "by hand",
            "graphs": [graph],
        }
        metric = {"name": "rmse", "direction": "lower", "floor": None}
        return {**facts, "metric": metric, "targets": list(targets), "recipes": ["fp32"], "requires_runtimes": runtimes}


def _real(*shape):
    return np.random.default_rng(1).normal(size=(ROWS, *shape)).astype(np.float32)


IDS = np.random.default_rng(1).integers(0, 50, (ROWS, 7))
STATE = "while it answers, so the same question would get another answer"
CASES = {
    "several": Case("several inputs, several outputs", TwoByTwo, {"left": _real(6), "right": _real(4)}, {"a": (3,), "b": (2,)}),
    "dictionary": Case(
        "a dictionary in, a dictionary out", Dictionaries, {"left": _real(6), "right": _real(4)}, {"scores": (3,), "total": (1,)}
    ),
    "ids": Case("int64 ids", Words, {"ids": IDS}),
    "left-out": Case("an optional input, left out", Optional, {"x": _real(6)}),
    "given": Case("an optional input behind another one, given by its name", Optional, {"x": _real(6), "mask": _real(6)}),
    "length": Case(
        'a length of any size, `["batch", "length"]`', Words, {"ids": IDS},
        device="files for device (TFLite) have one size", opened={("ids", 1): "length"},
    ),
    "signal": Case("1-D data, (batch, channels, time)", Signal, {"signal": _real(2, 16)}),
    "volume": Case("3-D data, (batch, channels, depth, height, width)", Volume, {"volume": _real(1, 6, 6, 6)}),
    "state": Case(
        "a state as inputs and outputs (an LSTM's step)", Recurrent, {"x": _real(4), "hidden": _real(8), "cell": _real(8)},
        {"scores": (3,), "hidden_next": (8,), "cell_next": (8,)},
    ),
    "buffer": Case("a state inside: a buffer that `forward` changes", Counting, {"x": _real(6)}, server=STATE, device=STATE),
    "input": Case("an input that `forward` changes in place", Scribbling, {"x": _real(6)}, server=STATE, device=STATE),
    "inplace": Case("operators in place on its own tensors (`inplace=True`)", Working, {"x": _real(6)}),
    "branch": Case(
        "code that chooses by what it computes (`if x.sum() > 0:`)", Choosy, {"x": _real(6)}, server="choose by torch.where",
        device="choose by torch.where",
    ),
    "cond": Case("the same through `torch.cond`", Cond, {"x": _real(6)}, device="Lowering not found: cond"),
}  # fmt: skip
