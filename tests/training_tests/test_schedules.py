"""Learning-rate schedules, and settings that no training can use."""

import pytest
import torch
from torch import nn

from edge.errors import UsageError
from training.recipe import FitSettings
from training.schedules import Rate, schedule


@pytest.mark.parametrize("steps", [1, 2, 3, 15, 100])
def test_one_cycle_is_that_of_torch_to_the_bit(steps: int) -> None:
    optimizer = torch.optim.AdamW([nn.Parameter(torch.zeros(1))], 4e-3)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps + 1)
    ours = schedule(FitSettings(learning_rate=4e-3), steps)
    for step in range(steps):
        group = optimizer.param_groups[0]
        assert ours(step) == Rate(group["lr"], group["betas"][0])
        optimizer.step()
        theirs.step()


@pytest.mark.parametrize(
    ("name", "warmup", "expected"),
    [
        pytest.param("constant", 0.0, [1, 1, 1, 1, 1, 1, 1, 1], id="constant"),
        pytest.param("constant", 0.375, [0.25, 0.5, 0.75, 1, 1, 1, 1, 1], id="constant after warm-up"),
        pytest.param("cosine", 0.0, [1, 0.9619, 0.8536, 0.6913, 0.5, 0.3087, 0.1464, 0.0381], id="cosine"),
        pytest.param("cosine", 0.5, [0.2, 0.4, 0.6, 0.8, 1, 0.8536, 0.5, 0.1464], id="cosine after warm-up"),
    ],
)
def test_the_rate_of_each_step(name: str, warmup: float, expected: list[float]) -> None:
    rate = schedule(FitSettings(schedule=name, warmup=warmup, learning_rate=2.0), 8)
    assert [rate(step).learning_rate / 2 for step in range(8)] == pytest.approx(expected, abs=1e-4)
    assert {rate(step).beta1 for step in range(8)} == {0.9}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"clip_norm": 0.0}, "clip_norm is 0.0, expected a finite number above 0"),
        ({"clip_norm": float("nan")}, "clip_norm is nan"),
        ({"accumulate": 0}, "accumulate is 0, expected a whole number from 1"),
        ({"accumulate": True}, "accumulate is True"),
        ({"warmup": 1.0, "schedule": "cosine"}, "warmup is 1.0, expected a share of the steps from 0 to below 1"),
        ({"warmup": -0.1, "schedule": "cosine"}, "warmup is -0.1"),
        ({"warmup": float("nan"), "schedule": "cosine"}, "warmup is nan"),
        ({"warmup": 0.1}, "with the schedule one_cycle, which rises by itself; expected constant or cosine"),
        ({"schedule": "step"}, "schedule is 'step', expected one of constant, one_cycle, cosine"),
    ],
)
def test_settings_that_no_training_can_use_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        FitSettings(**settings)
