"""Learning by trial and error: the racing car by a table, CartPole by a network that goes on as it would have."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edge.errors import SetupError
from training import cartpole, checkpoint, racing
from training.checkpoint import Checkpoints
from training.fit import Fitted, fit
from training.frameworks import pytorch
from training.frameworks.pytorch import reproducible
from training.models import dqn
from training.models.dqn import Agent, Trials
from training.recipe import DataOptions


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


def trained(place: Path | None, break_at: int = 0, epochs: int = 3) -> tuple[Fitted, dict[str, torch.Tensor]]:
    """Train in few steps; stop before the step of that number."""
    settings = replace(dqn.RECIPE.fit, epochs=epochs, batch_size=16)

    class Few(Trials):
        taken = 0

        def step(self, index: int) -> torch.Tensor:
            self.taken += 1
            if self.taken == break_at:
                raise KeyboardInterrupt
            return super().step(index)

    def make(*args: object) -> Few:
        loop = Few(*args)  # type: ignore[arg-type]  # as `fit` gives them
        loop.steps = 40
        return loop

    with reproducible(0):
        module = Agent(8)
        kept = None if place is None else Checkpoints(place, "same", pytorch)
        fitted = fit(pytorch, module, SPLITS, settings, kept, (), dqn.RECIPE.objective, make)
    return fitted, module.state_dict()


SPLITS = dqn._splits(lambda states: np.arange(len(states)) % 2, dqn._leanings, "made up")


@pytest.mark.parametrize("at", [pytest.param(20, id="in the first epoch"), pytest.param(100, id="in the last")])
def test_interrupted_or_not_it_ends_with_the_same_bits(at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "PAUSE_S", 0.0)
    monkeypatch.setattr(dqn, "JUDGED", 3)
    whole, expected = trained(None)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, at)
    went_on, actual = trained(tmp_path)
    assert all(torch.equal(expected[name], actual[name]) for name in expected)
    assert [replace(epoch, seconds=0) for epoch in went_on.history] == [replace(epoch, seconds=0) for epoch in whole.history]


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
