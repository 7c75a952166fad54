"""Logic gates by the smallest network that can: two inputs, two hidden units, one output for each gate.

Run:      tandem train logic_gates                 (then: tandem export logic_gates)
Expected: every gate right on every row of the truth table, in every format: mean absolute error 0.0017 as trained (seed 0), 0.0024 as
          int8 TFLite on both runtimes for devices
Time:     1 s for 60 epochs on one thread of a CPU with much other work beside it, 11 s with everything around it
Size:     24 parameters; 0.9 kB as ONNX, 2.6 kB as int8, most of it names
Source:   the perceptron and its rule (Rosenblatt, 1958); why it cannot learn XOR (Minsky and Papert, 1969); hidden units learn by
          back-propagation (Rumelhart, Hinton and Williams, 1986); one linear equation after another (Kaczmarz, 1937)

The shortest tour of the whole road:

1. `perceptron` learns AND, OR, NAND and NOR by hand, and can never learn XOR. The same loop with another step, `solve`, solves
   linear equations.
2. `forward` and `gradients` are the 2-2-1 network and its derivatives, written out in numpy; `descend` learns XOR with them.
   PyTorch's gradients of `Gates` are the same numbers.
3. `RECIPE` gives PyTorch's network to the stage: `tandem train logic_gates` writes runs/logic_gates/1.0.0.
4. `tandem export logic_gates` writes ONNX for the server and int8 TFLite for devices, and holds both against the trained network.
5. `tandem serve`, then POST {"inputs": [0, 1]} to /predict/logic_gates; or, on the device, `tandem run bundles/logic_gates wires.npy`.

The test split is the truth table itself, which is all that there is to know; training sees it with noise, as wires carry it. A
mean absolute error of up to 0.02 over four rows and six gates leaves no room for one wrong answer: 24 times 0.02 is below 0.5.

Variant `logic_gates_xor`: the network of the course documents, 2-2-1, for XOR alone; 9 parameters, mean absolute error 0.0046, as
int8 0.0039.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import NamedTuple, cast

import numpy as np
from torch import Tensor, nn

from edge.contract import Contract, Graph, Metric, Step, Tolerance
from edge.contract import Tensor as Promise
from training.recipe import Array, DataOptions, FitSettings, Recipe, Split, Splits

TABLE: Array = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
GATES = {"AND": (0, 0, 0, 1), "OR": (0, 1, 1, 1), "NAND": (1, 1, 1, 0), "NOR": (1, 0, 0, 0), "XOR": (0, 1, 1, 0), "XNOR": (1, 0, 0, 1)}
NOISE = 0.2  # the most by which a wire is off


def perceptron(inputs: Array, targets: Array, rounds: int = 100) -> Array | None:
    """Learn a gate by Rosenblatt's rule: where the answer is wrong, move the weights towards the right one.

    Args:
        inputs: (N, F), 0 or 1.
        targets: (N,), 0 or 1.
        rounds: Passes over them, at most.

    Returns:
        Weights, the last for a constant 1: (F + 1,). None where no straight line was found that parts the answers.
    """
    rows = np.column_stack([inputs, np.ones(len(inputs))])
    weights = np.zeros(rows.shape[1])
    for _ in range(rounds):
        wrong = 0
        for row, target in zip(rows, targets, strict=True):
            error = target - (row @ weights > 0)
            weights += error * row
            wrong += error != 0
        if not wrong:
            return weights
    return None


def solve(coefficients: Array, right: Array, rounds: int = 10_000) -> Array:
    """Solve linear equations by the perceptron's loop without its threshold: each row in turn moves x until that row holds.

    Args:
        coefficients: (N, N), of full rank.
        right: (N,).
        rounds: Passes over the equations, at most.

    Returns:
        x, (N,), such that coefficients @ x is right.
    """
    x = np.zeros(coefficients.shape[1])
    for _ in range(rounds):
        for row, target in zip(coefficients, right, strict=True):
            x += (target - row @ x) / (row @ row) * row
        if np.abs(coefficients @ x - right).max() < 1e-12:
            break
    return x


class Layers(NamedTuple):
    """A network of two layers: (2, F), (2,), (G, 2) and (G,)."""

    hidden: Array
    hidden_bias: Array
    out: Array
    out_bias: Array


def forward(layers: Layers, inputs: Array) -> tuple[Array, Array]:
    """Return the hidden units, (N, 2), and the answers, (N, G) from 0 to 1."""
    hidden = np.tanh(inputs @ layers.hidden.T + layers.hidden_bias)
    return hidden, 1 / (1 + np.exp(-(hidden @ layers.out.T + layers.out_bias)))


def gradients(layers: Layers, inputs: Array, targets: Array) -> Layers:
    """Differentiate the mean binary cross-entropy of inputs (N, F) and targets (N, G) by every weight, by the chain rule."""
    hidden, answers = forward(layers, inputs)
    at_out = (answers - targets) / targets.size  # (N, G): what sigmoid and cross-entropy leave of each other
    at_hidden = (at_out @ layers.out) * (1 - hidden**2)  # (N, 2): back through the weights, then through tanh
    return Layers(at_hidden.T @ inputs, at_hidden.sum(axis=0), at_out.T @ hidden, at_out.sum(axis=0))


def descend(inputs: Array, targets: Array, steps: int = 2000, rate: float = 2.0, seed: int = 0) -> Layers:
    """Learn targets (N, G) by going down the gradient, all samples at once."""
    random = np.random.default_rng(seed)
    layers = Layers(*(random.normal(size=shape) for shape in ((2, inputs.shape[1]), (2,), (targets.shape[1], 2), (targets.shape[1],))))
    for _ in range(steps):
        slopes = gradients(layers, inputs, targets)
        layers = Layers(*(weight - rate * slope for weight, slope in zip(layers, slopes, strict=True)))
    return layers


class Gates(nn.Module):
    """The same network in PyTorch."""

    def __init__(self, gates: int = len(GATES)) -> None:
        """Make the layers, with random weights."""
        super().__init__()
        self.hidden, self.out = nn.Linear(2, 2), nn.Linear(2, gates)

    def forward(self, wires: Tensor) -> Tensor:
        """Answer for each gate.

        Args:
            wires: (B, 2) float32, 0 is false, 1 is true.

        Returns:
            (B, G) float32, from 0, false, to 1, true.
        """
        return cast("Tensor", self.out(self.hidden(wires).tanh()).sigmoid())


def one_gate() -> nn.Module:
    """Make the documents' network, 2-2-1."""
    return Gates(1)


