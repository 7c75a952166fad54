"""A released model in use: the same answers on both runtimes, and words for whatever does not fit."""

import json
import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import edge
from edge import Model, contract, model, runtimes
from edge.bundle import Bundle
from edge.errors import ContractError, GateError, InputError, ProviderError, RuntimeMissingError, UsageError
from edge.golden import Golden
from edge.model import Prediction
from edge.steps.scores import Ranked

RUNTIMES = {"onnxruntime": "model.onnx", "ai-edge-litert": "model.static_wi8_ai8.tflite"}


@pytest.fixture(scope="module", params=RUNTIMES)
def opened(request: pytest.FixtureRequest, bundle: Path) -> Model:
    """The released model on one of the runtimes."""
    return Model.open(bundle, runtime=request.param, target="server" if request.param == "onnxruntime" else "device")


@pytest.fixture(scope="module")
def digits(bundle: Path) -> np.ndarray:
    """Golden inputs: (N, 28, 28, 1) uint8."""
    with np.load(bundle / "golden.npz") as arrays:
        return arrays["input/image"]


@pytest.fixture(scope="module")
def labels(bundle: Path) -> list[str]:
    """The trainer's answers to them."""
    with np.load(bundle / "golden.npz") as arrays:
        return [str(label) for label in arrays["label"]]


def test_each_target_gets_its_file(opened: Model) -> None:
    assert opened.variant.file == RUNTIMES[opened.runtime.name]
    assert 0 <= opened.drift["logits"] <= opened.variant.tolerance
    assert opened.runtime.provider in ("CPU", "CPUExecutionProvider")
    assert opened.runtime.version == runtimes.installed()[opened.runtime.name]


def test_answers_are_the_trainers(opened: Model, digits: np.ndarray, labels: list[str]) -> None:
    answers = opened.predict_many(list(digits))
    assert [answer.label for answer in answers] == labels
    assert [opened.predict(digit).label for digit in digits[:3]] == labels[:3]


def test_both_runtimes_give_the_same_probabilities(bundle: Path, digits: np.ndarray) -> None:
    server, device = Model.open(bundle, target="server"), Model.open(bundle, variant="model.fp32.tflite")
    assert (server.runtime.name, device.runtime.name) == ("onnxruntime", "ai-edge-litert")
    for ours, theirs in zip(server.predict_many(list(digits)), device.predict_many(list(digits)), strict=True):
        assert ours.label == theirs.label
        np.testing.assert_allclose([item.score for item in ours.ranking], [item.score for item in theirs.ranking], atol=1e-3)


def test_one_by_one_is_the_same_as_together(opened: Model, digits: np.ndarray) -> None:
    together = opened.run({"image": digits[:5]})["logits"]
    assert together.shape == (5, 10)
    assert together.dtype == np.float32
    for i in range(5):
        np.testing.assert_allclose(opened.run({"image": digits[i : i + 1]})["logits"][0], together[i], atol=1e-4)


def test_picture_in_any_form_gets_the_same_answer(opened: Model, digits: np.ndarray, encoded: Callable[..., bytes], tmp_path: Path) -> None:
    content = encoded(Image.fromarray(digits[0, :, :, 0]), "PNG")
    (tmp_path / "digit.png").write_bytes(content)
    np.save(tmp_path / "digit.npy", digits[0])
    forms = [digits[0], digits[0, :, :, 0], content, tmp_path / "digit.png", str(tmp_path / "digit.npy"), {"image": digits[0]}]
    answers = [opened.predict(form) for form in forms]
    assert all(answer.ranking == answers[0].ranking for answer in answers)


def test_answer_as_data(opened: Model, digits: np.ndarray) -> None:
    answer = opened.predict(digits[0])
    data = json.loads(json.dumps(answer.to_dict()))
    assert list(data) == ["label", "score", "ranking"]
    assert data["ranking"][0] == {"label": answer.label, "index": answer.ranking[0].index, "score": answer.score}
    assert len(data["ranking"]) == 3
    assert answer.outputs["logits"].shape == (10,)
    assert answer.ranking[0].index == int(answer.outputs["logits"].argmax())


def test_no_inputs_give_no_answers(opened: Model) -> None:
    assert opened.predict_many([]) == []


