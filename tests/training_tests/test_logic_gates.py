"""Logic gates: by hand and by network, the same gradients, and no wrong answer."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from training.models import logic_gates
from training.models.logic_gates import GATES, TABLE, Gates, Layers, descend, forward, gradients, perceptron, solve
from training.recipe import DataOptions


@pytest.mark.parametrize("gate", ["AND", "OR", "NAND", "NOR"])
def test_a_perceptron_learns_what_a_straight_line_parts(gate: str) -> None:
    weights = perceptron(TABLE, np.array(GATES[gate]))
    assert weights is not None
    assert ((np.column_stack([TABLE, np.ones(4)]) @ weights > 0) == GATES[gate]).all()


@pytest.mark.parametrize("gate", ["XOR", "XNOR"])
def test_a_perceptron_never_learns_what_no_line_parts(gate: str) -> None:
    assert perceptron(TABLE, np.array(GATES[gate]), rounds=1000) is None


@pytest.mark.parametrize("size", [1, 2, 5, 8])
def test_the_same_loop_solves_linear_equations(size: int) -> None:
    random = np.random.default_rng(size)
    coefficients = random.normal(size=(size, size)) + 2 * size * np.eye(size)
    x = random.normal(size=size)
    np.testing.assert_allclose(solve(coefficients, coefficients @ x), x, atol=1e-8)


@pytest.mark.parametrize("gates", [pytest.param(1, id="2-2-1"), pytest.param(6, id="2-2-6")])
def test_gradients_by_hand_are_those_of_autograd(gates: int) -> None:
    random = np.random.default_rng(gates)
    network = Gates(gates).double()
    layers = Layers(*(weight.detach().numpy() for weight in network.parameters()))
    inputs, targets = random.normal(size=(20, 2)), random.integers(0, 2, (20, gates)).astype(float)
    answers = network(torch.from_numpy(inputs))
    np.testing.assert_allclose(forward(layers, inputs)[1], answers.detach().numpy(), rtol=1e-12)
    F.binary_cross_entropy(answers, torch.from_numpy(targets)).backward()
    for weight, slope in zip(network.parameters(), gradients(layers, inputs, targets), strict=True):
        assert weight.grad is not None
        np.testing.assert_allclose(slope, weight.grad.numpy(), rtol=1e-9, atol=1e-15)


def test_two_hidden_units_learn_xor_by_hand() -> None:
    targets = np.array(GATES["XOR"], float)[:, None]
    answers = forward(descend(TABLE, targets), TABLE)[1]
    assert np.abs(answers - targets).max() < 0.05


def test_the_truth_table_is_what_is_tested() -> None:
    splits = logic_gates.load(DataOptions())
    assert len(splits.test) == 4
    names = splits.note.removeprefix("the truth tables of ").split(", ")
    for row, answers in zip(splits.test.inputs["wires"], splits.test.targets, strict=True):
        a, b = (bool(wire) for wire in row)
        right = {"AND": a and b, "OR": a or b, "NAND": not (a and b), "NOR": not (a or b), "XOR": a != b, "XNOR": a == b}
        assert dict(zip(names, answers.astype(bool).tolist(), strict=True)) == right
    assert np.abs(splits.train.inputs["wires"] - np.rint(splits.train.inputs["wires"])).max() < logic_gates.NOISE + 1e-6
    assert logic_gates.RECIPE.contract.labels == tuple(names)


@pytest.mark.parametrize("recipe", [logic_gates.RECIPE, *logic_gates.VARIANTS], ids=lambda recipe: recipe.contract.name)
def test_the_floor_leaves_no_room_for_one_wrong_answer(recipe) -> None:  # type: ignore[no-untyped-def]
    answers = len(TABLE) * len(recipe.contract.labels)
    assert recipe.contract.metric.floor * answers < 0.5
