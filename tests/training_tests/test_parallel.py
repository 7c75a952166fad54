"""What the ranks of a group do together: every sample once, the steps of one process, one error for all."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from edge.errors import SetupError
from training.checkpoint import Checkpoints
from training.fit import fit
from training.frameworks import distributed, meeting, pytorch
from training.frameworks.pytorch import reproducible
from training.ranks import current, joined, launched
from training.recipe import FitSettings, Split, Splits

COUNT = 103
PLAIN = {"epochs": 1, "batch_size": 100, "learning_rate": 0.1, "schedule": "constant"}
EVERYTHING = {"epochs": 4, "batch_size": 15, "learning_rate": 0.05, "schedule": "cosine", "clip_norm": 0.5, "accumulate": 4}
RESTLESS = {"epochs": 6, "batch_size": 16, "learning_rate": 0.05}

# Runs as both ranks; each writes what it saw.
MEMBER = """
import json, sys
from pathlib import Path

import numpy as np
import torch
from test_parallel import EVERYTHING, PLAIN, RESTLESS, Restless, heaps, line, spoiled
from edge.errors import GateError, SetupError, TandemError
from training import checkpoint
from training.checkpoint import Checkpoints
from training.fit import fit
from training.frameworks import pytorch
from training.frameworks.pytorch_loop import PyTorchLoop
from training.progress import Bar, say
from training.ranks import joined
from training.recipe import FitSettings

checkpoint.PAUSE_S = 0.0
folder = Path(sys.argv[1])
seen = {}

def refuse():
    raise SetupError(f"rank {ranks.number} has no disk")

def message(action):
    try:
        action()
    except (TandemError, KeyboardInterrupt) as error:
        return f"{type(error).__name__}: {error}"

def trained(module, settings, splits=None, place=None):
    with pytorch.reproducible(0):
        fitted = fit(pytorch, module, splits or heaps(), FitSettings(**settings), place)
    return module

with joined() as ranks:
    loop = pytorch.loop(line(), heaps(), FitSettings(epochs=2, batch_size=16))
    seen["drawn"], rows, learn = torch.rand(1).item(), [], PyTorchLoop._step
    PyTorchLoop._step = lambda self, step, batch, *rest: rows.append(batch.tolist()) or learn(self, step, batch, *rest)
    seen["history"] = [loop.run_epoch(number, Bar(0)).train_metric for number in (1, 2)]
    PyTorchLoop._step = learn
    seen["rows"] = rows
    for name, settings in (("plain", PLAIN), ("everything", EVERYTHING)):
        torch.save(trained(line(), settings).state_dict(), folder / f"{name}-{ranks.number}.pt")
    restless = trained(Restless(), RESTLESS)
    torch.save(restless.state_dict(), folder / f"restless-{ranks.number}.pt")
    seen["metric"] = float(np.mean(pytorch.runner(restless)(heaps().test.inputs).argmax(axis=1) == heaps().test.targets))
    kept = Checkpoints(folder / "kept", "same", pytorch)
    seen["interrupted"] = message(lambda: trained(Restless(at=20), RESTLESS, place=kept))
    seen["lost"] = message(lambda: trained(line(), {"epochs": 2, "batch_size": 16}, spoiled(40)))
    seen["first"] = message(lambda: ranks.first(refuse))
    seen["every"] = message(lambda: ranks.every(refuse if ranks.number == 1 else int))
    seen["got"] = ranks.first(lambda: ranks.number), ranks.every(lambda: ranks.number)
    seen["few"] = message(lambda: trained(line(), {"batch_size": 1}))
    say("this is said once")