@pytest.mark.parametrize(
    ("value", "fragment"),
    [
        pytest.param({"picture": 1}, "mnist_cnn: no input is called 'picture'; there are image", id="another name"),
        pytest.param({}, "mnist_cnn: input 'image' is missing", id="no input"),
        pytest.param(
            {"image": np.zeros((32, 32, 1), np.uint8)}, "input 'image' is uint8 (32, 32, 1), expected uint8 (28, 28, 1)", id="size"
        ),
        pytest.param({"image": np.zeros((28, 28), np.uint8)}, "input 'image' is uint8 (28, 28), expected", id="no channel axis"),
        pytest.param({"image": np.zeros((1, 28, 28, 1), np.uint8)}, "input 'image' is uint8 (1, 28, 28, 1)", id="a batch"),
        pytest.param({"image": np.zeros((28, 28, 1), np.float32)}, "input 'image' is float32 (28, 28, 1)", id="floating point"),
        pytest.param({"image": [[1], [2, 3]]}, "input 'image'", id="ragged list"),
        pytest.param({"image": "seven"}, "input 'image' is <U5 ()", id="a word"),
        pytest.param(np.zeros((9, 9), np.float64), "dtype float64, expected uint8", id="a picture of doubles"),
        pytest.param(7, "a picture is int", id="a number"),
    ],
)
def test_value_that_does_not_fit(opened: Model, value: Any, fragment: str) -> None:
    with pytest.raises(InputError) as refusal:
        opened.predict(value)
    assert fragment in str(refusal.value)


@pytest.mark.parametrize(
    "inputs",
    [
        pytest.param({"image": np.zeros((1, 28, 28, 1), np.float32)}, id="another dtype"),
        pytest.param({"image": np.zeros((1, 14, 14, 1), np.uint8)}, id="another size"),
        pytest.param({"image": np.zeros((28, 28, 1), np.uint8)}, id="no batch axis"),
        pytest.param({"image": np.zeros((0, 28, 28, 1), np.uint8)}, id="no sample"),
        pytest.param({"picture": np.zeros((1, 28, 28, 1), np.uint8)}, id="another name"),
        pytest.param({}, id="nothing"),
        pytest.param({"image": [[[[1]]]]}, id="a list"),
        pytest.param({"image": np.uint8(7)}, id="a number"),
        pytest.param({"image": np.array(7, np.uint8)}, id="no axis"),
    ],
)
def test_every_runtime_refuses_arrays_that_do_not_fit(opened: Model, inputs: dict[str, np.ndarray]) -> None:
    with pytest.raises(InputError, match="image"):
        opened.run(inputs)


@pytest.mark.parametrize("threads", [0, 1025, 1.5, "2", True])
def test_threads_are_a_number_that_a_machine_can_have(bundle: Path, threads: Any) -> None:
    with pytest.raises(InputError, match=f"threads is {threads!r}, expected 1 to 1024"):
        Model.open(bundle, threads=threads)


def test_several_threads(bundle: Path) -> None:
    assert Model.open(bundle, threads=2).variant.file == "model.static_wi8_ai8.tflite"


@pytest.mark.parametrize(
    ("options", "error", "fragment"),
    [
        pytest.param({"variant": "int4"}, ContractError, "no file fits variant 'int4'", id="no such variant"),
        pytest.param({"runtime": "onnxruntime"}, ContractError, "no file fits target 'device' on onnxruntime", id="runtime of the server"),
        pytest.param({"runtime": "onnxruntime"}, ContractError, "; --variant model.onnx would run", id="what would run"),
        pytest.param({"device": "cuda"}, ProviderError, "but ai-edge-litert runs on the processor alone", id="no CUDA"),
        pytest.param({"device": "tpu"}, ProviderError, "device is 'tpu', expected one of cpu, cuda, auto", id="no such device"),
        pytest.param({"target": "phone"}, ContractError, "no file fits target 'phone'", id="no such target"),
        pytest.param({"runtime": "torch"}, ContractError, "on torch", id="no such runtime"),
    ],
)
def test_wish_that_no_file_fits(bundle: Path, options: dict[str, str], error: type[Exception], fragment: str) -> None:
    with pytest.raises(error) as refusal:
        Model.open(bundle, **options)
    assert fragment in str(refusal.value)


def test_a_tflite_file_says_why_it_is_not_on_a_gpu(bundle: Path) -> None:
    assert Model.open(bundle, device="auto").runtime.note == "ai-edge-litert runs on the processor alone"
    assert Model.open(bundle).runtime.note == ""


def test_machine_without_a_runtime_says_what_to_install(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "installed", lambda: {})
    with pytest.raises(RuntimeMissingError, match="no runtime is installed that could run mnist_cnn: install the extra tflite"):
        Model.open(bundle)


def test_runtime_asked_for_but_not_installed(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RuntimeMissingError, match="tflite-runtime is not installed, but model.static_wi8_ai8.tflite is to run on it"):
        Model.open(bundle, runtime="tflite-runtime")


def test_file_that_the_runtime_refuses(copy: Any) -> None:
    (copy.folder / "model.onnx").write_bytes(b"rubbish")
    copy.sign()
    with pytest.raises(GateError, match=r"model\.onnx: onnxruntime .* cannot load it"):
        Model.open(copy.folder, target="server")


