"""Keras models: they learn, go on after an interruption with the same bits, stop in words, and leave as the same file."""

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.errors import ContractError, GateError, InputError, SetupError, UsageError
from training import checkpoint
from training.checkpoint import Checkpoints
from training.fit import Fitted, fit
from training.frameworks import framework, plain_state
from training.recipe import FitSettings, Split, Splits

KERAS = framework("keras")
from training.frameworks.keras_backend import keras, tf  # noqa: E402  # silent only after the line above

Weights = dict[str, np.ndarray]


@pytest.fixture(autouse=True)
def every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """These epochs take milliseconds; each shall have its checkpoint."""
    monkeypatch.setattr(checkpoint, "PAUSE_S", 0.0)


def heaps(count: int = 100) -> Splits:
    random = np.random.default_rng(0)

    def heap(size: int) -> Split:
        targets = random.integers(0, 2, size)
        points = random.normal(size=(size, 2)) + 2 * targets[:, None]
        return Split({"x": points.astype(np.float32)}, targets.astype(np.int64))

    return Splits("heaps", "", "", ("left", "right"), heap(count), heap(100), heap(100))


def restless() -> "keras.Model":
    """A model with normalisation, a random layer and a regulariser."""
    of = keras.layers
    first = [keras.Input((2,), name="x"), of.Dense(16, kernel_regularizer=keras.regularizers.L2(1e-3))]
    return keras.Sequential([*first, of.BatchNormalization(), of.ReLU(), of.Dropout(0.3), of.Dense(2)])


def line() -> "keras.Model":
    return keras.Sequential([keras.Input((2,), name="x"), keras.layers.Dense(2, kernel_initializer="zeros")])


def run(settings: FitSettings, place: Path | None = None, at: int = 0) -> tuple[Fitted, Weights]:
    """Train; at that batch, be interrupted."""
    with KERAS.reproducible(settings.seed):
        model = restless()
        kept = None if place is None else Checkpoints(place, "same", KERAS)
        with pytest.MonkeyPatch.context() as patch:
            if at:
                interrupt(patch, at)
            fitted = fit(KERAS, model, heaps(), settings, kept)
    return fitted, {variable.path: variable.numpy() for variable in model.variables}


def interrupt(patch: pytest.MonkeyPatch, at: int) -> None:
    from training.frameworks.keras_loop import KerasLoop

    learn, seen = KerasLoop._step, 0

    def step(self: KerasLoop, *args: object) -> tuple[float, int]:
        nonlocal seen
        seen += 1
        if seen == at:
            raise KeyboardInterrupt
        return learn(self, *args)

    patch.setattr(KerasLoop, "_step", step)


def same(first: Weights, second: Weights) -> bool:
    return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("name", ["constant", "one_cycle", "cosine"])
def test_it_learns(name: str) -> None:
    splits, model = heaps(400), line()
    result = fit(KERAS, model, splits, FitSettings(epochs=6, batch_size=16, learning_rate=0.1, schedule=name))
    answers = KERAS.runner(model)(splits.test.inputs)
    assert answers.dtype == np.float32
    assert np.mean(answers.argmax(axis=1) == splits.test.targets) > 0.85
    assert result.history[-1].train_loss < result.history[0].train_loss
    assert result.device in ("CPU", "GPU")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="one cycle"),
        pytest.param({"schedule": "cosine", "warmup": 0.2, "clip_norm": 0.5, "accumulate": 4, "weight_decay": 0.1}, id="everything"),
    ],
)
def test_a_training_that_goes_on_equals_one_that_was_not_interrupted(tmp_path: Path, changes: dict[str, object]) -> None:
    settings = FitSettings(epochs=4, batch_size=16, learning_rate=0.05, **changes)  # 6 batches an epoch
    whole, expected = run(settings)
    with pytest.raises(KeyboardInterrupt):
        run(settings, tmp_path, at=15)  # in epoch 3
    assert [path.suffix for path in tmp_path.iterdir()] == [".npz", ".npz"]
    went_on, actual = run(settings, tmp_path)
    assert same(expected, actual)
    assert "seed_generator_state" in " ".join(expected), "the random layer's state is among them"
    assert [replace(epoch, seconds=0) for epoch in went_on.history] == [replace(epoch, seconds=0) for epoch in whole.history]
    assert not same(expected, run(replace(settings, seed=1))[1])


