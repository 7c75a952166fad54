"""Losses and metrics as each library computes them, against numpy; and a task whose answers are values, on the whole stage."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edge.contract import Contract, Graph, Metric, Tensor
from edge.errors import InputError
from edge.measures import MEASURES
from export.handover import open_handover
from training import discover
from training.finished import TrainOptions
from training.frameworks import pytorch_objective
from training.objective import CLASSES, Objective
from training.recipe import DataOptions, FitSettings, Recipe, Split, Splits
from training.train import train

CASES = [
    pytest.param("accuracy", "cross_entropy", (6, 3), (6,), id="classes"),
    pytest.param("accuracy", "cross_entropy", (6, 5, 3), (6, 5), id="classes of a sequence"),
    pytest.param("perplexity", "cross_entropy", (6, 5, 3), (6, 5), id="next letters"),
    pytest.param("f1", "cross_entropy", (6, 2), (6,), id="alarms"),
    *(pytest.param(name, "mean_squares", (6, 4, 2), (6, 4, 2), id=name) for name in ("rmse", "mae", "psnr")),
]


def asked(loss: str, outputs: tuple[int, ...], targets: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    right = random.integers(0, outputs[-1], targets) if loss == "cross_entropy" else random.random(targets).astype(np.float32)
    return random.normal(size=outputs).astype(np.float32), right


@pytest.mark.parametrize(("metric", "loss", "outputs", "targets"), CASES)
def test_pytorch_computes_what_numpy_does(metric: str, loss: str, outputs: tuple[int, ...], targets: tuple[int, ...]) -> None:
    given, right = asked(loss, outputs, targets)
    expected_loss, expected = Objective(loss, metric).judge(given, right)
    tensors = torch.from_numpy(given), torch.from_numpy(right)
    assert float(pytorch_objective.loss(loss, *tensors)) == pytest.approx(expected_loss, rel=1e-5)
    sums = pytorch_objective.contributions(metric, *tensors).numpy().reshape(-1)
    assert float(MEASURES[metric].value(sums / len(given))) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("metric", "loss", "outputs", "targets"), CASES)
def test_keras_computes_what_numpy_does(metric: str, loss: str, outputs: tuple[int, ...], targets: tuple[int, ...]) -> None:
    from training.frameworks import keras_objective
    from training.frameworks.keras_backend import tf

    given, right = asked(loss, outputs, targets)
    expected_loss, expected = Objective(loss, metric).judge(given, right)
    tensors = tf.constant(given), tf.constant(right)
    assert float(keras_objective.loss(loss, *tensors)) == pytest.approx(expected_loss, rel=1e-5)
    sums = keras_objective.contributions(metric, *tensors).numpy()
    assert float(MEASURES[metric].value(sums / len(given))) == pytest.approx(expected, rel=1e-5)


def test_a_lower_error_and_a_higher_accuracy_are_better() -> None:
    assert Objective("mean_squares", "rmse").merit(0.1, 0.5) > Objective("mean_squares", "rmse").merit(0.2, 0.1)
    assert CLASSES.merit(0.9, 0.5) > CLASSES.merit(0.8, 0.1)
    assert CLASSES.merit(0.9, 0.4) > CLASSES.merit(0.9, 0.5)


def plane(_options: DataOptions) -> Splits:
    """Points in a plane and a value that is linear in them, with a little noise."""
    random = np.random.default_rng(0)

    def split(count: int) -> Split:
        points = random.normal(size=(count, 2)).astype(np.float32)
        noise = random.normal(0, 0.05, count)
        return Split({"x": points}, (points @ [2.0, -1.0] + 0.5 + noise)[:, None].astype(np.float32))

    return Splits("plane", "0" * 64, "made", (), split(2000), split(300), split(300))


RECIPE = Recipe(
    contract=Contract(
        schema=1,
        name="plane_linear",
        version="1.0.0",
        task="regression",
        graphs=(Graph("main", (Tensor("x", "float32", ("batch", 2), "NC"),), (Tensor("y", "float32", ("batch", 1), "NC"),)),),
        metric=Metric("rmse", "lower", 0.1),
        targets=("server",),
        recipes=(),
        requires_runtimes=("onnxruntime",),
        licence="Apache-2.0",
    ),
    load_data=plane,
    build=lambda: torch.nn.Linear(2, 1),
    fit=FitSettings(epochs=5, learning_rate=0.1, batch_size=64),
    task="regression",
)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discover, "find", lambda name: RECIPE)
    monkeypatch.setattr(discover, "name_of", lambda name: name)
    monkeypatch.setattr(discover, "file_of", lambda name: Path(__file__))


@pytest.mark.usefixtures("found")
def test_values_are_learned_judged_and_handed_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = train("plane_linear", TrainOptions(out=tmp_path))
    metric = outcome.record["metric"]
    assert metric["name"] == "rmse"
    assert 0.04 < metric["test"] < 0.06, "the noise"
    assert metric["test_interval"][0] < metric["test"] < metric["test_interval"][1]
    assert metric["floor_met"]
    assert outcome.record["best_epoch"] == min(outcome.record["history"], key=lambda one: one["validation_metric"])["number"]
    assert "rmse" in capsys.readouterr().err
    page = (outcome.folder / "run.html").read_text()
    assert "Furthest off" in page
    assert "Lower is better for rmse" in page
    assert (outcome.folder / "values.png").read_bytes().startswith(b"\x89PNG")
    handed = open_handover(tmp_path / "plane_linear")
    assert handed.target.dtype == np.float32
    assert handed.golden.labels == ()
    assert json.loads((outcome.folder / "training.json").read_text())["errors"]["test"]["mae"] < 0.06


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(lambda y: y.astype(np.float64), r"train targets are float64 \(2000, 1\), expected float32", id="another dtype"),
        pytest.param(lambda y: y[:, 0], r"train targets are float32 \(2000,\), expected float32 \(batch, 1\)", id="another shape"),
        pytest.param(lambda y: np.where(y > 3, np.nan, y).astype(np.float32), "train targets hold NaN or infinity", id="not finite"),
    ],
)
def test_values_that_no_training_can_use_are_told(spoil: object, message: str) -> None:
    splits = plane(DataOptions())
    with pytest.raises(InputError, match=message):
        RECIPE.check_data(replace(splits, train=Split(splits.train.inputs, spoil(splits.train.targets))))
