"""Whatever interrupts a training, and however often: the same command ends with the same bits."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from edge.errors import GateError, InputError, SetupError, UsageError
from training import checkpoint
from training.checkpoint import FOLDER, Checkpoints
from training.finished import TrainOptions
from training.fit import Fitted, fit
from training.frameworks import pytorch
from training.frameworks.pytorch import reproducible
from training.frameworks.pytorch_loop import PyTorchLoop
from training.recipe import FitSettings, Split, Splits
from training.train import train

WORDS = ("train", "mnist_cnn", "--source", "subset", "--limit", "512", "--epochs", "4")
# Sends itself a signal before a certain batch, 4 of which are an epoch, and then is `tandem`.
CHILD = """
import os, signal, sys
from edge.cli import main
from training.frameworks.pytorch_loop import PyTorchLoop

at, number = int(sys.argv[1]), int(sys.argv[2])
learn, seen = PyTorchLoop._step, 0

def step(self, *args):
    global seen
    seen += 1
    if seen == at:
        os.kill(os.getpid(), number)
    return learn(self, *args)

signal.signal(signal.SIGINT, signal.default_int_handler)  # what starts the tests may have it ignored
PyTorchLoop._step = step
sys.exit(main(sys.argv[3:]))
"""


@pytest.fixture(autouse=True)
def every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """These epochs take milliseconds; each shall have its checkpoint."""
    monkeypatch.setattr(checkpoint, "PAUSE_S", 0.0)


def tandem(repository: Path, out: Path, at: int = 0, number: int = 0) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", CHILD, str(at), str(number), *WORDS, "--out", str(out)]
    return subprocess.run(words, cwd=repository, capture_output=True, text=True, timeout=300, check=False)


def weights(program: Path) -> dict[str, torch.Tensor]:
    return dict(torch.export.load(program).state_dict)


def test_killed_terminated_and_interrupted_it_ends_with_the_same_bits(repository: Path, tmp_path: Path) -> None:
    whole = tandem(repository, tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr

    out = tmp_path / "broken"
    killed = tandem(repository, out, at=6, number=signal.SIGKILL)  # in the middle of epoch 2
    assert killed.returncode == -signal.SIGKILL
    terminated = tandem(repository, out, at=7, number=signal.SIGTERM)  # goes on with epoch 2, ends in epoch 3
    assert terminated.returncode == 130
    assert "going on after epoch 1 of 4" in terminated.stderr
    assert "epoch-00002" in terminated.stderr.split("interrupted; ")[1]
    interrupted = tandem(repository, out, at=6, number=signal.SIGINT)  # goes on with epoch 3, ends in epoch 4
    assert interrupted.returncode == 130
    assert "the same command goes on from there, with --force it starts from nothing" in interrupted.stderr
    assert "Traceback" not in interrupted.stderr + terminated.stderr
    assert not list(out.glob("*/1.0.0")), "nothing half-written is left"
    last = tandem(repository, out)
    assert last.returncode == 0, last.stderr
    assert "going on after epoch 3 of 4" in last.stderr
    assert "epoch 3/4" not in last.stderr

    one, other = (folder / "mnist_cnn" / "1.0.0" for folder in (tmp_path / "whole", out))
    assert (one / "golden.npz").read_bytes() == (other / "golden.npz").read_bytes()
    first, second = weights(one / "program.pt2"), weights(other / "program.pt2")
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not (out / "mnist_cnn" / FOLDER).exists(), "a hand-over makes the checkpoints superfluous"


class Restless(nn.Module):
    """Draws from every generator, and holds a buffer; it may be interrupted or spoiled at a certain batch."""

    def __init__(self, at: int = 0, harm: str = "") -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 2))
        self._left, self._harm = at, harm

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return self.layers(x)
        self._left -= 1
        if self._left == 0 and self._harm == "interrupt":
            raise KeyboardInterrupt
        return self.layers(x + float(np.random.normal()) * 0.1) * (torch.nan if self._left == 0 and self._harm == "nan" else 1.0)


def heaps(count: int = 100) -> Splits:
    random = np.random.default_rng(0)

    def heap(size: int) -> Split:
        targets = random.integers(0, 2, size)
        points = random.normal(size=(size, 2)) + targets[:, None]
        return Split({"x": points.astype(np.float32)}, targets.astype(np.int64))

    return Splits("heaps", "", "", ("left", "right"), heap(count), heap(100), heap(100))


def run(settings: FitSettings, place: Path | None = None, at: int = 0, harm: str = "") -> tuple[Fitted, dict[str, torch.Tensor]]:
    with reproducible(settings.seed):
        module = Restless(at, harm)
        fitted = fit(pytorch, module, heaps(), settings, None if place is None else Checkpoints(place, "same", pytorch))
    return fitted, module.state_dict()


@pytest.mark.parametrize("at", [pytest.param(3, id="in the first epoch"), 7, 9, pytest.param(30, id="in the last epoch")])
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="one cycle"),
        pytest.param({"schedule": "constant", "patience": 2}, id="stops early"),
        pytest.param({"schedule": "cosine", "warmup": 0.2, "clip_norm": 0.5, "accumulate": 4, "weight_decay": 0.1}, id="everything"),
    ],
)
def test_a_training_that_goes_on_equals_one_that_was_not_interrupted(tmp_path: Path, at: int, changes: dict[str, object]) -> None:
    settings = FitSettings(epochs=5, batch_size=16, learning_rate=0.05, **changes)  # 6 batches an epoch
    whole, expected = run(settings)
    try:
        run(settings, tmp_path, at, "interrupt")
    except KeyboardInterrupt:
        pass
    else:
        assert whole.stopped_early, "only what stops early may be done before it is interrupted"
    went_on, actual = run(settings, tmp_path)
    assert all(torch.equal(expected[name], actual[name]) for name in expected)
    assert [replace(epoch, seconds=0) for epoch in went_on.history] == [replace(epoch, seconds=0) for epoch in whole.history]
    assert (went_on.best_epoch, went_on.stopped_early) == (whole.best_epoch, whole.stopped_early)


def test_what_was_finished_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = FitSettings(epochs=3, batch_size=16)
    first, expected = run(settings, tmp_path)
    monkeypatch.setattr(PyTorchLoop, "run_epoch", lambda *_: pytest.fail("nothing is left to train"))
    second, actual = run(settings, tmp_path)
    assert second.history == first.history
    assert second.seconds >= first.history[-1].seconds
    assert all(torch.equal(expected[name], actual[name]) for name in expected)


def test_a_damaged_checkpoint_costs_an_epoch_and_no_bit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = FitSettings(epochs=4, batch_size=16)
    _, expected = run(settings)
    with pytest.raises(KeyboardInterrupt):
        run(settings, tmp_path, 20, "interrupt")  # in epoch 4
    newest = max(tmp_path.iterdir())
    newest.write_bytes(newest.read_bytes()[:1000])
    _, actual = run(settings, tmp_path)
    said = capsys.readouterr().err
    assert "damaged" in said
    assert "going on after epoch 2 of 4" in said
    assert all(torch.equal(expected[name], actual[name]) for name in expected)


def test_a_checkpoint_of_another_module_is_an_error_in_words(tmp_path: Path) -> None:
    run(FitSettings(epochs=1), tmp_path)
    with pytest.raises(InputError, match=r"epoch-00001.*not a state of this model .*--force starts from nothing"):
        fit(pytorch, nn.Linear(2, 2), heaps(), FitSettings(epochs=2), Checkpoints(tmp_path, "same", pytorch))


def test_a_lost_loss_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(GateError, match="epoch 3, step 2 of 6"):
        run(FitSettings(epochs=5, batch_size=16), tmp_path, 14, "nan")
    state = Checkpoints(tmp_path, "same", pytorch).load()
    assert state is not None
    assert state["epoch"] == 2
    assert all(bool(value.isfinite().all()) for value in state["weights"].values())


def spoil(monkeypatch: pytest.MonkeyPatch, at: int, harm: Callable[[], tuple[torch.Tensor, torch.Tensor]]) -> None:
    """Let the batch of that number end otherwise."""
    learn, seen = PyTorchLoop._step, 0

    def step(self: PyTorchLoop, *args: object) -> tuple[torch.Tensor, torch.Tensor]:
        nonlocal seen
        seen += 1
        return harm() if seen == at else learn(self, *args)

    monkeypatch.setattr(PyTorchLoop, "_step", step)


def test_after_a_lost_loss_a_lower_rate_goes_on_from_the_last_good_epoch(
    small: TrainOptions, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = replace(small, epochs=3)
    spoil(monkeypatch, 4, lambda: (torch.tensor(float("nan")), torch.zeros(())))  # 2 batches an epoch: epoch 2, step 2
    with pytest.raises(
        GateError, match=r"epoch 2, step 2 of 2, .*the last good state is .*add --learning-rate 0.0004 --from \S+"
    ) as caught:
        train("mnist_cnn", options)
    path = Path(str(caught.value).rsplit("--from ", 1)[1])
    assert path.name.startswith("epoch-00001")
    capsys.readouterr()

    outcome = train("mnist_cnn", replace(options, learning_rate=4e-4, start=path))
    assert "going on after epoch 1 of 3" in capsys.readouterr().err
    assert [epoch["number"] for epoch in outcome.record["history"]] == [1, 2, 3]
    assert outcome.record["settings"]["learning_rate"] == 4e-4
    assert outcome.record["asked"]["from"] == path.name
    assert path.is_file(), "what one training wrote is not removed by another"


def test_the_first_epoch_lost_says_to_begin_again(small: TrainOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch, 1, lambda: (torch.tensor(float("inf")), torch.zeros(())))
    with pytest.raises(GateError, match="no epoch was finished: to begin again, add --learning-rate 0.0004$"):
        train("mnist_cnn", small)


def test_a_disk_that_fills_up_is_told_and_nothing_is_lost(small: TrainOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fill_up() -> tuple[torch.Tensor, torch.Tensor]:
        monkeypatch.setattr(os, "fsync", full)
        return torch.tensor(1.0), torch.zeros(())

    spoil(monkeypatch, 4, fill_up)
    with pytest.raises(SetupError, match=r"epoch-00002.*No space left on device.*epoch-00001.* is kept: the same command goes on"):
        train("mnist_cnn", replace(small, epochs=3))
    left = [path.name for path in small.out.rglob("*") if path.is_file()]
    assert [name[:11] for name in left] == ["epoch-00001"]


def test_force_starts_from_nothing(small: TrainOptions, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt() -> tuple[torch.Tensor, torch.Tensor]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        spoil(patch, 3, interrupt)
        with pytest.raises(KeyboardInterrupt):
            train("mnist_cnn", replace(small, epochs=2))
    assert "epoch-00001" in capsys.readouterr().err
    train("mnist_cnn", replace(small, epochs=2, force=True))
    said = capsys.readouterr().err
    assert "going on" not in said
    assert "epoch 1/2" in said


def test_a_start_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--from is .*epoch-00009.pt, expected a checkpoint file"):
        TrainOptions(start=tmp_path / "epoch-00009.pt")


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_a_learning_rate_that_no_training_can_use_is_a_usage_error(rate: float) -> None:
    with pytest.raises(UsageError, match="learning_rate is"):
        TrainOptions(learning_rate=rate)


def test_sigterm_means_again_what_it_meant_before(command: Callable[..., int], small: TrainOptions) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(UsageError):
        command("mnist_cnn", "--source", "subset", "--limit", "4001", "--out", str(small.out))
    assert signal.getsignal(signal.SIGTERM) is before
