"""Learning by trial and error: the racing car by a table, CartPole by a network that goes on as it would have."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from edge.errors import SetupError
from training import cartpole, racing
from training.models import dqn
from training.models.dqn import Agent, Trials
from training.recipe import DataOptions
from training.rounded import Rounded


@pytest.mark.parametrize("discount", [0.5, 0.9])
def test_a_table_that_drives_equals_one_that_knows_the_world(discount: float) -> None:
    known, driven = racing.value_iteration(discount), racing.q_learning(discount)
    np.testing.assert_allclose(driven, known, atol=0.15)
    assert (driven[:2].argmax(axis=1) == known[:2].argmax(axis=1)).all()
    assert [racing.ACTIONS[best] for best in known[:2].argmax(axis=1)] == ["fast", "slow"]


def test_the_values_of_the_racing_car_solve_bellmans_equations() -> None:
    # With discount .5, cool goes fast and warm slow: C = 2 + (C + W) / 4 and W = 1 + (C + W) / 4, so C = 3.5 and W = 2.5.
    np.testing.assert_allclose(racing.value_iteration(0.5), [[2.75, 3.5], [2.5, -10.0], [0.0, 0.0]], atol=1e-8)


def test_episodes_side_by_side_are_those_one_by_one() -> None:
    together = cartpole.play(cartpole.leaning, range(5, 9))
    alone = [cartpole.play(cartpole.leaning, range(seed, seed + 1)) for seed in range(5, 9)]
    assert together.returns.tolist() == [float(one.returns[0]) for one in alone]
    np.testing.assert_array_equal(together.states, np.concatenate([one.states for one in alone]))


def test_random_pushes_soon_let_the_pole_fall() -> None:
    played = cartpole.play(lambda states: np.zeros(len(states)), range(10), exploration=1.0)
    assert 10 < played.mean < 60
    assert len(played.states) == played.returns.sum(), "every step that was paid began in a state that is kept"


def test_an_episode_is_filmed_as_a_moving_picture() -> None:
    from PIL import Image

    states = cartpole.play(cartpole.leaning, range(1)).states[:40]
    with Image.open(__import__("io").BytesIO(cartpole.film(states))) as film:
        assert film.format == "GIF"
        assert film.n_frames == 20
        assert film.info["duration"] == 40, "two steps of a fiftieth of a second"


def test_without_gymnasium_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gymnasium", None)
    with pytest.raises(SetupError, match=r"extra \[control\]"):
        dqn.load(DataOptions())


class Few(Trials):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.steps = 40


SPLITS = dqn._splits(lambda states: np.arange(len(states)) % 2, dqn._leanings, "made up")


@pytest.mark.parametrize("at", [pytest.param(20, id="in the first epoch"), pytest.param(100, id="in the last")])
def test_interrupted_or_not_it_ends_with_the_same_bits(
    at: int, monkeypatch: pytest.MonkeyPatch, hold_interrupted_against_whole: Callable[..., None]
) -> None:
    monkeypatch.setattr(dqn, "JUDGED", 3)
    hold_interrupted_against_whole(dqn.RECIPE, Few, lambda: Agent(8), SPLITS, at, batch_size=16)


def test_rounding_for_good_moves_no_answer_and_leaves_weights_of_8_bits() -> None:
    torch.manual_seed(0)
    layer = Rounded(4, 3)
    values = torch.randn(50, 4)
    before = layer(values)
    layer.fix()
    torch.testing.assert_close(layer(values), before, rtol=0, atol=1e-6)
    steps = layer.weight / layer.weight.abs().amax(dim=1, keepdim=True) * 127
    torch.testing.assert_close(steps, steps.round(), rtol=0, atol=1e-3)


def test_gradients_pass_the_rounding() -> None:
    torch.manual_seed(0)
    layer, values = Rounded(4, 3), torch.randn(50, 4)
    layer(values).sum().backward()
    torch.testing.assert_close(layer.weight.grad, values.sum(dim=0).expand(3, 4))


def test_the_older_self_is_told_and_does_not_learn() -> None:
    torch.manual_seed(0)
    agent = Agent(8)
    state = torch.randn(5, 4)
    torch.testing.assert_close(agent.returns(state), agent.older_returns(state))
    with torch.no_grad():
        agent.value.bias.add_(1.0)
    torch.testing.assert_close(agent.returns(state), agent.older_returns(state) + 1)
    agent.follow(0.25)
    torch.testing.assert_close(agent.returns(state), agent.older_returns(state) + 0.75)
    assert not any(weight.requires_grad for weight in agent.older.parameters())


def test_the_part_that_leaves_ranks_as_the_returns_do() -> None:
    torch.manual_seed(1)
    agent = Agent(8)
    state = torch.randn(50, 4)
    difference = agent.policy(state).diff(dim=1)
    torch.testing.assert_close(difference, agent.returns(state).diff(dim=1))


def test_splits_come_from_seeds_that_differ() -> None:
    rows = [{tuple(row) for row in split.inputs["state"]} for split in SPLITS.parts().values()]
    assert not rows[0] & rows[1]
    assert not rows[0] & rows[2]
    assert not rows[1] & rows[2]
