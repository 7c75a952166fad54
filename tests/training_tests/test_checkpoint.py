"""Checkpoints: whole or passed over, never run as code, and never the reason that an earlier one is lost."""

import errno
import hashlib
import io
import os
import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edge.errors import InputError, SetupError
from training import checkpoint
from training.checkpoint import Checkpoints, read
from training.frameworks import pytorch
from training.frameworks.generators import generators, set_generators


@pytest.fixture(autouse=True)
def every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """These epochs take milliseconds; each shall have its checkpoint."""
    monkeypatch.setattr(checkpoint, "PAUSE_S", 0.0)


def state(value: float = 1.0) -> dict[str, Any]:
    weights = {"weight": torch.full((3, 2), value)}
    return {
        "weights": weights,
        "best_weights": weights,
        "best_epoch": 1,
        "learning": {
            "optimizer": {0: {"step": torch.tensor(1.0), "exp_avg": torch.zeros(3, 2)}},
            "steps": 4,
            "shuffle": torch.Generator().get_state(),
            "generators": generators(),
        },
        "history": [{"number": 1, "train_loss": value}],
        "seconds": 1.5,
    }


@pytest.fixture
def kept(tmp_path: Path) -> Checkpoints:
    """Three epochs saved; the weights are the epoch's number."""
    checkpoints = Checkpoints(tmp_path / ".checkpoints" / "abc", "abcdef", pytorch)
    for epoch in (1, 2, 3):
        checkpoints.save(epoch, state(epoch))
    return checkpoints


def files(checkpoints: Checkpoints) -> list[Path]:
    return sorted(checkpoints.folder.iterdir())


def again(checkpoints: Checkpoints) -> Checkpoints:
    """The same place, as the next process finds it."""
    return Checkpoints(checkpoints.folder, "abcdef", pytorch)


def loaded_epoch(checkpoints: Checkpoints) -> int | None:
    found = checkpoints.load()
    if found is None:
        return None
    assert torch.equal(found["weights"]["weight"], torch.full((3, 2), float(found["epoch"])))
    return int(found["epoch"])


def test_the_newest_comes_back_whole_and_the_one_before_is_kept(kept: Checkpoints) -> None:
    assert [path.name[:11] for path in files(kept)] == ["epoch-00002", "epoch-00003"]
    found = again(kept).load()
    assert found is not None
    assert found["epoch"] == 3
    assert found["learning"]["steps"] == 4
    assert found["seconds"] == 1.5
    assert found["history"] == [{"number": 1, "train_loss": 3}]
    assert torch.equal(found["best_weights"]["weight"], torch.full((3, 2), 3.0))
    assert torch.equal(found["learning"]["optimizer"][0]["exp_avg"], torch.zeros(3, 2))


def test_the_name_carries_the_hash_and_the_file_is_a_plain_torch_file(kept: Checkpoints) -> None:
    for path in files(kept):
        assert hashlib.sha256(path.read_bytes()).hexdigest().startswith(path.name.split(".")[1])
        assert torch.load(path, weights_only=True)["schema"] == checkpoint.SCHEMA


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1  # inside a tensor: torch itself would not notice
    path.write_bytes(bytes(content))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGE = [pytest.param(harm, id=harm.__name__) for harm in (truncate, flip, empty, replace_by_folder)]


