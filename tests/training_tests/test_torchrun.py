"""`torchrun … -m edge train` and `tandem train --processes`: for real, killed in the middle, and with errors."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from edge.errors import SetupError, UnknownModelError, UsageError
from training import launch
from training.checkpoint import FOLDER

WORDS = ("train", "mnist_cnn", "--source", "subset", "--limit", "512", "--epochs", "3")
RUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
# Is `tandem`, but the process of rank 1 kills itself once, in the middle of epoch 2.
KILLED = """
import os, signal, sys
from edge.cli import main
from training import checkpoint
from training.frameworks.pytorch_loop import PyTorchLoop

learn, seen = PyTorchLoop._step, 0

def step(self, *args):
    global seen
    seen += 1
    if seen == 6 and os.environ["RANK"] == "1" and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
        os.kill(os.getpid(), signal.SIGKILL)
    return learn(self, *args)

PyTorchLoop._step, checkpoint.PAUSE_S = step, 0.0
sys.exit(main(sys.argv[1:]))
"""


def python(repository: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *words], cwd=repository, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_killed_rank_costs_an_epoch_and_no_bit(repository: Path, tmp_path: Path) -> None:
    whole = python(repository, "-m", "edge", *WORDS, "--processes", "2", "--out", str(tmp_path / "whole"))
    assert whole.returncode == 0, whole.stderr
    assert whole.stdout.count("hand-over:") == 1
    assert [line.split(":")[0] for line in whole.stderr.splitlines()[2:]] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert "3 epochs, seed 0, 2 processes" in whole.stderr

    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    killed = python(repository, *RUN, "--max-restarts", "3", str(script), *WORDS, "--out", str(tmp_path / "killed"))
    assert killed.returncode == 0, killed.stderr
    assert killed.stderr.count("going on after epoch 1 of 3") == 1
    assert killed.stderr.count("epoch 3/3") == killed.stdout.count("hand-over:") == 1
    assert "Traceback" not in killed.stderr

    one, other = (folder / "mnist_cnn" / "1.0.0" for folder in (tmp_path / "whole", tmp_path / "killed"))
    first, second = (torch.export.load(folder / "program.pt2").state_dict for folder in (one, other))
    assert all(torch.equal(first[name], second[name]) for name in first)
    with np.load(one / "golden.npz") as stored, np.load(other / "golden.npz") as again:
        assert all(np.array_equal(stored[name], again[name]) for name in stored)
    assert not (tmp_path / "killed" / "mnist_cnn" / FOLDER).exists()
    assert not list(tmp_path.rglob("*.tmp*"))

    skipped = python(repository, "-m", "edge", *WORDS, "--processes", "2", "--out", str(tmp_path / "killed"))
    assert "training skipped in" in skipped.stdout
    assert skipped.stderr == ""


def test_a_lost_loss_is_one_message_and_the_exit_code(repository: Path, tmp_path: Path) -> None:
    done = python(repository, "-m", "edge", *WORDS, "--learning-rate", "1e30", "--processes", "2", "--out", str(tmp_path))
    assert done.returncode == 4
    lines = [line for line in done.stderr.splitlines() if line.startswith("tandem: ")]
    assert len(lines) == 1
    assert "lower the learning rate (it is 1e+30)" in lines[0]
    assert done.stderr.count("2 processes") == 1, "what would fail again is not started again"
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        pytest.param(("mnist_cnn", "--processes", "0"), UsageError, "--processes is 0, expected a whole number from 1", id="none"),
        pytest.param(("mnist_cnm", "--processes", "2"), UnknownModelError, "did you mean mnist_cnn", id="told before any is started"),
        pytest.param(("mnist_cnn", "--processes", "2", "--sweep", "lr=1,2"), UsageError, "--sweep trains in one process", id="sweep"),
    ],
)
def test_what_cannot_be_started_is_told(
    command: Callable[..., int], words: tuple[str, ...], error: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        command(*words, "--out", str(tmp_path))


def test_processes_within_a_group_are_refused(command: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("RANK", "0"), ("WORLD_SIZE", "2"), ("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", "1")):
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match="--processes inside of torchrun"):
        launch.train_in(2, "mnist_cnn", launch.TrainOptions())


def test_a_process_that_is_killed_again_and_again_is_told() -> None:
    class Failed:
        exitcode, timestamp, message = -9, 1, ""

    with pytest.raises(SetupError, match="rank 1 was killed by SIGKILL, after 3 restarts"):
        raise launch._failure({1: Failed()})