def test_a_checkpoint_of_another_model_is_an_error_in_words(tmp_path: Path) -> None:
    run(FitSettings(epochs=1), tmp_path)
    with pytest.raises(InputError, match=r"epoch-00001.*not a state of this model .*--force starts from nothing"):
        fit(KERAS, line(), heaps(), FitSettings(epochs=2), Checkpoints(tmp_path, "same", KERAS))


def test_a_loss_that_is_not_finite_names_epoch_and_step_and_changes_nothing() -> None:
    splits = heaps(64)
    points = splits.train.inputs["x"].copy()
    points[:] = np.nan
    broken = replace(splits, train=Split({"x": points}, splits.train.targets))
    model = line()
    with pytest.raises(GateError, match=r"the loss is nan in epoch 1, step 1 of 4, .*lower the learning rate \(it is 0.001\)"):
        fit(KERAS, model, broken, FitSettings(epochs=3, batch_size=16))
    assert not model.layers[0].kernel.numpy().any(), "no step may be taken on a loss that is not finite"


def test_a_validation_loss_that_is_not_finite_stops_too() -> None:
    splits = heaps(64)
    broken = replace(splits, validation=Split({"x": np.full((4, 2), np.nan, np.float32)}, np.zeros(4, np.int64)))
    with pytest.raises(GateError, match="the validation loss is nan after epoch 1, step 4 of 4"):
        fit(KERAS, line(), broken, FitSettings(epochs=2, batch_size=16))


@pytest.mark.parametrize(
    ("batch_size", "accumulate"), [pytest.param(16, 4, id="whole groups"), pytest.param(8, 100, id="fewer than asked for")]
)
def test_accumulated_batches_learn_what_one_large_batch_learns(batch_size: int, accumulate: int) -> None:
    def weights(**settings: int) -> np.ndarray:
        model = line()
        fit(KERAS, model, heaps(64), FitSettings(epochs=3, learning_rate=0.1, schedule="constant", **settings))
        return model.layers[0].kernel.numpy()

    np.testing.assert_allclose(weights(batch_size=batch_size, accumulate=accumulate), weights(batch_size=64), rtol=1e-3, atol=1e-4)


def test_a_gradient_is_clipped_to_its_norm() -> None:
    def moment(most: float | None) -> float:
        loop = KERAS.loop(line(), heaps(16), FitSettings(batch_size=16, clip_norm=most, schedule="constant"))
        loop._step(0, tf.range(16))
        return float(np.sqrt(sum(np.sum(np.square(m)) for n, m in loop.state()["optimizer"].items() if "momentum" in n))) / 0.1

    assert moment(0.01) == pytest.approx(0.01, rel=1e-3)
    assert moment(None) > 0.1


def test_two_inputs_reach_the_model_in_order() -> None:
    first, second = keras.Input((1,), name="b"), keras.Input((1,), name="a")
    model = keras.Model([first, second], keras.layers.Subtract()([first, second]))
    answer = KERAS.runner(model)({"first": np.array([[5.0]], np.float32), "second": np.array([[2.0]], np.float32)})
    assert answer.tolist() == [[3.0]]


def save(path: Path) -> bytes:
    with KERAS.reproducible(0):
        model = restless()
        fit(KERAS, model, heaps(), FitSettings(epochs=1))
        KERAS.save(path, model, heaps().test)
    return path.read_bytes()