def test_context_manager_lets_the_runtime_go(bundle: Path, digits: np.ndarray) -> None:
    with Model.open(bundle) as held:
        assert held.predict(digits[0]).label is not None
        runtime = weakref.ref(held.runtime)
    assert runtime() is None, "its memory is freed"


def test_model_without_postprocessing_gives_its_output(copy: Any, digits: np.ndarray) -> None:
    copy.edit("contract.json", lambda document: document.update(postprocess=[], labels=[]))
    copy.sign()
    plain = Model.open(copy.folder)
    answer = plain.predict(digits[0])
    assert answer.kind == "values"
    with pytest.raises(UsageError, match="the answer is values and has no label; use .result or .outputs"):
        answer.label  # noqa: B018 - asking is the test
    np.testing.assert_array_equal(answer.result, answer.outputs["logits"])
    assert answer.to_dict() == {"result": answer.outputs["logits"].tolist()}


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        pytest.param(np.array([[1, 2]]), {"result": [[1, 2]]}, id="array"),
        pytest.param("words", {"result": "words"}, id="text"),
        pytest.param((), {"result": []}, id="nothing found"),
        pytest.param((1, 2), {"result": [1, 2]}, id="numbers"),
        pytest.param({"a": (1,)}, {"result": {"a": [1]}}, id="mapping"),
        pytest.param(
            (Ranked("a", 0, 1.0),), {"label": "a", "score": 1.0, "ranking": [{"label": "a", "index": 0, "score": 1.0}]}, id="ranking"
        ),
    ],
)
def test_every_kind_of_result_as_data(result: Any, expected: dict[str, Any]) -> None:
    assert json.loads(json.dumps(Prediction({}, result).to_dict())) == expected


def two_inputs(**changes: Any) -> Model:
    """A model of two inputs and no steps, run by adding them."""
    tensor = {"dtype": "float32", "shape": ["batch", "length"], "layout": "NC", **changes}
    document = {
        "schema": 1,
        "name": "adder",
        "version": "1.0.0",
        "task": "sum",
        "graphs": [{"name": "main", "inputs": [{**tensor, "name": n} for n in "ab"], "outputs": [{**tensor, "name": "sum"}]}],
        "metric": {"name": "error", "direction": "lower", "floor": None},
    }
    bundle = Bundle(Path("none"), contract.loads(json.dumps(document)), (), Golden((), {}, {}, ()))
    runtime: Any = SimpleNamespace(run=lambda inputs: {"sum": inputs["a"] + inputs["b"]})
    return Model(bundle, None, runtime, {})  # type: ignore[arg-type]  # no file: only what surrounds it is tested


def test_several_inputs_come_in_a_mapping() -> None:
    one, other = np.array([1, 2], np.float32), np.array([3, 4], np.float32)
    adder = two_inputs()
    assert adder.predict({"b": other, "a": one}).result.tolist() == [4, 6]
    assert [answer.result.tolist() for answer in adder.predict_many([{"a": one, "b": one}] * 2)] == [[2, 4]] * 2
    with pytest.raises(InputError, match="adder: got ndarray, expected a mapping with a, b"):
        adder.predict(one)
    with pytest.raises(InputError, match="adder: input 'b' is missing"):
        adder.predict({"a": one})


def test_rows_of_different_length_are_not_put_into_one_run() -> None:
    rows = [{"a": np.zeros(n, np.float32), "b": np.zeros(n, np.float32)} for n in (2, 3)]
    with pytest.raises(InputError, match=r"adder: input 'a' comes in shapes \[\(2,\), \(3,\)\], expected one"):
        two_inputs().predict_many(rows)


def test_axis_of_one_name_has_one_size_in_all_inputs() -> None:
    with pytest.raises(InputError, match="adder: length is 3 in 'b' and 2 in 'a', expected one size"):
        two_inputs().predict({"a": np.zeros(2, np.float32), "b": np.zeros(3, np.float32)})
    free = two_inputs(shape=["batch", 2, "length"])
    assert free.predict({name: np.ones((2, 4), np.float32) for name in "ab"}).result.tolist() == [[2] * 4] * 2


@pytest.mark.parametrize("wrong", [-0.5, 1.5, np.nan, np.inf])
def test_value_outside_the_range_of_the_contract(wrong: float) -> None:
    bounded = two_inputs(range=[0, 1])
    inside = np.array([0, 1], np.float32)
    assert bounded.predict({"a": inside, "b": inside}).result.tolist() == [0, 2]
    with pytest.raises(InputError, match="adder: input 'b'"):
        bounded.predict({"a": inside, "b": np.array([0.5, wrong], np.float32)})


def test_names_of_the_package() -> None:
    assert edge.Model is model.Model
    assert edge.Prediction is Prediction
    assert edge.__version__.count(".") == 2
    with pytest.raises(AttributeError, match="module 'edge' has no attribute 'Modell'"):
        _ = edge.Modell