(folder / f"seen-{ranks.number}.json").write_text(json.dumps(seen))
"""


def heaps(count: int = COUNT) -> Splits:
    random = np.random.default_rng(0)

    def heap(size: int) -> Split:
        targets = random.integers(0, 2, size)
        points = random.normal(size=(size, 2)) + 3 * targets[:, None]
        return Split({"x": points.astype(np.float32)}, targets.astype(np.int64))

    return Splits("heaps", "", "", ("left", "right"), heap(count), heap(101), heap(1000))


def spoiled(row: int) -> Splits:
    """The heaps with one sample that no loss survives."""
    splits = heaps()
    splits.train.inputs["x"][row] = np.nan
    return splits


def line() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))


class Restless(nn.Module):
    """Has statistics and draws random numbers; it may be interrupted at a certain batch."""

    def __init__(self, at: int = 0) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 2))
        self._left = at

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self._left -= self.training
        if self._left == 0 and self.training:
            raise KeyboardInterrupt
        return self.layers(x)


def trained(module: nn.Module, settings: dict[str, Any], checkpoints: Checkpoints | None = None) -> nn.Module:
    with reproducible(0):
        fit(pytorch, module, heaps(), FitSettings(**settings), checkpoints)
    return module


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]], str]:
    """Two real ranks: the folder that they wrote to, what each saw, and what was said."""
    folder = tmp_path_factory.mktemp("group")
    (folder / "member.py").write_text(MEMBER)
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "member.py", str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return folder, [json.loads((folder / f"seen-{rank}.json").read_text()) for rank in (0, 1)], done.stderr


Group = tuple[Path, list[dict[str, Any]], str]


def test_each_sample_is_seen_once_in_an_epoch_by_one_rank(group: Group) -> None:
    first, second = (seen["rows"] for seen in group[1])
    assert len(first) == len(second) == 12, "6 batches of 16 in each of 2 epochs"
    for epoch in (slice(0, 6), slice(6, 12)):
        rows = [row for batches in (first[epoch], second[epoch]) for batch in batches for row in batch]
        assert len(rows) == len(set(rows)) == 96, "the 7 samples left over wait for another epoch's shuffle"
        assert set(rows) <= set(range(COUNT))
    assert first[:6] != first[6:], "each epoch has an order of its own"


def test_a_batch_is_what_one_process_would_take(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[list[int]] = []
    learn = pytorch.PyTorchLoop._step

    def step(self: pytorch.PyTorchLoop, number: int, batch: torch.Tensor, *rest: Any) -> tuple[Any, Any]:
        rows.append(batch.tolist())
        return learn(self, number, batch, *rest)

    monkeypatch.setattr(pytorch.PyTorchLoop, "_step", step)
    trained(line(), {"epochs": 2, "batch_size": 16})
    assert [first + second for first, second in zip(*(seen["rows"] for seen in group[1]), strict=True)] == rows


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        pytest.param("plain", PLAIN, id="the first update"),
        pytest.param("everything", EVERYTHING, id="uneven parts, accumulated and clipped, to the end"),
    ],
)
def test_two_ranks_learn_what_one_process_learns(group: Group, name: str, settings: dict[str, Any]) -> None:
    alone = trained(line(), settings).state_dict()
    for rank in (0, 1):
        weights = torch.load(group[0] / f"{name}-{rank}.pt", weights_only=True)
        torch.testing.assert_close(weights, dict(alone), rtol=1e-4, atol=1e-5)


def test_ranks_end_with_the_same_bits_and_draw_other_numbers(group: Group) -> None:
    first, second = (torch.load(group[0] / f"restless-{rank}.pt", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert group[1][0]["drawn"] != group[1][1]["drawn"], "dropout must not be the same on all"
    assert group[1][0]["history"] == group[1][1]["history"], "the figures are those of the whole"


def test_with_statistics_of_each_rank_the_metric_is_that_of_one_process(group: Group) -> None:
    test = heaps().test
    alone = float(np.mean(pytorch.runner(trained(Restless(), RESTLESS))(test.inputs).argmax(axis=1) == test.targets))
    assert alone > 0.95
    assert group[1][0]["metric"] == pytest.approx(alone, abs=0.02)


def test_a_lost_loss_on_one_rank_ends_both_with_the_step(group: Group) -> None:
    first, second = (seen["lost"] for seen in group[1])
    assert first == second
    order = torch.randperm(COUNT, generator=torch.Generator().manual_seed(0)).tolist()
    assert first.startswith(f"GateError: the loss is nan in epoch 1, step {order.index(40) // 16 + 1} of 6, expected a finite number")


def test_an_error_on_one_rank_is_that_of_all(group: Group) -> None:
    for seen in group[1]:
        assert seen["first"] == "SetupError: rank 0 has no disk"
        assert seen["every"] == "SetupError: rank 1 has no disk"
        assert seen["few"] == "UsageError: a batch has 1 samples for 2 processes, expected one for each; start fewer of them"
        assert seen["interrupted"] == "KeyboardInterrupt: "
    assert [seen["got"] for seen in group[1]] == [[0, 0], [0, 1]]


def test_one_speaks_for_all(group: Group) -> None:
    assert group[2].count("this is said once") == 1
    assert group[2].count("epoch 1/6") == 2, "of two trainings of 6 epochs"


def test_another_number_of_processes_goes_on_and_this_is_said(group: Group, capsys: pytest.CaptureFixture[str]) -> None:
    module = Restless()
    trained(module, RESTLESS, Checkpoints(group[0] / "kept", "same", pytorch))
    said = capsys.readouterr().err
    assert "processes: 2 until now, 1 from here on; the order of the samples goes on" in said
    assert "going on after epoch 3 of 6" in said
    test = heaps().test
    assert float(np.mean(pytorch.runner(module)(test.inputs).argmax(axis=1) == test.targets)) > 0.95


def test_on_gpus_batch_normalisation_is_that_of_all_ranks() -> None:
    module = Restless()
    everywhere = distributed.synchronised(module)
    assert [type(layer) for layer in everywhere.modules() if "Norm" in type(layer).__name__] == [nn.SyncBatchNorm]
    assert [type(layer) for layer in module.modules() if "Norm" in type(layer).__name__] == [nn.BatchNorm1d], "it is a copy"
    assert list(everywhere.state_dict()) == list(module.state_dict())
    assert distributed.replica(module, torch.device("cpu")) is module


def test_after_a_restart_what_the_dead_left_behind_misleads_nobody() -> None:
    store = torch.distributed.HashStore()
    for key, value in (("asks/1", "dead"), ("asks/2", "dead too"), ("knows/old/1", "yes"), ("answers/dead", "old")):
        store.set(f"tandem/{key}", value)
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda rank: meeting.fresh(store, rank, 3, timedelta(seconds=20)), (0, 1, 2)))
    found[0].set("address", "of rank 0")
    assert [corner.get("address") for corner in found] == [b"of rank 0"] * 3
    assert not store.check(["address"]), "it is a corner of its own"


def test_ranks_that_do_not_come_are_named() -> None:
    with pytest.raises(SetupError, match="rank 0 of 3: waited 0:00:00 for the ranks 1, 2; start them too"):
        meeting.fresh(torch.distributed.HashStore(), 0, 3, timedelta())


def test_a_process_without_a_launcher_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    assert not launched()
    with joined() as ranks:
        assert (ranks.number, ranks.count) == (0, 1)
        assert current() is ranks
        assert ranks.first(lambda: 3) == ranks.every(lambda: 3) == 3