def test_the_saved_program_is_the_same_file_each_time_and_loads_safely(tmp_path: Path) -> None:
    content = save(tmp_path / "model.keras")
    assert content == save(tmp_path / "again.keras")
    dates = {member.date_time for member in zipfile.ZipFile(io.BytesIO(content)).infolist()}
    assert dates == {(1980, 1, 1, 0, 0, 0)}
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    inputs = heaps().test.inputs
    with KERAS.reproducible(0):
        model = restless()
        fit(KERAS, model, heaps(), FitSettings(epochs=1))
    np.testing.assert_array_equal(KERAS.runner(loaded)(inputs), KERAS.runner(model)(inputs))
    assert KERAS.program(model) == "model.keras"
    assert KERAS.parameters(model) == 2 * 16 + 16 + 4 * 16 + 16 * 2 + 2


class Own(keras.layers.Layer):
    """A layer of this file's own."""


def compiled() -> "keras.Model":
    model = line()
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize(
    ("build", "message"),
    [
        pytest.param(compiled, "is compiled; leave model.compile out", id="compiled"),
        pytest.param(lambda: keras.Sequential([keras.Input((2,)), Own()]), "holds a Own of .*, which cannot", id="a layer of its own"),
        pytest.param(
            lambda: keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x)]), "holds a Lambda", id="a function of its own"
        ),
        pytest.param(lambda: keras.Sequential([keras.layers.Dense(2)]), "begins with keras.Input", id="no declared input"),
        pytest.param(lambda: 3, "build gives a int", id="no model"),
    ],
)
def test_a_model_that_could_not_be_released_is_refused_before_it_learns(build: object, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        KERAS.loop(build(), heaps(), FitSettings())


def test_another_optimiser_is_refused_in_words() -> None:
    with pytest.raises(UsageError, match="optimizer is 'sgd', expected adamw"):
        KERAS.loop(line(), heaps(), FitSettings(optimizer="sgd"))


def test_an_input_of_another_dtype_is_refused_in_words() -> None:
    with pytest.raises(ContractError, match="the model takes x as float32, the data are x as uint8; give keras.Input that dtype"):
        KERAS.runner(line())({"x": np.zeros((1, 2), np.uint8)})


def test_what_is_for_pytorch_only_is_left_out_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    loop = KERAS.loop(line(), heaps(), FitSettings(mixed_precision=True, compile=True))
    assert "mixed_precision, compile: not for Keras models, left out" in capsys.readouterr().err
    assert not loop.settings.compile


def test_a_state_comes_back_as_it_was() -> None:
    array = np.arange(3, dtype=np.float32)
    state = {"a": array, "b": {"same": array, "n": [1, 2.5, None, "w", 2**127]}, "t": (np.int64(1), True)}
    content = plain_state.encode(state)
    back = plain_state.decode(content)
    np.testing.assert_array_equal(back["b"]["same"], array)
    assert back["a"] is back["b"]["same"], "stored once"
    assert (back["b"]["n"], back["t"]) == ([1, 2.5, None, "w", 2**127], [1, True])


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"PK\x03\x04 and no more", id="half an archive"),
        pytest.param(plain_state.encode({"a": np.zeros(9)})[:-40], id="cut off"),
        pytest.param(b"\x80\x04K\x01.", id="a pickle"),
    ],
)
def test_bytes_that_are_no_state_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="not arrays and JSON"):
        plain_state.decode(content)


def test_an_object_array_is_not_unpickled() -> None:
    buffer = io.BytesIO()
    np.savez(buffer, structure=np.frombuffer(json.dumps({"$array": "x"}).encode(), np.uint8), x=np.array([object], dtype=object))
    with pytest.raises(ValueError, match="not arrays and JSON.*allow_pickle"):
        plain_state.decode(buffer.getvalue())


def test_a_library_that_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "training.frameworks.keras", None)
    with pytest.raises(SetupError, match=r"install Tandem with the extra \[keras\]"):
        framework("keras")