@pytest.mark.parametrize("harm", DAMAGE)
def test_a_damaged_checkpoint_is_told_and_the_one_before_is_used(
    kept: Checkpoints, harm: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    harm(files(kept)[-1])
    assert loaded_epoch(again(kept)) == 2
    said = capsys.readouterr().err
    assert str(files(kept)[-1]) in said
    assert "passing it over" in said


@pytest.mark.parametrize("harm", DAMAGE)
def test_where_none_is_whole_training_starts_from_nothing_and_says_so(
    kept: Checkpoints, harm: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    for path in files(kept):
        harm(path)
    assert loaded_epoch(again(kept)) is None
    assert "no checkpoint can be used, training starts from nothing" in capsys.readouterr().err


def test_a_forged_checkpoint_runs_nothing(kept: Checkpoints, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Forged:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "broken in"),)

    buffer = io.BytesIO()
    torch.save({**state(), "weights": Forged()}, buffer, pickle_module=pickle)
    content = buffer.getvalue()
    name = f"epoch-00009.{hashlib.sha256(content).hexdigest()[:16]}.pt"
    (kept.folder / name).write_bytes(content)
    assert loaded_epoch(again(kept)) == 3
    assert name in capsys.readouterr().err
    assert not (tmp_path / "broken in").exists()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param([1, 2], id="a list"),
        pytest.param({"schema": 1, **state()}, id="another schema"),
        pytest.param({"schema": 3, "fingerprint": "abcdef", "epoch": 9}, id="half of it"),
    ],
)
def test_what_is_no_checkpoint_of_this_version_is_refused(tmp_path: Path, content: object) -> None:
    path = tmp_path / "mine.pt"
    torch.save(content, path)
    with pytest.raises(InputError, match="no checkpoint of this version, expected schema 3"):
        read(path, pytorch)


def test_another_training_is_not_continued(kept: Checkpoints, capsys: pytest.CaptureFixture[str]) -> None:
    assert Checkpoints(kept.folder, "abcxyz", pytorch).load() is None, "the beginning of the fingerprint may coincide, the whole must not"
    assert Checkpoints(kept.folder.with_name("xyz"), "xyz", pytorch).load() is None
    assert "holds checkpoints of other settings, data or sources only" in capsys.readouterr().err


def test_where_nothing_is_nothing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoints = Checkpoints(tmp_path / ".checkpoints" / "abc", "abc", pytorch)
    assert checkpoints.load() is None
    assert "no epoch was finished" in checkpoints.kept()
    checkpoints.remove()
    assert capsys.readouterr().err == ""


def test_own_epochs_come_before_the_one_to_start_with(kept: Checkpoints, tmp_path: Path) -> None:
    start = files(kept)[-1]
    other = Checkpoints(kept.folder.with_name("other"), "other", pytorch, start)
    assert loaded_epoch(other) == 3
    other.save(4, state(4))
    assert start.is_file(), "what another training wrote is not ours to remove"
    assert loaded_epoch(Checkpoints(other.folder, "other", pytorch, start)) == 4


def test_a_damaged_start_is_an_error(kept: Checkpoints) -> None:
    start = files(kept)[-1]
    flip(start)
    with pytest.raises(InputError, match="damaged, its SHA-256 begins with"):
        Checkpoints(kept.folder.with_name("other"), "other", pytorch, start).load()


def test_a_full_disk_is_told_and_the_earlier_checkpoints_stay(kept: Checkpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_bytes() for path in files(kept)}

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SetupError, match=r"could not be written \(No space left on device\).*epoch-00003.* is kept") as caught:
        kept.save(4, state(4))
    assert caught.value.exit_code == 6
    assert {path.name: path.read_bytes() for path in files(kept)} == before
    monkeypatch.undo()
    assert loaded_epoch(again(kept)) == 3


def test_epochs_of_less_than_a_second_share_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "PAUSE_S", 1.0)
    now = 100.0
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now)
    checkpoints = Checkpoints(tmp_path, "abcdef", pytorch)
    for epoch in range(1, 8):
        checkpoints.save(epoch, state(epoch))
        now += 0.4
    assert [path.name[:11] for path in files(checkpoints)] == ["epoch-00004", "epoch-00007"]


def test_removing_leaves_the_checkpoints_of_others(kept: Checkpoints) -> None:
    other = Checkpoints(kept.folder.with_name("other"), "other", pytorch)
    other.save(1, state())
    kept.remove()
    assert [path.name for path in kept.folder.parent.iterdir()] == ["other"]
    other.remove()
    assert not kept.folder.parent.exists()


def test_the_generators_go_on_where_they_were() -> None:
    def draw() -> tuple[Any, ...]:
        return torch.rand(3).tolist(), np.random.normal(size=3).tolist(), random.random(), random.gauss(0, 1)

    random.gauss(0, 1)  # half of a pair is waiting now
    np.random.normal()
    held = generators()
    first = draw()
    draw()
    set_generators(held)
    assert draw() == first