def load(_options: DataOptions, gates: tuple[str, ...] = tuple(GATES)) -> Splits:
    """Make the truth table of some gates: with noise to train on, as it is to test on."""
    targets = np.array([GATES[gate] for gate in gates], np.float32).T  # (4, G)

    def noisy(copies: int, seed: int) -> Split:
        shift = np.random.default_rng(seed).uniform(-NOISE, NOISE, (4 * copies, 2))
        return Split({"wires": (np.tile(TABLE, (copies, 1)) + shift).astype(np.float32)}, np.tile(targets, (copies, 1)))

    digest, note = hashlib.sha256(targets.tobytes()).hexdigest(), f"the truth tables of {', '.join(gates)}"
    return Splits("truth tables", digest, note, (), noisy(64, 1), noisy(16, 2), Split({"wires": TABLE}, targets))


def load_xor(options: DataOptions) -> Splits:
    """Make the truth table of XOR."""
    return load(options, ("XOR",))


def _contract(name: str, gates: tuple[str, ...], description: str, worst: float) -> Contract:
    wires = Promise("wires", "float32", ("batch", 2), "NC", (-NOISE, 1 + NOISE), "two wires: 0 is false, 1 is true")
    truth = Promise("truth", "float32", ("batch", len(gates)), "NC", (0.0, 1.0), f"of {', '.join(gates)}: 0 is false, 1 is true")
    return Contract(
        schema=1,
        name=name,
        version="1.0.0",
        task="tabular-regression",
        description=description,
        graphs=(Graph("main", (wires,), (truth,)),),
        postprocess=(Step("top_k", k=len(gates)),),
        labels=gates,
        metric=Metric("mae", "lower", floor=worst),
        targets=("server", "device", "browser"),
        recipes=("static_wi8_ai8",),
        requires_runtimes=("onnxruntime", "ai-edge-litert", "tflite-runtime"),
        tolerance=Tolerance(onnx=1e-5, tflite=1e-5, agreement=1.0, metric_drop=0.01),
        licence="Apache-2.0",
        source="truth tables",
    )


RECIPE = Recipe(
    contract=_contract("logic_gates", tuple(GATES), "What six logic gates say of two wires.", worst=0.02),
    load_data=load,
    build=Gates,
    fit=FitSettings(epochs=60, batch_size=16, learning_rate=0.1),
    task="regression",
    loss=nn.functional.binary_cross_entropy,
)

VARIANTS = (
    replace(
        RECIPE,
        contract=_contract("logic_gates_xor", ("XOR",), "What an XOR gate says of two wires, by the 2-2-1 network.", worst=0.1),
        load_data=load_xor,
        build=one_gate,
    ),
)
