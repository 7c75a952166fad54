"""Real digits and two small real trainings, shared by all tests; the packages come from the default cache."""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from training import checkpoint, commands
from training.data import mnist
from training.finished import Outcome, TrainOptions
from training.recipe import Recipe, Splits
from training.train import train


@pytest.fixture(scope="session")
def digits() -> Splits:
    """The 5,000-digit subset of MNIST."""
    return mnist.load_subset()


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """A small real training on 2,000 digits of the best MNIST that can be had; tests only read it."""
    return train("mnist_cnn", TrainOptions(out=tmp_path_factory.mktemp("trained"), epochs=1, limit=2000))


@pytest.fixture
def small(tmp_path: Path) -> TrainOptions:
    """Options of a training that takes a few seconds, into an empty folder."""
    return TrainOptions(out=tmp_path / "runs", epochs=1, limit=256, source="subset")


@pytest.fixture
def command() -> Callable[..., int]:
    """Runs `tandem train` with the words given, as the dispatcher does; an error of Tandem propagates."""

    def call(*words: str) -> int:
        parser = argparse.ArgumentParser()
        commands.add_arguments(parser)
        return commands.run(parser.parse_args(list(words)))

    return call


@pytest.fixture
def hold_interrupted_against_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Trains by a loop of a recipe's own, whole, and broken off before step `at` and taken up again; both must end with the same bits."""
    import torch

    from training.checkpoint import Checkpoints
    from training.fit import Fitted, fit
    from training.frameworks import pytorch
    from training.frameworks.pytorch import reproducible

    monkeypatch.setattr(checkpoint, "PAUSE_S", 0.0)

    def compare(recipe: Recipe, loop: Any, build: Callable[[], torch.nn.Module], splits: Splits, at: int, batch_size: int = 8) -> None:
        def trained(place: Path | None, break_at: int = 0) -> tuple[Fitted, dict[str, torch.Tensor]]:
            class Broken(loop):
                taken = 0

                def step(self, index: int) -> torch.Tensor:
                    self.taken += 1
                    if self.taken == break_at:
                        raise KeyboardInterrupt
                    return super().step(index)

            with reproducible(0):
                module = build()
                kept = None if place is None else Checkpoints(place, "same", pytorch)
                settings = replace(recipe.fit, epochs=3, batch_size=batch_size)
                fitted = fit(pytorch, module, splits, settings, kept, (), recipe.objective, Broken)
            return fitted, module.state_dict()

        whole, expected = trained(None)
        with pytest.raises(KeyboardInterrupt):
            trained(tmp_path / "kept", at)
        went_on, actual = trained(tmp_path / "kept")
        assert all(torch.equal(expected[name], actual[name]) for name in expected)
        assert [replace(epoch, seconds=0) for epoch in went_on.history] == [replace(epoch, seconds=0) for epoch in whole.history]

    return compare
