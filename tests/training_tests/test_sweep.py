"""Settings by name, and sweeps over them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edge.cli import main
from edge.errors import GateError, UsageError
from training import discover, overrides, sweep
from training.finished import Outcome, TrainOptions

MNIST = discover.find("mnist_cnn")


class Made:
    """A model whose width can be chosen."""

    def __init__(self, width: int = 8, name: str = "small") -> None:
        self.width, self.name = width, name


@pytest.mark.parametrize(
    ("text", "expected"),
    [("3", 3), ("1e-3", 0.001), ("true", True), ("None", None), ("cosine", "cosine"), ("-2", -2)],
)
def test_values_are_read_as_written(text: str, expected: object) -> None:
    read = overrides.value(text)
    assert read == expected
    assert type(read) is type(expected)


def test_settings_reach_the_fit_and_the_model() -> None:
    recipe = replace(MNIST, build=Made)
    changed = overrides.apply(recipe, {"learning_rate": "0.5", "epochs": "2", "schedule": "cosine", "width": "32"})
    assert (changed.fit.learning_rate, changed.fit.epochs, changed.fit.schedule) == (0.5, 2, "cosine")
    assert changed.build().width == 32
    assert changed.build().name == "small"
    assert overrides.apply(recipe, {}) == recipe


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"widht": "3"}, "mnist_cnn has no setting 'widht'; there are: .*batch_size.*width .of build.", id="unknown"),
        pytest.param({"epochs": "2.5"}, "epochs is 2.5, expected a whole number", id="another kind"),
        pytest.param({"learning_rate": "-1"}, "learning_rate is -1, expected a finite number above 0", id="out of range"),
        pytest.param({"learning_rate": "fast"}, "learning_rate is 'fast', expected a finite number above 0", id="a word"),
    ],
)
def test_settings_that_cannot_be_used_are_told(settings: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        overrides.apply(replace(MNIST, build=Made), settings)


@pytest.mark.parametrize("text", ["lr", "lr=", "=3", "a b=3"])
def test_what_is_no_assignment_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="expected NAME=VALUE"):
        overrides.assignment(text, "--set")


@pytest.mark.parametrize(
    ("texts", "trials", "message"),
    [
        pytest.param(["lr=1e-4..1e-1"], None, "gives a range for learning_rate; say how many .* --trials", id="a range without trials"),
        pytest.param(["lr=1..0"], 3, "a lower number", id="backwards"),
        pytest.param(["lr=a..b"], 3, "expected two numbers around ..", id="words"),
        pytest.param(["lr=1", "learning_rate=2"], None, "names a setting twice", id="twice"),
        pytest.param(["lr=1"], 0, "asks for 0 trainings", id="none"),
    ],
)
def test_sweeps_that_make_no_sense_are_told(texts: list[str], trials: int | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        sweep.run("mnist_cnn", [sweep.axis(text) for text in texts], trials, TrainOptions(), never)


def never(name: str, options: TrainOptions) -> Outcome:
    pytest.fail("nothing may be trained")


def hill(name: str, options: TrainOptions) -> Outcome:
    """Be best at learning_rate 0.1 and width 16; lose the loss above 1."""
    settings = dict(options.settings)
    rate, width = float(settings["learning_rate"]), int(settings.get("width", 16))
    if rate > 1:
        raise GateError("the loss is nan")
    metric = 1 - abs(rate - 0.1) - abs(width - 16) / 100
    record = {
        "metric": {"name": "accuracy", "direction": "higher", "validation": metric},
        "loss": {"validation": 1 - metric},
        "fit_seconds": 1,
    }
    return Outcome(options.out / "1.0.0", record, skipped=False)


def test_a_grid_is_walked_whole_and_ranked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    axes = [sweep.axis("lr=0.01,0.1,5"), sweep.axis("width=8,16")]
    walked = sweep.run("./mine/hill.py", axes, None, TrainOptions(out=tmp_path), hill)
    assert len(walked.trials) == 6
    assert walked.trials[0].settings == {"learning_rate": "0.1", "width": "16"}
    assert [one.metric is None for one in walked.trials] == [False] * 4 + [True] * 2
    assert len({one.folder for one in walked.trials}) == 6
    text = sweep.describe(walked)
    assert text.splitlines()[1].split() == ["0.1", "16", "1.0000", "0.0000", "1.0"]
    assert "tandem train ./mine/hill.py --set learning_rate=0.1 width=16" in text
    picture = sweep.write(walked, tmp_path)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert len(json.loads(picture.with_name("sweep.json").read_text())["trials"]) == 6
    assert "sweep 6/6" in capsys.readouterr().err


def test_optuna_chooses_the_same_again_and_comes_near_the_best(tmp_path: Path) -> None:
    axes = [sweep.axis("lr=1e-3..0.9"), sweep.axis("width=1..64")]
    first, second = (sweep.run("hill", axes, 30, TrainOptions(out=tmp_path), hill) for _ in range(2))
    assert [one.settings for one in first.trials] == [one.settings for one in second.trials]
    best = first.trials[0]
    assert best.metric is not None
    assert best.metric > 0.9


def test_a_real_sweep_trains_each_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "train",
        "mnist_cnn",
        "--out",
        str(tmp_path),
        "--source",
        "subset",
        "--limit",
        "256",
        "--epochs",
        "1",
        "--sweep",
        "lr=1e-9,1e-2",
    ]
    assert main(words) == 0
    first = capsys.readouterr()
    assert first.out.splitlines()[1].split()[0] == "1e-2", "learning beats standing still"
    assert "best: learning_rate=1e-2" in first.out
    assert main([*words, "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert [one["settings"]["learning_rate"] for one in again["trials"]] == ["1e-2", "1e-9"]
    assert not (tmp_path / "mnist_cnn").exists(), "a sweep writes no hand-over of its own"
