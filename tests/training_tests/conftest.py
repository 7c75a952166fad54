"""Real digits and two small real trainings, shared by all tests; the packages come from the default cache."""

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest

from training import commands
from training.data import mnist
from training.finished import Outcome, TrainOptions
from training.recipe import Splits
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
